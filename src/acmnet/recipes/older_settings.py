"""Settings that an earlier acmnet named otherwise, or that were removed since.

A run keeps its settings in ``config.json``. The settings of a run that an earlier
version trained are translated, so that it can still be loaded, unless it used what was
removed. A recipe file is edited by its user, who is told what to write instead.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple


class Removed(NamedTuple):
    """A setting that acmnet no longer has."""

    off: object
    """The value that switched it off; None where a trained run is used alike, whatever
    the value is."""
    last_commit: str
    """The last commit of acmnet that has the setting."""


REMOVED: Final[Mapping[str, Removed]] = {
    "model.extra_layers": Removed(0, "8f2915a"),
    "model.gated_streams": Removed(False, "8f2915a"),
    "model.first_stream": Removed(None, "8f2915a"),
    "loss.evidential_weight": Removed(0, "8f2915a"),
    "loss.coactivity_weight": Removed(None, "34050d7"),
}
"""The settings that were removed, by dotted name."""
RENAMED: Final[Mapping[str, str]] = {
    "student.teachers": "teachers.count",
    "student.teachers_weight": "teachers.proposal_weight",
    "student.agreement": "pseudo_labels.relative_score",
    "student.overlap": "pseudo_labels.nms_tiou",
    "student.centre": "pseudo_labels.central_share",
    "student.epochs": "student_training.epochs",
    "student.batch_size": "student_training.batch_size",
    "student.learning_rate": "student_training.learning_rate",
    "student.averaging": "student_training.averaging",
    "student.snippets": "student_training.snippets",
    "localization.class_threshold_of": "localization.class_threshold_scale",
    "localization.threshold_of": "localization.threshold_scale",
}
"""The settings that have another name now, by the dotted name that they had."""
RENAMED_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "localization.class_threshold_of": {"one": "absolute", "best": "relative_to_best"},
    "localization.threshold_of": {"one": "absolute", "peak": "relative_to_peak"},
    "localization.contrast_flanks": {"authors": "right_rounded_down"},
}
"""The values that have another name now, by the dotted name that their setting had."""

Values = Mapping[str, Any]
"""Settings as plain values by section, as TOML and JSON hold them."""


def modernised(values: Values) -> dict[str, Any]:
    """Return the settings that a run stored, under the names that they have now.

    Raises
    ------
    ValueError
        If the run used a setting that was removed; the sentence names the setting and
        the last commit that has it.

    Examples
    --------
    >>> modernised({"student": {"width": 256, "overlap": 0.3}, "loss": {}})
    {'student': {'width': 256}, 'loss': {}, 'pseudo_labels': {'nms_tiou': 0.3}}
    >>> modernised({"model": {"extra_layers": 0}})
    {'model': {}}
    >>> modernised({"model": {"extra_layers": 1}})
    Traceback (most recent call last):
    ...
    ValueError: model.extra_layers is 1, a setting that acmnet no longer has; the last \
commit that can read this is 8f2915a
    """
    modern: dict[str, Any] = {
        section: {} if isinstance(settings, Mapping) else settings
        for section, settings in values.items()
    }
    for name, value in _named(values):
        if name in REMOVED:
            off, last_commit = REMOVED[name]
            if off not in (None, value):
                raise ValueError(
                    f"{name} is {value!r}, a setting that acmnet no longer has; the "
                    f"last commit that can read this is {last_commit}"
                )
            continue
        section, _, key = RENAMED.get(name, name).partition(".")
        modern.setdefault(section, {})[key] = _modern_value(name, value)
    return modern


def outdated(values: Values) -> str:
    """Return what must change in settings written for an earlier acmnet; else "".

    Examples
    --------
    >>> outdated({"student": {"width": 256, "overlap": 0.3}})
    'student.overlap is now pseudo_labels.nms_tiou'
    >>> outdated({"localization": {"threshold_of": "one"}})
    'localization.threshold_of "one" is now localization.threshold_scale "absolute"'
    >>> outdated({"model": {"extra_layers": 0}})
    'model.extra_layers was removed (the last commit that has it is 8f2915a)'
    >>> outdated({"model": {"kernel_snippets": 3}})
    ''
    """
    changes = []
    for name, value in _named(values):
        if name in REMOVED:
            changes.append(
                f"{name} was removed (the last commit that has it is "
                f"{REMOVED[name].last_commit})"
            )
            continue
        new_name, new_value = RENAMED.get(name, name), _modern_value(name, value)
        if new_name != name or new_value is not value:
            quoted = (
                (f' "{value}"', f' "{new_value}"')
                if new_value is not value
                else ("", "")
            )
            changes.append(f"{name}{quoted[0]} is now {new_name}{quoted[1]}")
    return "; ".join(changes)


def _modern_value(name: str, value: Any) -> Any:
    """Return a setting's value as it is written now; ``name`` is the name it had."""
    values = RENAMED_VALUES.get(name, {})
    return values.get(value, value) if isinstance(value, str) else value


def _named(values: Values) -> Iterator[tuple[str, Any]]:
    """Yield each setting's dotted name and value."""
    for section, settings in values.items():
        if isinstance(settings, Mapping):
            yield from ((f"{section}.{key}", value) for key, value in settings.items())
