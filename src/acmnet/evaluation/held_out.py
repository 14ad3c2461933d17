"""Score only the videos that a run was not trained on."""

import dataclasses
from collections.abc import Callable, Collection

from acmnet.data.videos_trained_on import left_out_note, training_videos_in
from acmnet.evaluation.reports import DetectionReport


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
        videos.
    left_out
        What is to be added to the JSON; empty if no video was left out.
    """
    reports = evaluated(())
    first = next(iter(reports.values()))
    truth, rules = first.ranking.truth, first.protocol
    seen = {
        rules.video_id(video)
        for report in reports.values()
        for video in training_videos_in(report.external_data)
    }
    own = [video for video in truth.video_ids if rules.video_id(video) in seen]
    with_instances = {
        truth.video_ids[group // len(truth.class_names)]
        for group in truth.instances.group.tolist()
    }
    if not own or with_instances <= set(own):
        return reports, {}
    others = {
        name: dataclasses.replace(
            report, notes=(*report.notes, left_out_note(own, reports[name].average))
        )
        for name, report in evaluated(own).items()
    }
    averages = {name: report.average for name, report in reports.items()}
    return others, {"trained_on": {"left_out": own, "average_with_them": averages}}
