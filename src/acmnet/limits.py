"""The limits of what a user's file may hold, and the ranges of settings.

A file beyond a limit is a mistake or an attack. The functions that read files, such as
those of `acmnet.files`, refuse it with a sentence that says so.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

LARGEST_TEXT_BYTES: Final = 512 * 2**20
"""Bytes of a file of labels or detections, at most: ten times ActivityNet's largest
file. Reading JSON takes about ten times the size of the text in memory."""
LARGEST_NOTE_BYTES: Final = 64 * 2**20
"""Bytes of a small file, at most: of a recipe, or of a manifest, a run's
``config.json``, a record or a calibration, which acmnet itself writes."""
DEEPEST_NESTING: Final = 100
"""Levels of lists and objects inside each other in a JSON or TOML file, at most. The
files that acmnet writes have 10."""
LONGEST_NUMBER: Final = 400
"""Characters of a number in JSON, at most; every float can be written with fewer."""
LARGEST_CHECKPOINT_BYTES: Final = 32 * 2**30
"""Bytes of one file of a checkpoint, at most; the largest that acmnet wrote has 250
MB."""
LARGEST_DIMENSION: Final = 1_000_000
"""Columns of features that a network accepts, at most; two streams of I3D have 2048."""
MOST_CLASSES: Final = 100_000
"""Classes in a class list, at most; the largest vocabularies have a few thousand."""
MOST_VIDEOS_OF_TEXT: Final = 2_000_000
"""Videos of a table that is text, at most; Parquet and Arrow files may have more."""
LARGEST_SECONDS: Final = 1e7
"""Largest absolute value of a time or a duration, in seconds: 115 days."""
LONGEST_NAME_BYTES: Final = 255
"""Bytes of a file's name that usual file systems allow."""

_PLAIN_NUMBER: Final = re.compile(
    r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII
)


def too_many_videos(where: str) -> str:
    """Return the sentence that refuses a text file with too many videos."""
    return (
        f"{where}: these are more than {MOST_VIDEOS_OF_TEXT:,} videos, the most that a "
        "text file may have; write the table as a Parquet file"
    )


def is_text(name: str) -> bool:
    r"""Return whether a text can be written as UTF-8.

    Examples
    --------
    >>> is_text("Übung"), is_text("\ud800")
    (True, False)
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def finite(value: object, *, in_quotes: bool = False) -> float | None:
    """Return a value from a file as a number; None if it is no finite number.

    With ``in_quotes``, a text that spells a plain decimal number counts as a number,
    too. Files of labels and of detections allow that, because those of THUMOS-14 have
    numbers in quotes.

    Examples
    --------
    >>> finite(3), finite(" 1.5e2 ", in_quotes=True), finite("3"), finite(True)
    (3.0, 150.0, None, None)
    >>> [finite(x, in_quotes=True) for x in ("1_000", "inf", "0x10", "", "\u0661")]
    [None, None, None, None, None]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        is_plain = in_quotes and len(value) <= LONGEST_NUMBER
        if not (is_plain and _PLAIN_NUMBER.fullmatch(value)):
            return None
    try:
        number = float(value)
    except OverflowError:  # a whole number with hundreds of digits
        return None
    return number if math.isfinite(number) else None


def seconds(value: object, *, in_quotes: bool = False) -> float | None:
    """Return a time from a file in seconds; None if it is not a number or out of range.

    ``value`` is read as by `finite`. Its absolute value is at most `LARGEST_SECONDS`.
    """
    number = finite(value, in_quotes=in_quotes)
    return None if number is None or abs(number) > LARGEST_SECONDS else number


LARGEST_SETTINGS: Final[Mapping[str, float]] = {
    # the networks
    "kernel_snippets": 1001,
    "instance_ratio": 1e6,
    "context_ratio": 1e6,
    "background_ratio": 1e6,
    "width": 1e4,
    "layers": 16,
    # their losses
    "feature_margin": 1e6,
    # training
    "epochs": 1e6,
    "batch_size": 1e5,
    "snippets": 1e6,
    "checkpoint_every": 1e9,
    "learning_rate": 10.0,
    "weight_decay": 100.0,
    "count": 100,  # of teachers
    # localization
    "test_snippets": 1e6,
    "smoothing_snippets": 1e4,
    "upsampling": 1000,
    "shortest_cells": 1e6,
    "contrast_margin": 1000.0,
    "nms_padding_s": 1e4,
    "soft_nms_sigma": 1e6,
}
"""Largest value that a setting may have, by the setting's name."""
LARGEST_SETTING: Final = 1e6
"""Largest absolute value of a setting that `LARGEST_SETTINGS` does not name, such as
the weight of a loss."""
MOST_THRESHOLDS: Final = 1000


RANGES: Final[Mapping[str, Callable[[float], bool]]] = {
    "at least 0": lambda value: value >= 0,
    "at least 1": lambda value: value >= 1,
    "above 0": lambda value: value > 0,
    "in [0, 1]": lambda value: 0 <= value <= 1,
    "in [0, 1)": lambda value: 0 <= value < 1,
    "in (0, 1]": lambda value: 0 < value <= 1,
    "in (0, 1)": lambda value: 0 < value < 1,
    "0 or at least 1": lambda value: value == 0 or value >= 1,
}
"""Whether a value is in a range, by the words that name the range in messages."""


def refuse_out_of_range(
    settings: Mapping[str, Any],
    ranges: Mapping[str, Iterable[str]],
    error: type[ValueError] = ValueError,
) -> None:
    """Refuse settings whose numbers are not finite, too large or outside their range.

    Parameters
    ----------
    settings : mapping
        Values by name; each of a tuple's is looked at.
    ranges : mapping
        The names of the settings that must be in a range, by the words of `RANGES`.
    error : type of ValueError
        What is raised.

    Raises
    ------
    error
        The message has the setting's name, its range and the value.

    Examples
    --------
    >>> refuse_out_of_range({"learning_rate": math.inf}, {})
    Traceback (most recent call last):
    ...
    ValueError: learning_rate must be a number up to 10, got inf
    >>> refuse_out_of_range({"epochs": 0}, {"at least 1": ["epochs"]})
    Traceback (most recent call last):
    ...
    ValueError: epochs must be at least 1, got 0
    """
    range_of = {name: words for words, names in ranges.items() for name in names}
    for name, given in settings.items():
        values = given if isinstance(given, tuple) else (given,)
        if len(values) > MOST_THRESHOLDS:
            raise error(
                f"{name} must have at most {MOST_THRESHOLDS} values, got {len(values)}"
            )
        most = LARGEST_SETTINGS.get(name, LARGEST_SETTING)
        words = range_of.get(name)
        for value in values:
            if isinstance(value, int | float) and not abs(value) <= most:
                raise error(f"{name} must be a number up to {most:g}, got {value}")
            if words is not None and not RANGES[words](value):
                raise error(f"{name} must be {words}, got {value}")
