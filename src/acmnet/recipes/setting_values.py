"""Values of settings: checked against the types of their fields, read from texts."""

import reprlib
import typing
from collections.abc import Iterable, Mapping
from typing import Final

from acmnet.limits import finite
from acmnet.messages import did_you_mean

KINDS: Final[Mapping[object, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}
"""The types of settings in words."""


class RecipeError(ValueError):
    """A recipe or a setting that cannot be used; the message names the setting."""


def refuse_unknown(
    given: Iterable[str], known: tuple[str, ...], where: str, what: str
) -> None:
    """Refuse names that do not exist; the message has the known name most like it.

    Parameters
    ----------
    given : iterable of str
        The names to look at.
    known : tuple of str
        The names that exist.
    where : str
        Beginning of the message, such as a file and a colon; may be empty.
    what : str
        What the names are names of, such as "section".

    Raises
    ------
    RecipeError
        For the first name that does not exist.
    """
    for key in given:
        if key not in known:
            raise RecipeError(f"{where}unknown {what} {key!r}; {nearest(key, known)}")


def nearest(name: str, known: tuple[str, ...]) -> str:
    """Return a question with the known name that is most like another one.

    Where no known name is like it, all known names are listed.

    Examples
    --------
    >>> nearest("epoch", ("epochs", "batch_size"))
    "did you mean 'epochs'?"
    """
    return did_you_mean(name, known).strip() or f"known: {', '.join(known)}"


def typed_value(value: object, wanted: object, where: str) -> object:
    """Return a setting's value in the type of its field.

    Parameters
    ----------
    value : object
        The value as TOML or JSON gives it, or as a caller of Python does.
    wanted : type
        The type of the field. A whole number is taken where a float is wanted.
    where : str
        Name of the setting, and of the file that it comes from.

    Raises
    ------
    RecipeError
        If the value has another type, or is not one of the field's choices.
    """
    if typing.get_origin(wanted) is typing.Literal:
        choices = typing.get_args(wanted)
        if value not in choices:
            raise RecipeError(
                f"{where} must be one of {', '.join(map(repr, choices))}, got {value!r}"
            )
        return value
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} must be a list of numbers, got {value!r}")
        return tuple(
            typed_value(item, typing.get_args(wanted)[0], where) for item in value
        )
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        kind = KINDS.get(wanted, "of another kind")
        raise RecipeError(f"{where} must be {kind}, got {value!r}")
    return value


def value_of_text(text: str, wanted: object, where: str) -> object:
    """Return a text from the command line in the type of a setting's field.

    The parameters are those of `typed_value`. A text for a field with choices is not
    compared with them.

    Raises
    ------
    RecipeError
        If the text cannot be read as that type.

    Examples
    --------
    >>> value_of_text("0.1,0.2", tuple[float, ...], "localization.thresholds")
    (0.1, 0.2)
    """
    origin = typing.get_origin(wanted)
    if origin is tuple:
        return tuple(_number(item, float, where) for item in text.split(",") if item)
    if origin is typing.Literal or wanted is str:
        return text
    if wanted is bool:
        if text.lower() not in ("true", "false"):
            raise RecipeError(f"{where} must be true or false, got {text!r}")
        return text.lower() == "true"
    return _number(text, wanted, where)


def _number(text: str, wanted: object, where: str) -> float | int:
    """Return a text as a number, whole if the field is."""
    number = finite(text, in_quotes=True)
    if wanted is int:
        is_whole = number is not None and text.strip().lstrip("+-").isdigit()
        number = int(text) if is_whole else None
    if number is None:
        kind = KINDS[int if wanted is int else float]
        raise RecipeError(f"{where} must be {kind}, got {reprlib.repr(text)}")
    return number
