"""Score only the videos that a run was not trained on."""

import dataclasses
from collections.abc import Callable, Collection, Mapping

from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.truth import videos_with_instances
from acmnet.evaluation.videos_trained_on import (
    TAUGHT_KEY,
    TRAINED_ON_KEY,
    left_out_note,
    taught_note,
    training_videos_in,
)


def held_out(
    evaluated: Callable[[Collection[str]], dict[str, DetectionReport]],
) -> tuple[dict[str, DetectionReport], dict[str, object]]:
    """Return reports on the videos that no system was trained on, if any are scored.

    Parameters
    ----------
    evaluated : callable
        Takes the videos to leave out, and returns the reports of all systems.

    Returns
    -------
    reports
        The reports on the videos that no system was trained on, with a note on the
        videos that were left out. If none of those has an instance, the reports on all
        videos but those whose times a training was given.
    left_out
        What is to be added to the JSON; empty if no video was left out.
    """
    reports = evaluated(())
    taught = sorted({video for report in reports.values() for video in report.taught})
    notes = (taught_note(taught),) if taught else ()
    if taught and len(reports) > 1:  # all systems are scored on the same videos
        reports = _noted(evaluated(taught), notes)
    first = next(iter(reports.values()))
    truth, rules = first.ranking.truth, first.protocol
    seen = {
        rules.video_id(video)
        for report in reports.values()
        for video in training_videos_in(report.external_data)
    }
    own = [x for x in truth.video_ids if seen and rules.video_id(x) in seen]
    extra: dict[str, object] = {TAUGHT_KEY: {"left_out": taught}} if taught else {}
    if not own or videos_with_instances(truth) <= set(own):
        return reports, extra
    averages = {name: report.average for name, report in reports.items()}
    extra[TRAINED_ON_KEY] = {"left_out": own, "average_with_them": averages}
    others = _noted(evaluated([*own, *taught]), notes)
    return {
        name: dataclasses.replace(
            report, notes=(*report.notes, left_out_note(own, averages[name]))
        )
        for name, report in others.items()
    }, extra


def _noted(
    reports: Mapping[str, DetectionReport], notes: tuple[str, ...]
) -> dict[str, DetectionReport]:
    """Return reports with notes on what was left out of them."""
    return {
        name: dataclasses.replace(report, notes=(*report.notes, *notes))
        for name, report in reports.items()
    }
