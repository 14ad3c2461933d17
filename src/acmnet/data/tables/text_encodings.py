"""Decode text of unknown encoding, and say where other encodings fit, too.

UTF-8 and UTF-16 can be recognised by their bytes. The encodings with one byte for each
character cannot, because each of them turns every file into some text. Here such a
reading counts only if a person could have written it: with letters of one language, in
words of one script, without capitals or signs inside words. Where several readings
count and differ, the caller is told.
"""

# ruff: noqa: RUF001 (alphabets and signs are what this file is about)

import codecs
import dataclasses
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from acmnet.messages import quoted

PLAIN: Final = "UTF-8"

WESTERN: Final = (
    *("äöüß", "àâæçéèêëîïôœùûü", "áéíñóúü", "àçèéíïòóúü", "áàâãçéêíóôõúü"),
    *("àèéìíîòóùú", "æøåéóòô", "åäöé", "áéëïóöúüèê"),
)
"""Letters beyond ASCII of German, French, Spanish, Catalan, Portuguese, Italian, of
Danish and Norwegian, of Swedish and Finnish, and of Dutch."""

ENCODINGS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("Windows-1252", "cp1252", WESTERN),
    # Icelandic, whose letters are Turkish ones in Windows-1254
    ("Windows-1252", "cp1252", ("áðéíóúýþæö",)),
    # Polish, Czech, Slovak, Hungarian, Croatian and Slovene, Romanian, German
    (
        "Windows-1250",
        "cp1250",
        (
            *("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű"),
            *("čćđšž", "ăâîşţ", "äöüß"),
        ),
    ),
    # Russian and Bulgarian, Ukrainian and Belarusian, Serbian and Macedonian
    (
        "Windows-1251",
        "cp1251",
        (
            "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
            "абвгґдеєёжзиіїйклмнопрстуўфхцчшщыьэюя",
            "абвгдђѓежзѕијклљмнњопрстћќуфхцчџш",
        ),
    ),
    ("Windows-1253", "cp1253", ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",)),
    # Turkish; a small dotted i is spelt so where a capital one was
    ("Windows-1254", "cp1254", ("âçğıîöşûüi\u0307", *WESTERN)),
    # Lithuanian, Latvian, Estonian, German
    ("Windows-1257", "cp1257", ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž", "äöüß")),
    ("Mac OS Roman", "mac_roman", WESTERN),
)
"""The encodings with one byte for each character. Each has a name for people, Python's
name, and, for each language that is written in it, the letters beyond ASCII. Where
several fit, the first one is used, because most tables that are not UTF-8 are in it;
the result says which others fit."""

OPENING: Final = frozenset("“‘„‚«‹§£€°")
"""Signs that a letter may follow without a space."""
CLOSING: Final = frozenset("”’“‘»›…°™®©ªº²³µ€")
"""Signs that may follow a letter without a space; ’ may also stand between letters."""
SIGNS: Final = OPENING | CLOSING | frozenset("–—¹½¼¾×±\xa0")
ACCENTED: Final = frozenset("άέήίόύώΐΰ")
VOWELS: Final = frozenset("аеёиоуыэюяіїєјѐѝ")
FEWEST_VOWELS: Final = 0.2
"""Smallest share of vowels among the letters of a Cyrillic text; 0.4 is usual."""

SHOWN: Final = 2
"""Other encodings that a message names, at most."""

_LETTER: Final = re.compile(".\u0307?")
_RUN: Final = re.compile(r"[^\W\d_]+")
_WORD: Final = re.compile(rb"[^\s,;|\"]*[\x80-\xff][^\s,;|\"]*")


class EncodingError(ValueError):
    """Bytes that are not text, or text of an encoding that cannot be recognised."""


@dataclasses.dataclass(frozen=True)
class Decoded:
    """The text of bytes, and its encoding."""

    text: str
    encoding: str
    """The encoding's name for people, such as ``"Windows-1252"``."""
    doubt: str = ""
    """A sentence with an example on other encodings that fit; empty if none does."""


def decoded(data: bytes) -> Decoded:
    r"""Return the text of bytes of unknown encoding, without a byte order mark.

    Raises
    ------
    EncodingError
        The message states what the bytes are, and follows a file's name in a sentence.

    Examples
    --------
    >>> decoded("Käfer".encode("cp1252")).encoding
    'Windows-1252'
    >>> decoded("Scène".encode("cp1252")).doubt
    "'Scène' would be 'Scčne' in Windows-1250"
    """
    for mark, codec, name in (
        (codecs.BOM_UTF8, "utf-8", PLAIN),
        (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    ):
        if data.startswith(mark):
            return Decoded(_strict(data[len(mark) :], codec, name), name)
    codec = _wide(data)
    if codec:
        return Decoded(_strict(data, codec, "UTF-16"), "UTF-16")
    try:
        return Decoded(data.decode(), PLAIN)
    except UnicodeDecodeError as fault:
        line = 1 + len(re.findall(rb"\r\n?|\n", data[: fault.start]))
        byte = f"byte {data[fault.start]:#04x} in line {line}"
    return _one_byte(data, byte)


def _strict(data: bytes, codec: str, name: str) -> str:
    """Return the text of a known encoding; refuse bytes that are not in it."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError as fault:
        before = data[: fault.start].decode(codec, "ignore")
        line = 1 + len(re.findall(r"\r\n?|\n", before))
        raise EncodingError(
            f"starts as {name}, but line {line} holds what no character is "
            f"({data[fault.start : fault.end].hex(' ')})"
        ) from None


def _wide(data: bytes) -> str:
    """Return the codec of UTF-16 without a byte order mark; empty for other bytes.

    A table starts with ASCII letters, so in UTF-16 every second byte is 0.
    """
    if len(data) < 4 or len(data) % 2:
        return ""
    for codec, zero, letter in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        start = data[letter:8:2]
        if not any(data[zero:8:2]) and start.isascii() and 0 not in start:
            return codec
    return ""


def _one_byte(data: bytes, byte: str) -> Decoded:
    """Return the text of a one-byte encoding.

    ``byte`` is the first byte that shows that the text is not UTF-8, for messages.
    """
    words = sorted(set(_WORD.findall(data)))
    readings: dict[tuple[str, ...], tuple[str, str, tuple[str, ...]]] = {}
    for encoding in ENCODINGS:
        try:
            read = tuple(word.decode(encoding[1]) for word in words)
        except UnicodeDecodeError:
            continue
        if _could_be_writing(read, encoding[2]):
            readings.setdefault(read, encoding)
    if not readings:
        raise EncodingError(f"is not UTF-8 nor text of a Windows encoding ({byte})")
    (first, chosen), *others = readings.items()
    if others and chosen is not ENCODINGS[0]:
        named = {read: name for read, (name, *_) in readings.items()}
        raise EncodingError(f"may be {_choice(named)}, and nothing tells which")
    doubt = "; ".join(_differing(first, read, x[0]) for read, x in others[:SHOWN])
    return Decoded(data.decode(chosen[1]), chosen[0], doubt)


def _choice(readings: Mapping[tuple[str, ...], str]) -> str:
    """Return a list of the possible encodings, each with a word that it reads so."""
    columns = zip(*readings, strict=True)
    shown = next(column for column in columns if len(set(column)) > 1)
    pairs = zip(readings.values(), shown, strict=True)
    return " or ".join(f"{name} ({quoted(word)})" for name, word in pairs)


def _differing(first: Sequence[str], other: Sequence[str], name: str) -> str:
    """Return an example of a word that another encoding reads differently."""
    pairs = zip(first, other, strict=True)
    a, b = next(pair for pair in pairs if pair[0] != pair[1])
    return f"{quoted(a)} would be {quoted(b)} in {name}"


def _could_be_writing(words: Sequence[str], alphabets: Sequence[str]) -> bool:
    """Return whether a person could have written words, in one of some languages."""
    letters = [x.lower() for word in words for x in word if _is_letter(x)]
    foreign = {x for x in letters if not x.isascii()}
    if not any(foreign <= set(_LETTER.findall(alphabet)) for alphabet in alphabets):
        return False
    cyrillic = [x for x in letters if _script(x) == "CYRILLIC"]
    if sum(x in VOWELS for x in cyrillic) < FEWEST_VOWELS * len(cyrillic):
        return False
    runs = {run for word in words for run in _RUN.findall(word) if not run.isascii()}
    return all(map(_is_word, runs)) and all(map(_has_signs_in_place, words))


def _is_letter(letter: str) -> bool:
    """Return whether a character is a letter, and not a sign such as ª."""
    return letter.isalpha() and letter not in "ªºµ"


def _script(letter: str) -> str:
    """Return the script of a letter, such as ``"LATIN"``."""
    return unicodedata.name(letter[0]).split()[0]


def _is_word(word: str) -> bool:
    """Return whether letters are of one script, with capitals where they can stand."""
    scripts = {_script(x) for x in word if _is_letter(x)}
    if len(scripts) > 1:
        return False
    cased = "".join("A" if x.isupper() else "a" for x in word)
    if not re.fullmatch("A?a*|A+", cased):
        return False
    if scripts != {"GREEK"} or word.isupper() or len(word) < 3:
        return True
    accents = sum(x in ACCENTED for x in word.lower())
    return accents == 1 and not re.search("σ$|ς.", word)


def _has_signs_in_place(word: str) -> bool:
    """Return whether signs beyond ASCII stand where people write them."""
    for before, sign, after in zip(f" {word}", word, f"{word} "[1:], strict=False):
        if sign.isascii() or _is_letter(sign):
            continue
        follows, leads = _is_letter(before), _is_letter(after)
        if follows and leads:
            fits = sign == "’"
        elif follows or leads:
            fits = sign in (CLOSING if follows else OPENING)
        else:
            fits = sign in SIGNS
        if not fits:
            return False
    return True
