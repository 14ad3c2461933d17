"""Names of videos and actions: their Unicode form, forbidden characters, near misses.

In the names of files that a Mac wrote, ``ä`` is an ``a`` followed by a combining mark;
in a spreadsheet it is one letter. Both spell the same name. Therefore every name from a
file or from labels passes through `one_form`, so that equal names are equal strings.

Suffixes tell which files in a folder are videos, and which are tracks.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

from acmnet.messages import quoted

SPOKEN: Final = {
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    "\0": "a NUL",
}
"""Names of control characters that have a common one."""


MP4_SUFFIXES: Final = (".mp4", ".m4v")
"""Suffixes that a video which acmnet writes can have; it is always MP4."""
VIDEO_SUFFIXES: Final = (
    *MP4_SUFFIXES,
    *(".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
    *(".mxf", ".gif", ".dv", ".dav", ".h264", ".264", ".hevc", ".ivf"),
)
"""Suffixes of video files. Files with such a suffix are found in folders, and the
suffix is no part of a video's id.

A file that is given by its path is recognised by its content, whatever its suffix.
"""
TRACK_SUFFIXES: Final = (".csv", ".tsv", ".xlsx", ".h5", ".hdf5", ".npy")
"""Suffixes of files of tracks, which the extractor ``keypoints`` reads in place of
videos."""


def one_form(name: str) -> str:
    r"""Return a name in Unicode's composed form (NFC), in which names are compared.

    Examples
    --------
    >>> one_form("Ka\u0308fer") == "K\u00e4fer"
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def listed_twice(source: str, video: str) -> str:
    """Return the sentence that refuses a video whose name a file has in two forms."""
    return (
        f"{source}: video {video!r} is listed twice, in two Unicode forms of one name; "
        "keep one, or merge the two"
    )


def is_name(value: object) -> bool:
    """Return whether a value from a file is text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def unfit(name: str) -> str:
    r"""Return which forbidden character a name has; empty if it has none.

    Control characters would break lists and tables of names. Half a surrogate pair
    cannot be written to any file.

    Examples
    --------
    >>> unfit("jump"), unfit("jump\trun"), unfit("\x07"), unfit("\ud800")
    ('', 'a tab', 'the control character U+0007', 'half a character, U+D800')
    """
    if name.isprintable():
        return ""
    for letter in name:
        if letter in SPOKEN:
            return SPOKEN[letter]
        kind = unicodedata.category(letter)
        if kind in ("Cc", "Zl", "Zp"):
            return f"the control character U+{ord(letter):04X}"
        if kind == "Cs":
            return f"half a character, U+{ord(letter):04X}"
    return ""


def checked(where: str, what: str, name: str, error: type[ValueError]) -> str:
    """Return a name from a file in its composed Unicode form, or refuse it.

    Parameters
    ----------
    where : str
        The file and the place in it, for the message.
    what : str
        What the name stands for, such as ``"label"``.
    name : str
        The name as it stands in the file.
    error : type
        The exception to raise if the name has a forbidden character.
    """
    problem = unfit(name)
    if problem:
        raise error(
            f"{where}: {what} {quoted(name)} holds {problem}; names are letters, "
            "digits, blanks and signs in one line: correct it"
        )
    return one_form(name)


def spelt_otherwise(names: Iterable[str], known: Iterable[str]) -> str:
    """Return a hint on an unknown name that differs from a known one by case only.

    Parameters
    ----------
    names : iterable of str
        The names that were not found.
    known : iterable of str
        The names among which they were searched for.

    Returns
    -------
    str
        A hint on the first such name, to stand after the names in a sentence, such as
        ``" (is 'holiday' meant to be 'Holiday'?)"``; empty if there is no such name.

    Examples
    --------
    >>> spelt_otherwise(["walk", "holiday"], ["Holiday", "HOLIDAY 2"])
    " (is 'holiday' meant to be 'Holiday'?)"
    >>> spelt_otherwise(["walk"], ["run"])
    ''
    """
    folded = {name.casefold().strip(): name for name in known}
    for name in names:
        near = folded.get(name.casefold().strip())
        if near is not None:
            return f" (is {quoted(name)} meant to be {quoted(near)}?)"
    return ""
