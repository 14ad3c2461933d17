"""The verb suggest: which videos, and which spans in them, to look at next."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from rich.markup import escape
from rich.table import Table

from acmnet.active_learning.suggestions import (
    Suggestion,
    assess,
    shown_scores,
    suggestions_of,
)
from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.cli.options.dotted_settings import RUN_EPILOGUE
from acmnet.cli.options.run_data import RunData, RunDataOptions
from acmnet.cli.options.shared_options import Device
from acmnet.cli.terminal.app import UsageError, app, console, fail_for_left_out
from acmnet.cli.terminal.progress import counting
from acmnet.cli.verb_parts.trained_run import loaded, refuse_nothing_left
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import Data
from acmnet.data.labels.annotations import Video
from acmnet.data.labels.marks import VideoMarks, held_marks, marks_from_values
from acmnet.data.tables.csv_tables import table_csv
from acmnet.files.file_access import refuse_unwritable, write_json, write_text
from acmnet.messages import counted
from acmnet.runs.run_data import training_videos
from acmnet.show.bench.reviewed_precision import MARKS_FILE

COLUMNS = ("rank", "video", "label", "start", "end", "why")
"""The columns of the table that --out writes as CSV, a row a span."""


@app.command(name="suggest", help_epilogue=RUN_EPILOGUE)
def suggest_command(
    run: Path,
    *,
    run_data: RunData = RunDataOptions(),
    marks: Path | None = None,
    count: int = 10,
    out: Path | None = None,
    device: Device = "auto",
) -> None:
    """Say which videos, and which spans in them, are worth a look next.

    A look is worth much where the run's networks disagree or are unsure, in classes of
    which few examples are marked, and in videos that stand for many others. Videos that
    are marked already are left out, and so are those that the label file holds and the
    run was not trained on, since they are kept back to score the run. Mark what is
    suggested with `acmnet view RUN`, and learn from it with `acmnet train --from RUN`.

    For example: acmnet suggest runs/mine --count 20 --out look.csv

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or a round of the bench.
    marks
        Label file with what was marked since, all of whose times count as marked. When
        left out, what was marked in `acmnet view`: marks.json in the run. The times
        that the run learned from always count.
    count
        How many videos to suggest, at most.
    out
        Also write all suggestions to this file: .json, or .csv with a row a span.
    """
    if count < 1:
        raise UsageError(f"--count must be at least 1, got {count}")
    if out is not None and out.suffix.lower() not in (".json", ".csv"):
        raise UsageError(f"--out must be a .json or a .csv file, got {out}")
    refuse_unwritable(out)
    config = load_config(run)
    candidates = _candidates(run, run_data, config)
    names, times = _marked(run, marks, config, run_data.label_fps)
    model = loaded(run, device, run_data.settings)
    failures: list[FeatureError] = []
    with counting("looking", candidates) as one_more:
        assessed = assess(
            model,
            candidates,
            names,
            times,
            shown_scores(run, model.settings),
            on_video=one_more,
            on_failure=failures.append,
        )
    refuse_nothing_left(assessed.pooled, failures)
    suggestions = suggestions_of(assessed, count)
    _print(run, suggestions, len(assessed.pooled))
    if out is not None:
        _write(out, run, suggestions)
        console.print(f"{counted(len(suggestions), 'suggestion')}: {out}", markup=False)
    fail_for_left_out([str(x) for x in failures], len(assessed.pooled))


class _Marked(NamedTuple):
    """What is known of the videos so far."""

    names: Mapping[str, Sequence[str]]
    """The actions in each video whose actions are all named."""
    times: Mapping[str, VideoMarks]
    """What was marked in each video that has marks."""


def _candidates(run: Path, run_data: RunDataOptions, config: CheckpointConfig) -> Data:
    """Return the videos that may be suggested, with their features.

    These are the videos that were asked for by a label file or a subset. When nothing
    was asked for, they are those that the run was trained on, and those with features
    that the label file does not know.
    """
    data = run_data.opened(run)
    if run_data.annotations is not None or run_data.subset is not None:
        return data
    known = training_videos(config)
    if known is not None:
        data = data.only(set(known))
    listed = data.whole.videos
    new = {
        video: Video(id=video, labels=())
        for video in data.store.video_ids
        if video not in listed
    }
    videos = {**data.annotations.videos, **new}
    annotations = dataclasses.replace(data.annotations, videos=videos)
    return dataclasses.replace(data, annotations=annotations)


def _marked(
    run: Path, marks: Path | None, config: CheckpointConfig, label_fps: float | None
) -> _Marked:
    """Return what the run learned from, and what was marked since."""
    names = dict(config.trained_on or {})
    times = marks_from_values(config.taught_times)
    if marks is None and (run / MARKS_FILE).exists():
        marks = run / MARKS_FILE
    if marks is not None:
        since = read_annotations(marks, label_fps)
        names |= {video.id: video.labels for video in since.videos.values()}
        times |= held_marks(since)
    return _Marked(names, times)


def _write(out: Path, run: Path, ranked: Sequence[Suggestion]) -> None:
    """Write suggestions as JSON or CSV, by the suffix of the file."""
    if out.suffix.lower() == ".json":
        suggestions = [suggestion.to_json(i) for i, suggestion in enumerate(ranked, 1)]
        write_json(out, {"run": str(run.resolve()), "suggestions": suggestions})
        return
    rows = [
        (
            i,
            suggestion.video,
            x.span.label,
            x.span.segment.start_s,
            x.span.segment.end_s,
            x.why,
        )
        for i, suggestion in enumerate(ranked, 1)
        for x in suggestion.spans
    ]
    write_text(out, table_csv(COLUMNS, rows), newline="")


def _print(run: Path, suggestions: Sequence[Suggestion], n_videos: int) -> None:
    """Print the suggestions as a table."""
    if not suggestions:
        console.print(
            f"nothing in {counted(n_videos, 'video')} is worth a look: all of it is "
            "marked, or no action is found there",
            markup=False,
        )
        return
    table = Table(
        title=f"worth a look, of {counted(n_videos, 'video')}",
        title_justify="left",
        box=None,
    )
    for name in ("", "video", "why"):
        table.add_column(name, justify="left" if name else "right", overflow="fold")
    for i, suggestion in enumerate(suggestions, 1):
        table.add_row(str(i), escape(suggestion.video), escape(suggestion.why))
    console.print(table)
    console.print(
        f"mark them with acmnet view {quote(str(run))}; add --videos and the folder of "
        "the video files to play them there",
        markup=False,
    )
