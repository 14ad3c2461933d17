"""Parts of messages to the user: names that are safe to show, counts and times."""

import reprlib
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

SHOWN: Final = 5
"""Names that a message lists, at most."""

_REPR: Final = reprlib.Repr()
_REPR.maxstring = 80


def quoted(name: str) -> str:
    r"""Return a name from a user's file in quotes, escaped and shortened for a message.

    Examples
    --------
    >>> quoted("a\x1b[31m"), len(quoted("x" * 1000))
    ("'a\\x1b[31m'", 80)
    """
    return _REPR.repr(name)


def some(names: Collection[str], most: int = SHOWN) -> str:
    """Return the first few names, and how many more there are.

    Examples
    --------
    >>> some(["a", "b"]), some("abcdefg")
    ("'a', 'b'", "'a', 'b', 'c', 'd', 'e' and 2 more")
    """
    shown = [quoted(name) for name, _ in zip(names, range(most), strict=False)]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question with the known name that is most like a wrong one, and a blank.

    Empty where none is like it.

    Examples
    --------
    >>> did_you_mean("motoin", ["motion", "pose"]), did_you_mean("x", ["motion"])
    ("did you mean 'motion'? ", '')
    """
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def counted(
    n: int, noun: str, verb: tuple[str, str] | None = None, *, of: int | None = None
) -> str:
    """Return a number and a noun, with a total and a verb where they are given.

    Parameters
    ----------
    n : int
        The number of things.
    noun : str
        The noun in the singular.
    verb : (str, str), optional
        The verb in the singular and in the plural; the one that agrees with ``n`` is
        used.
    of : int, optional
        The total number.

    Examples
    --------
    >>> counted(1, "error"), counted(2, "error"), counted(0, "class")
    ('1 error', '2 errors', '0 classes')
    >>> counted(1, "video", ("has", "have"), of=6)
    '1 of 6 videos has'
    """
    plural = "es" if noun.endswith("s") else "s"
    among = "" if of is None else f" of {of}"
    is_one = (n if of is None else of) == 1
    does = "" if verb is None else f" {verb[n != 1]}"
    return f"{n}{among} {noun}" + plural * (not is_one) + does


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, without a full stop."""
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def seconds(time_s: float) -> str:
    """Return a time in seconds to the millisecond, without zeros at its end.

    Examples
    --------
    >>> seconds(1 / 30), seconds(7.0), seconds(12345.25)
    ('0.033', '7', '12345.25')
    """
    return f"{time_s:.3f}".rstrip("0").rstrip(".")
