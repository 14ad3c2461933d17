"""Verbs that score: evaluate, protocols."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.options import JsonPath
from acmnet.console import Waiting, comparison_lines, map_table, plain_table
from acmnet.detections import read_detections
from acmnet.evaluation.bootstrap import DRAWS, compare
from acmnet.evaluation.protocols import protocols
from acmnet.evaluation.published import standing
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.evaluation.tables import comparison_table, report_table
from acmnet.evaluation.tiou import parse_tiou
from acmnet.files import write_json, written_whole
from acmnet.wording import counted

RECALLED = (1, 5, 10, 50, 100)
"""Proposals a video that average recall is reported at."""


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
    draws: int = DRAWS,
    seed: int = 0,
    json_path: JsonPath = None,
    csv_path: Annotated[Path | None, Parameter(name="--csv")] = None,
    markdown_path: Annotated[Path | None, Parameter(name="--markdown")] = None,
    latex_path: Annotated[Path | None, Parameter(name="--latex")] = None,
) -> None:
    """Score detections: mAP for each tIoU, AP for each class, and what lies behind.

    Several detection files are compared with the first, with 95 % intervals from
    drawing the videos again and again.

    Parameters
    ----------
    ground_truth
        Annotations with true segments.
    detections
        ActivityNet results JSON, of any system; once for each system.
    protocol
        A name from `acmnet protocols`; custom takes the ground truth as it is.
    subset
        Only this subset of the ground truth, where the protocol names none.
    tiou
        Thresholds: first:last:step, or a list such as 0.3,0.5; else the protocol's.
    ambiguous
        Intervals that thumos14-2014 does not count (Ambiguous_test.txt).
    score_threshold
        Also give precision, recall and F1 of detections from this score.
    published
        Show the published systems of the benchmark beside, each with its protocol; the
        files then hold that table.
    draws
        How often the videos are drawn to compare systems.
    seed
        Of the draws.
    json_path
        Also write the scores here, as fractions of 1.
    csv_path
        Also write the table here as CSV.
    markdown_path
        Likewise as Markdown.
    latex_path
        Likewise as LaTeX.
    """
    thresholds = None if tiou is None else parse_tiou(tiou)
    reports = {
        name: evaluate(
            ground_truth,
            read_detections(path),
            subset=subset,
            tiou=thresholds,
            protocol=protocol,
            ambiguous=ambiguous,
        )
        for name, path in _named(detections).items()
    }
    first = next(iter(reports.values()))
    if len(reports) > 1:
        with Waiting(errors, "drawing videos", "", silent=quiet()):
            comparison = compare(reports, draws=draws, seed=seed)
        table, values = comparison_table(comparison), comparison.to_json()
        rows = {name: report.map.tolist() for name, report in reports.items()}
        title = f"mAP by {first.protocol.name}, against {ground_truth}"
        console.print(map_table(title, first.tiou.tolist(), rows))
        for line in comparison_lines(comparison):
            console.print(line, markup=False)
    else:
        table, values = report_table(first), first.to_json()
        rows = dict(zip(first.class_names, first.ap.T.tolist(), strict=True))
        rows |= {"mAP": first.map.tolist()}
        title = f"{detections[0]} against {ground_truth}, {first.protocol.name}"
        console.print(map_table(title, first.tiou.tolist(), rows))
        _tell(first, score_threshold)
    if published:
        table = standing(reports)
        console.print(plain_table("beside what is published", table))
    for name, report in reports.items():
        _remark(f"{name}: " if len(reports) > 1 else "", report)
    chosen = first.external_data.get("checkpoint_chosen_on")
    if json_path is not None:
        extra = {"checkpoint_chosen_on": chosen} if chosen else {}
        write_json(json_path, values | extra)
    for path, text in (
        (csv_path, table.to_csv),
        (markdown_path, table.to_markdown),
        (latex_path, table.to_latex),
    ):
        if path is not None:
            with written_whole(path) as part:
                part.write_text(text(), encoding="utf-8")


@app.command(name="protocols")
def protocols_command() -> None:
    """Print the rules of every evaluation protocol, a paragraph each."""
    for known in protocols():
        console.print(f"{known.name}\n  {known.rules}\n", markup=False)


def _named(paths: list[Path]) -> dict[str, Path]:
    """Return each file by a short name of its own."""
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise UsageError("the same detections are given twice; name each file once")
    return dict(zip(names, paths, strict=True))


def _tell(report: DetectionReport, score_threshold: float | None) -> None:
    """Print what one system's mAP does not say."""
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
    for point in report.best_f1():
        if point.tiou == 0.5:
            console.print(
                f"best F1 at tIoU 0.5: {100 * point.f1:.1f} % from score "
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


def _remark(prefix: str, report: DetectionReport) -> None:
    """Tell what was dropped and why, and what else a reader must know."""
    for reason, count in report.dropped.items():
        note(f"{prefix}dropped {counted(count, 'detection')}: {reason}")
    for sentence in report.notes:
        note(prefix + sentence)
    absent = report.unpredicted
    if absent:
        some = ", ".join(absent[:5]) + ", ..." * (len(absent) > 5)
        note(
            f"{prefix}{len(absent)} of {report.videos} videos have no prediction: "
            f"{some}"
        )
    chosen = report.external_data.get("checkpoint_chosen_on")
    if chosen:
        note(f"{prefix}these detections' checkpoint was chosen on the {chosen}")
