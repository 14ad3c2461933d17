"""The verb evaluate: detections are scored against true segments."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.shared_options import JsonPath, LabelFps
from acmnet.cli.terminal.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.cli.terminal.terminal_tables import (
    comparison_lines,
    map_table,
    note_unpredicted,
    plain_table,
)
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.formats.exchange_format import Source
from acmnet.evaluation.comparison.bootstrap import DRAWS, Comparison, compare
from acmnet.evaluation.comparison.published import published_table, table_with_measured
from acmnet.evaluation.comparison.tables import (
    Table,
    comparison_table,
    report_table,
    stacked_csv,
    with_column,
)
from acmnet.evaluation.held_out import TrainedOn, held_out
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.evaluation.tiou import parse_tiou
from acmnet.files.file_access import refuse_unwritable, write_json, write_text
from acmnet.messages import counted

RECALLED = (1, 5, 10, 50, 100)
"""Numbers of detections per video that average recall is reported for."""
F1_TIOU = 0.5
"""The smallest overlap at which best F1 is reported."""


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """The files that scores are written to, besides the terminal."""

    json_path: JsonPath = None
    "Also write all scores to this JSON file, as fractions of 1."
    csv_path: Annotated[Path | None, Parameter(name="--csv")] = None
    "Also write the table to this CSV file."
    markdown_path: Annotated[Path | None, Parameter(name="--markdown")] = None
    "Also write the table to this Markdown file."
    latex_path: Annotated[Path | None, Parameter(name="--latex")] = None
    "Also write the table to this LaTeX file."


Written = Annotated[FileOptions, Parameter(name="*")]


@app.command(name="evaluate")
def evaluate_command(
    *,
    ground_truth: Path,
    detections: Annotated[list[Path], Parameter(negative=())],
    protocol: str = "custom",
    subset: str | None = None,
    tiou: str | None = None,
    ambiguous: Path | None = None,
    score_threshold: float | None = None,
    published: Annotated[bool, Parameter(negative=())] = False,
    score_trained_on: Annotated[bool, Parameter(negative=())] = False,
    draws: int = DRAWS,
    seed: int = 0,
    label_fps: LabelFps = None,
    written: Written = FileOptions(),
) -> None:
    """Score detections against true segments: mAP, and AP of each class.

    A detection is correct if it overlaps a true segment of its class enough. The
    overlap is their tIoU: the time that both cover, divided by the time that either
    covers. AP is the average precision of a class, mAP the mean of AP over the classes.

    Several detection files are each compared with the first: 95 % intervals of mAP and
    of its differences come from drawing the videos at random again and again.

    For example: acmnet evaluate --ground-truth labels.json --detections found.json
    --tiou 0.1:0.7:0.1

    Parameters
    ----------
    ground_truth
        Label file with true segments.
    detections
        ActivityNet results JSON of any system, or a CSV file that localize wrote. Give
        it several times to compare systems.
    protocol
        Name of the rules to score by, from `acmnet protocols`. "custom" takes the
        ground truth as it is.
    subset
        Use only this subset of the ground truth, if the protocol prescribes none.
    tiou
        Smallest overlaps (tIoU) at which a detection is correct: first:last:step, or a
        list such as 0.3,0.5. When left out, those of the protocol.
    ambiguous
        File with the intervals that the protocol thumos14-2014 does not count
        (Ambiguous_test.txt of THUMOS-14).
    score_threshold
        Also print precision, recall and F1 of the detections with this score or more.
    published
        Also show what published systems scored on the benchmark, each with its
        protocol. CSV, Markdown and LaTeX files get these rows, too.
    score_trained_on
        Also score videos that the run learned from by their names, which the file of
        detections lists: new videos will not reach such a score. Without it they are
        left out, or refused if no other video has a true segment.
    draws
        How many times the videos are drawn at random, with repeats, to compare systems.
    seed
        Number that the random draws start from: the same seed draws the same videos.
    """
    refuse_unwritable(*dataclasses.astuple(written))
    thresholds = None if tiou is None else parse_tiou(tiou)
    files = {name: read_detections(path) for name, path in _named(detections).items()}

    def evaluated(leave_out: Collection[str] = ()) -> dict[str, DetectionReport]:
        return {
            name: evaluate(
                Source(ground_truth, label_fps),
                file,
                subset=subset,
                tiou=thresholds,
                protocol=protocol,
                ambiguous=ambiguous,
                leave_out=leave_out,
            )
            for name, file in files.items()
        }

    trained_on: TrainedOn = "score" if score_trained_on else "refuse if alone"
    reports, left_out = held_out(evaluated, trained_on)
    files.clear()  # twenty million detections take a gigabyte
    first = next(iter(reports.values()))
    comparison = None
    if len(reports) > 1:
        with Waiting(errors, "drawing videos", "", silent=quiet()):
            comparison = compare(reports, draws=draws, seed=seed)
    beside = table_with_measured(reports) if published else None
    _write_files(written, reports, comparison, beside, left_out)
    if comparison is None:
        title = f"{detections[0]} against {ground_truth}{first.protocol.phrase}"
        _print_scores(first, title, score_threshold)
    else:
        _print_comparison(comparison, ground_truth)
    if beside is not None:
        console.print(plain_table("published systems for comparison", beside))
    for path in detections:
        if path.suffix.lower() == ".csv":
            _note_what_tables_lack(path)
    for name, report in reports.items():
        _note_what_counts(f"{name}: " if len(reports) > 1 else "", report)


def _note_what_tables_lack(path: Path) -> None:
    note(
        f"{path} may lack detections with low scores, and does not say which "
        "videos were trained on; JSON files keep both"
    )


def _write_files(
    written: FileOptions,
    reports: Mapping[str, DetectionReport],
    comparison: Comparison | None,
    beside: Table | None,
    left_out: Mapping[str, object],
) -> None:
    """Write the files that were asked for, before anything is printed.

    Parameters
    ----------
    written : FileOptions
        The files to write.
    reports : mapping of name to DetectionReport
        The scores of each system.
    comparison : Comparison or None
        How several systems differ; None for a single one.
    beside : Table or None
        What published systems scored; None if it was not asked for.
    left_out : mapping
        Values that `held_out` adds to the JSON.
    """
    first = next(iter(reports.values()))
    table = report_table(first) if comparison is None else comparison_table(comparison)
    tables = [table] if beside is None else [table, beside]
    if written.json_path is not None:
        values = first.to_json() if comparison is None else comparison.to_json()
        chosen = first.external_data.get("checkpoint_chosen_on")
        extra = {"checkpoint_chosen_on": chosen} if chosen else {}
        write_json(written.json_path, {**values, **extra, **left_out})
    if written.csv_path is not None:
        rows = [table]
        if beside is not None:
            others = published_table(first.protocol.name)
            if comparison is None:  # a table of classes, of one system
                table = with_column(table, "system", next(iter(reports)))
                others = with_column(others, "class", "mAP")
            rows = [table, others]
        write_text(written.csv_path, stacked_csv(rows))
    if written.markdown_path is not None:
        write_text(written.markdown_path, "\n".join(x.to_markdown() for x in tables))
    if written.latex_path is not None:
        write_text(written.latex_path, "\n".join(x.to_latex() for x in tables))


def _named(paths: list[Path]) -> dict[str, Path]:
    """Return the files by name: the stem where it is unique, else the whole path."""
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise UsageError("the same detections are given twice; name each file once")
    return dict(zip(names, paths, strict=True))


def _print_comparison(comparison: Comparison, ground_truth: Path) -> None:
    """Print the mAP of several systems and how they differ from the first."""
    first = next(iter(comparison.reports.values()))
    rows = {name: report.map.tolist() for name, report in comparison.reports.items()}
    title = f"mAP against {ground_truth}{first.protocol.phrase}"
    console.print(map_table(title, first.tiou.tolist(), rows))
    for line in comparison_lines(comparison):
        console.print(line, markup=False)


def _print_scores(
    report: DetectionReport, title: str, score_threshold: float | None
) -> None:
    """Print one system's AP by class, its mAP, recall, F1 and video classification."""
    rows = dict(zip(report.class_names, report.ap.T.tolist(), strict=True))
    rows |= {"mAP": report.map.tolist()}
    console.print(map_table(title, report.tiou.tolist(), rows))
    averages = ", ".join(
        f"{name} {100 * value:.2f}" for name, value in report.averages().items()
    )
    console.print(
        f"{counted(report.videos, 'video')}, "
        f"{counted(report.instances, 'instance')}, "
        f"{counted(report.detections, 'detection')}; "
        f"average mAP {100 * report.average:.2f} %"
        + (f" ({averages})" if averages else "")
    )
    recall = ", ".join(
        f"{100 * value:.1f} at {n}"
        for n, value in report.average_recall(RECALLED).items()
    )
    console.print(
        f"video classification mAP {100 * report.classification_map:.1f} %; average "
        f"recall in % by detections a video: {recall}"
    )
    for point in report.best_f1([F1_TIOU]):
        if point.score is not None:
            console.print(
                f"best F1 at tIoU {point.tiou:g}: {100 * point.f1:.1f} % from score "
                f"{point.score:.3g}"
            )
    if score_threshold is not None:
        for point in report.f1_at(score_threshold):
            console.print(
                f"tIoU {point.tiou:g}, score from {score_threshold:g}: precision "
                f"{100 * point.precision:.1f} %, recall {100 * point.recall:.1f} %, "
                f"F1 {100 * point.f1:.1f} %"
            )
    if report.ground_truth_sha256:
        console.print(f"ground truth SHA-256 {report.ground_truth_sha256}")


def _note_what_counts(prefix: str, report: DetectionReport) -> None:
    """Print what was dropped, what is missing, and what else makes scores differ."""
    if not report.detections:
        note(f"{prefix}there is no detection to score, so every score is 0 %")
    for reason, count in report.dropped.items():
        note(f"{prefix}dropped {counted(count, 'detection')}: {reason}")
    for sentence in report.notes:
        note(prefix + sentence)
    note_unpredicted(report, prefix)
    cut = report.external_data.get("left_out")
    if isinstance(cut, dict):
        limits = ", ".join(f"{k} {v}" for k, v in cut.items() if v is not None)
        note(
            f"{prefix}localize left out some of these detections ({limits}), which "
            "lowers mAP: run it without these options to score all detections"
        )
    chosen = report.external_data.get("checkpoint_chosen_on")
    if chosen:
        note(f"{prefix}the checkpoint of these detections was chosen on the {chosen}")
