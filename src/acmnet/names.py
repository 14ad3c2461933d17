"""Names of videos and actions: one Unicode form, what no name holds, near misses.

A folder that a Mac wrote has ``ä`` as ``a`` and a combining mark; the spreadsheet
beside it has one letter. Both are one name: whatever reads names from files or from
labels passes them through `one_form`, so that equal names are equal strings.
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
"""Control characters that people have a word for."""


def one_form(name: str) -> str:
    r"""Return a name in Unicode's composed form (NFC), in which names are compared.

    Examples
    --------
    >>> one_form("Ka\u0308fer") == "K\u00e4fer"
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def is_name(value: object) -> bool:
    """Return whether a value from a file is text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def unfit(name: str) -> str:
    r"""Return what a name holds that no name can; empty for a name that is fine.

    Control characters would break lists and tables of names, and half a surrogate
    pair cannot be written to any file.

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
    """Return a name from a file in its one form.

    Parameters
    ----------
    where : str
        The file and the place in it, for the refusal.
    what : str
        What is named, such as ``"label"``.
    name : str
        As the file has it.
    error : type
        What to raise where the name holds what no name can.
    """
    held = unfit(name)
    if held:
        raise error(
            f"{where}: {what} {quoted(name)} holds {held}; names are letters, digits, "
            "blanks and signs in one line: correct it"
        )
    return one_form(name)


def spelt_otherwise(names: Iterable[str], known: Iterable[str]) -> str:
    """Return a hint on the first of some unknown names that differs by case alone.

    Parameters
    ----------
    names : iterable of str
        Not found among those that are known.
    known : iterable of str
        Where they were looked for.

    Returns
    -------
    str
        Such as ``" (is 'holiday' meant to be 'Holiday'?)"``, to put after the names in
        a sentence; empty where no name is near.

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
