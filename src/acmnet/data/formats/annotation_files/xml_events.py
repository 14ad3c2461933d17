"""Read XML piece by piece; nothing that it refers to is fetched or expanded.

A file with a document type declaration is refused: such a declaration can name files
and addresses to read, and entities that grow to any size. Elements are handed over one
at a time, so a large file takes little memory.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.parsers import expat

from acmnet.data.formats.exchange_format import Source
from acmnet.data.labels.annotations import AnnotationError
from acmnet.limits import DEEPEST_NESTING
from acmnet.messages import quoted

PIECE: Final = 2**16
"""Bytes that are parsed at a time."""
LONGEST_TEXT: Final = 2**20
"""Characters of one element's text, at most; longer text is a mistake."""

OnStart = Callable[[str, str, Mapping[str, str]], None]
OnEnd = Callable[[str, str, str], None]


def read_xml(source: Source, on_start: OnStart, on_end: OnEnd) -> None:
    """Read an XML file.

    Parameters
    ----------
    source : Source
        The file.
    on_start : callable
        Called at the start of each element, with the file and line for messages, the
        element's name, and its attributes.
    on_end : callable
        Called at the end of each element, with the file and line, the element's name,
        and the text in it that stands after its last inner element.

    Raises
    ------
    AnnotationError
        If the file is not well-formed XML, has a document type declaration, or has
        elements nested too deep.
    """
    _Reader(source, on_start, on_end).read()


class _Reader:
    def __init__(self, source: Source, on_start: OnStart, on_end: OnEnd) -> None:
        self.source, self.on_start, self.on_end = source, on_start, on_end
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.ExternalEntityRefHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.depth = 0
        self.text: list[str] = []
        self.length = 0

    def read(self) -> None:
        data = self.source.content()
        try:
            for start in range(0, len(data), PIECE):
                self.parser.Parse(data[start : start + PIECE], False)
            self.parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise AnnotationError(
                f"{self.source.path} is no well-formed XML: "
                f"{expat.ErrorString(error.code)} in line {error.lineno}, column "
                f"{error.offset + 1}; mend it there or write the file again"
            ) from None
        except (UnicodeError, LookupError) as error:
            raise AnnotationError(
                f"{self.source.path} has an encoding that XML readers do not know "
                f"({error}); save it as UTF-8"
            ) from None

    def _where(self) -> str:
        return f"{self.source.path}, line {self.parser.CurrentLineNumber}"

    def _doctype(self, *_: Any) -> int:
        raise AnnotationError(
            f"{self._where()}: a document type declaration (<!DOCTYPE) is not read, "
            "because it can name other files and grow without end; remove it"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            raise AnnotationError(
                f"{self._where()}: elements are nested over {DEEPEST_NESTING} deep, "
                "which no label file is; check what wrote it"
            )
        self.text, self.length = [], 0
        self.on_start(self._where(), name, attributes)

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.on_end(self._where(), name, "".join(self.text))
        self.text, self.length = [], 0

    def _characters(self, text: str) -> None:
        self.length += len(text)
        if self.length > LONGEST_TEXT:
            raise AnnotationError(
                f"{self._where()}: one element holds more than {LONGEST_TEXT:,} "
                f"characters, such as {quoted(text)}; check what wrote it"
            )
        self.text.append(text)


def attribute(where: str, element: str, values: Mapping[str, str], name: str) -> str:
    """Return an attribute of an element.

    Raises
    ------
    AnnotationError
        If the element does not have it.
    """
    if name not in values:
        raise AnnotationError(
            f"{where}: <{element}> has no attribute {name}; write the file again"
        )
    return values[name]


def escaped(text: str) -> str:
    r"""Return a text as it is written in XML, in an attribute or between elements.

    Characters that XML cannot hold become U+FFFD.

    Examples
    --------
    >>> escaped('a "b" <c> & \ufffe') == "a &quot;b&quot; &lt;c&gt; &amp; \ufffd"
    True
    """
    for plain, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
    ):
        text = text.replace(plain, written)
    return xml_name(text)


def xml_name(name: str) -> str:
    """Return a name with U+FFFD in place of characters that XML cannot hold."""
    return name.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
