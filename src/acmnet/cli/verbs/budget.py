"""The verb budget: how often, how long and how soon each behaviour is seen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from acmnet.cli.options.shared_options import LabelFps, OutputFolder
from acmnet.cli.terminal.app import app, console, note
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.format_conversion import holds_detections
from acmnet.data.formats.writing import detections_of
from acmnet.data.label_files import read_annotations
from acmnet.data.tables.csv_tables import Cell, table_csv
from acmnet.evaluation.time_budget import (
    BOUT_COLUMNS,
    BUDGET_COLUMNS,
    Observed,
    budget_rows,
    observed,
    transitions,
)
from acmnet.files.file_access import refuse_unwritable, write_text
from acmnet.messages import counted, some
from acmnet.segments import Segment
from acmnet.show.figures.ethogram_figure import write_ethogram


@app.command(name="budget")
def budget_command(
    source: Path,
    /,
    *,
    durations: Path | None = None,
    min_score: float | None = None,
    out: OutputFolder | None = None,
    decimal_comma: Annotated[bool, Parameter(negative=())] = False,
    label_fps: LabelFps = None,
) -> None:
    """Report bouts, their durations, latency and rate of each behaviour by video.

    A bout is an uninterrupted time of one behaviour. Latency is the time until its
    first bout. Without --out, the table is printed.

    For example: acmnet budget found.json --out budget/

    Parameters
    ----------
    source
        Detections of localize, or a label file with times, in any format.
    durations
        Label file with the durations of the videos, which rates and shares of time
        need. JSON that localize or fit wrote states them already.
    min_score
        Leave out detections with a lower score. When left out, the limit that localize
        uses for tables.
    out
        Folder for budget.csv, transitions.csv, bouts.csv, and the ethogram as PNG, SVG
        and PDF.
    decimal_comma
        Write tables with decimal commas and semicolons, for spreadsheets in languages
        that have decimal commas.
    """
    if out is not None:
        refuse_unwritable(out / "budget.csv")
    known = _durations(durations, label_fps)
    if holds_detections(source):
        videos = _of_detections(read_detections(source), known, min_score)
    else:
        videos = _of_labels(source, known, label_fps)
    names = sorted({x.label for video in videos.values() for x in video.bouts})
    if not names:
        raise ValueError(f"{source} has no action with a time, so there is no budget")
    unknown = [name for name, video in videos.items() if video.duration_s is None]
    if unknown:
        note(_on_unknown(unknown, durations))
    rows = budget_rows(videos, names)
    if out is None:
        console.print(_shown(f"time budget of {source}", rows))
        return
    bouts = _bout_rows(videos)
    followed = transitions(videos.values(), names).tolist()  # by which class how often
    tables = {
        "budget": (BUDGET_COLUMNS, rows),
        "transitions": (
            ("followed by", *names),
            [(name, *row) for name, row in zip(names, followed, strict=True)],
        ),
        "bouts": (BOUT_COLUMNS, bouts),
    }
    for name, (columns, table) in tables.items():
        text = table_csv(columns, table, decimal_comma=decimal_comma)
        write_text(out / f"{name}.csv", text, newline="")
    drawn = write_ethogram(videos, names, out / "ethogram")
    console.print(
        f"{counted(len(bouts), 'bout')} of {counted(len(names), 'class')} in "
        f"{counted(len(videos), 'video')}: {out}, "
        f"{counted(len(tables) + len(drawn), 'file')}",
        markup=False,
    )


def _on_unknown(videos: Sequence[str], durations: Path | None) -> str:
    """Return what is blank for these videos, and how their durations can be given."""
    sentence = f"the durations of {counted(len(videos), 'video')} are not known"
    remedy = "--durations FILE names a label file that states them"
    if durations is not None:
        sentence = f"{durations} states no duration of {some(videos)}"
        remedy = (
            "give it there in seconds, in the column duration of a CSV or the field "
            "duration of JSON"
        )
    return f"{sentence}, so their rates and shares of time are blank: {remedy}"


def _bout_rows(videos: Mapping[str, Observed]) -> list[tuple[Cell, ...]]:
    """Return the video, the class and the times of each bout."""
    return [
        (name, x.label, x.start_s, x.end_s, x.end_s - x.start_s)
        for name, video in videos.items()
        for x in video.bouts
    ]


def _durations(path: Path | None, label_fps: float | None) -> dict[str, float]:
    """Return the durations that a label file states, by video."""
    if path is None:
        return {}
    videos = read_annotations(path, label_fps).videos.values()
    return {x.id: x.duration_s for x in videos if x.duration_s is not None}


def _of_labels(
    source: Path, known: Mapping[str, float], label_fps: float | None
) -> dict[str, Observed]:
    """Return what is seen in the videos of a label file."""
    annotations = read_annotations(source, label_fps)
    for sentence in annotations.notes:
        note(sentence)
    points = sum(len(x.points) for x in annotations.videos.values())
    if points:
        note(f"{counted(points, 'point')} without a duration not counted")
    return {
        video.id: observed(
            [(x.label, x.segment) for x in video.instances],
            known.get(video.id, video.duration_s),
        )
        for video in annotations.videos.values()
    }


def _of_detections(
    file: DetectionFile, known: Mapping[str, float], min_score: float | None
) -> dict[str, Observed]:
    """Return what was found in the videos of a detection file."""
    limit = file.shown_from if min_score is None else min_score
    if limit is not None:
        note(f"detections with scores below {limit:.3g} are left out")
    results, _ = detections_of(file)
    stated = file.durations_s
    return {
        name: observed(
            [
                (x.label, Segment(x.start_s, x.end_s))
                for x in detections
                if limit is None or x.score >= limit
            ],
            known.get(name, stated.get(name)),
        )
        for name, detections in results.items()
    }


def _shown(title: str, rows: list[tuple[Cell, ...]]) -> Table:
    """Return the budget as a table for the terminal."""
    table = Table(title=escape(title), title_justify="left", box=None)
    for index, name in enumerate(BUDGET_COLUMNS):
        table.add_column(name, justify="left" if index < 2 else "right")
    for row in rows:
        cells = [f"{x:.3g}" if isinstance(x, float) else x for x in row]
        table.add_row(*("-" if x is None else escape(str(x)) for x in cells))
    return table
