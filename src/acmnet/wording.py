"""Words that sentences to the user share: names as they can be shown, and counts."""

import reprlib
from collections.abc import Collection
from typing import Final

SHOWN: Final = 5
"""Names in a sentence, at the most."""

_REPR: Final = reprlib.Repr()
_REPR.maxstring = 80


def quoted(name: str) -> str:
    r"""Return a name from a user's file as it can be shown: escaped, not too long.

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


def counted(n: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "error"), counted(2, "error"), counted(0, "class")
    ('1 error', '2 errors', '0 classes')
    """
    plural = "es" if noun.endswith("s") else "s"
    return f"{n} {noun}" + plural * (n != 1)
