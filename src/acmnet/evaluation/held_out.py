"""Score only the videos that a run was not trained on."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.scoring.truth import videos_with_instances
from acmnet.evaluation.videos_trained_on import (
    TAUGHT_KEY,
    TRAINED_ON_KEY,
    left_out_note,
    taught_note,
    trained_on_refusal,
    training_videos_in,
)

TrainedOn = Literal["score", "score if alone", "refuse if alone"]
"""What is done with videos whose names a system was trained on. ``score`` scores them
like others. The other two leave them out where other videos have instances; where
none has, they are scored, or refused."""


def held_out(
    evaluated: Callable[[Collection[str]], dict[str, DetectionReport]],
    trained_on: TrainedOn = "score if alone",
) -> tuple[dict[str, DetectionReport], dict[str, object]]:
    """Return reports on the videos that no system was trained on, if any are scored.

    Parameters
    ----------
    evaluated : callable
        Takes the videos to leave out, and returns the reports of all systems.
    trained_on : TrainedOn
        What is done with videos whose names a system was trained on. Those whose
        times a training was given are never scored.

    Returns
    -------
    reports
        The reports on the videos that are scored, with notes on those that are not.
    left_out
        What is to be added to the JSON; empty if no video was left out.

    Raises
    ------
    ValueError
        If no video is left to be scored; the message names those that were trained on.
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
    trained_videos = [x for x in truth.video_ids if seen and rules.video_id(x) in seen]
    extra: dict[str, object] = {TAUGHT_KEY: {"left_out": taught}} if taught else {}
    known = videos_with_instances(truth)
    if not trained_videos or trained_on == "score":
        return reports, extra
    if known <= set(trained_videos):
        if known and trained_on == "refuse if alone":
            raise ValueError(trained_on_refusal(truth.where, known))
        return reports, extra
    averages = {name: report.average for name, report in reports.items()}
    extra[TRAINED_ON_KEY] = {"left_out": trained_videos, "average_with_them": averages}
    others = _noted(evaluated([*trained_videos, *taught]), notes)
    return {
        name: dataclasses.replace(
            report, notes=(*report.notes, left_out_note(trained_videos, averages[name]))
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
