"""Settings of an earlier acmnet that were removed since.

A run keeps its settings in ``config.json``. A run that an earlier version trained can
still be loaded as long as it did not use what was removed. A recipe file is edited by
its user, who is told which lines to delete.
"""

from collections.abc import Mapping
from typing import Any, Final

LAST_COMMIT: Final = "8f2915a"
"""The last commit of acmnet that has the settings of `REMOVED`."""
REMOVED: Final[Mapping[str, object]] = {
    "model.extra_layers": 0,
    "model.gated_streams": False,
    "model.first_stream": None,
    "loss.evidential_weight": 0,
}
"""The settings that were removed, by dotted name, each with the value that switched it
off; None where every value can be ignored, because another setting switches it off."""

Values = Mapping[str, Any]
"""Settings as plain values by section, as TOML and JSON hold them."""


def modernised(values: Values) -> dict[str, Any]:
    """Return the settings that a run stored, without those that were removed.

    Raises
    ------
    ValueError
        If the run used one of them; the sentence names it and `LAST_COMMIT`.

    Examples
    --------
    >>> modernised({"model": {"kernel_snippets": 3, "extra_layers": 0}})
    {'model': {'kernel_snippets': 3}}
    >>> modernised({"model": {"extra_layers": 1}})
    Traceback (most recent call last):
    ...
    ValueError: model.extra_layers is 1, a setting that acmnet no longer has; the last \
commit that can read this is 8f2915a
    """
    kept: dict[str, Any] = {}
    for section, own in values.items():
        if not isinstance(own, Mapping):
            kept[section] = own
            continue
        kept[section] = {}
        for key, value in own.items():
            name = f"{section}.{key}"
            if name not in REMOVED:
                kept[section][key] = value
            elif REMOVED[name] not in (None, value):
                raise ValueError(
                    f"{name} is {value!r}, a setting that acmnet no longer has; the "
                    f"last commit that can read this is {LAST_COMMIT}"
                )
    return kept


def outdated(values: Values) -> str:
    """Return what must change in settings written for an earlier acmnet; else "".

    Examples
    --------
    >>> outdated({"model": {"extra_layers": 0}})
    'model.extra_layers was removed (the last commit that has it is 8f2915a)'
    >>> outdated({"model": {"kernel_snippets": 3}})
    ''
    """
    return "; ".join(
        f"{section}.{key} was removed (the last commit that has it is {LAST_COMMIT})"
        for section, own in values.items()
        if isinstance(own, Mapping)
        for key in own
        if f"{section}.{key}" in REMOVED
    )
