"""The cuts of an edited video, as the record of its extraction states them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acmnet.messages import quoted


def cuts_of(
    record: Mapping[str, Any], path: Path, error: type[ValueError]
) -> tuple[float, ...] | None:
    """Return where one shot ends and the next begins, in seconds, ascending.

    Parameters
    ----------
    record : mapping
        The JSON object in the file ``extracted/<id>.json`` of a directory of features.
    path : Path
        That file, for messages.
    error : type
        What is raised.

    Returns
    -------
    tuple of float, or None
        None if the extraction did not look for cuts: that of files of tracks, or one by
        an earlier version of acmnet.

    Raises
    ------
    ValueError
        An ``error``, if ``cuts_s`` is not a list of ascending times above 0.

    Examples
    --------
    >>> cuts_of({"cuts_s": [2.0, 4.5]}, Path("a.json"), ValueError)
    (2.0, 4.5)
    >>> cuts_of({"cuts_s": [4.5, 2]}, Path("a.json"), ValueError)
    Traceback (most recent call last):
    ...
    ValueError: a.json: cuts_s must be a list of ascending times above 0, in seconds, \
got '[4.5, 2]'; remove the file and extract again
    """
    cuts_s = record.get("cuts_s")
    if cuts_s is None:
        return None
    is_list = isinstance(cuts_s, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in cuts_s
    )
    if is_list and all(
        low < high
        for low, high in zip([0.0, *cuts_s], [*cuts_s, math.inf], strict=True)
    ):
        return tuple(map(float, cuts_s))
    raise error(
        f"{path}: cuts_s must be a list of ascending times above 0, in seconds, got "
        f"{quoted(str(cuts_s))}; remove the file and extract again"
    )
