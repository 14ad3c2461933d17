"""Files: text and JSON read strictly, everything written whole or not at all.

A refusal is raised as the calling room's own error, in one sentence that names the
file.
"""

import contextlib
import json
import os
import reprlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
    *(".mxf", ".gif", ".dv", ".dav", ".h264", ".264", ".hevc", ".ivf"),
)
"""Of video files: what is looked for in a folder, and what is no part of a video's id.

A file that is named is read by its content, whatever its suffix.
"""


def read_text(path: Path, kind: str, error: type[ValueError], empty: str) -> str:
    """Return the text of a UTF-8 file that is not empty.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What it should be, such as ``"label file"``.
    error : type
        What to raise.
    empty : str
        What a file of this kind holds at the least, for the refusal of an empty one.
    """
    if path.is_dir():
        raise error(f"{path} is a directory; name the {kind} itself")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise error(
            f"no {kind} at {path}; check the path, or the working directory "
            f"({Path.cwd()})"
        ) from None
    except OSError as fault:
        raise error(
            f"{path} could not be read: {fault.strerror}; check its permissions"
        ) from fault
    except UnicodeDecodeError as fault:
        raise error(
            f"{path} is not UTF-8: byte {fault.object[fault.start]:#04x} at offset "
            f"{fault.start}; save it as UTF-8"
        ) from None
    if not text.strip():
        raise error(f"{path} is empty; {empty}")
    return text


def parse_json(
    source: str,
    text: str,
    kind: str,
    error: type[ValueError],
    is_video: Callable[[str, object], bool] = lambda *_: False,
) -> object:
    """Return a JSON value, refusing a key that one object has twice.

    ``is_video`` tells from a key and its value whether the key names a video, so that
    the refusal can call it one.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            name = "video" if is_video(twice, found[twice]) else "key"
            raise error(
                f"{source}: {name} {twice!r} is listed twice; keep one, or merge "
                "the two"
            )
        return found

    try:
        value: object = json.loads(text, object_pairs_hook=unique)
    except error:
        raise
    except json.JSONDecodeError as fault:
        raise error(
            f"{source} is not valid JSON: {fault.msg} at line {fault.lineno}, column "
            f"{fault.colno}; mend it there or write the file again"
        ) from None
    except (RecursionError, ValueError) as fault:
        raise error(f"{source} is no {kind}: {fault}; check what wrote it") from None
    return value


def outline(content: object, key: str) -> str:
    """Return a few words about a JSON value that is no object with ``key``.

    Examples
    --------
    >>> outline([1, 2], "results"), outline({"a": 1}, "results")
    ('a list, [1, 2]', "the keys ['a']")
    """
    if not isinstance(content, dict):
        return f"a {type(content).__name__}, {reprlib.repr(content)}"
    if key in content:
        return f"{key!r} {reprlib.repr(content[key])}"
    return f"the keys {reprlib.repr(list(content))}"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name in the same folder to write to; rename it to ``path`` at the end.

    The data is on the disk before the name changes. If anything fails, ``path`` keeps
    what it held and nothing temporary is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, to put into a sentence."""
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def write_json(path: Path, values: object) -> None:
    """Write values as JSON."""
    with written_whole(path) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
