"""The report.md of a run: what `fit` did and found, in words and tables."""

from shlex import quote

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.labelled_features import Data
from acmnet.data.labels.marks import given_in_words, given_marks
from acmnet.evaluation.reports import DetectionReport
from acmnet.files.file_access import written_whole
from acmnet.fitting.fit_request import REPORT, FitRequest, FitResult
from acmnet.messages import counted
from acmnet.runs.student_training import sentences_of_training
from acmnet.segments import Detections
from acmnet.validation.expected_quality import Expectation


def write_report(request: FitRequest, result: FitResult, training: Data) -> None:
    """Write what was done and found as Markdown, whole or not at all.

    Parameters
    ----------
    request : FitRequest
        What was requested.
    result : FitResult
        What came of it.
    training : Data
        The videos and labels that were trained on.
    """
    lines = [f"# {request.out.name}", "", *_training(request, training)]
    if result.report is not None:
        lines += _scores(result.report, result.scored)
    elif result.is_taught:
        lines += [f"Nothing is scored: {result.scored}.", ""]
    if result.expectation is not None:
        lines += [
            x for sentence in result.expectation.sentences() for x in (sentence, "")
        ]
        if result.report is None:
            lines += _to_review(result.expectation, request)
    for video, reason in result.left_out.items():
        lines.append(f"- Left out: {video}: {reason}")
    limit = Shown(min_score=result.shown_from)
    if result.shown_from is not None:
        lines += ["", f"Detections are counted from a score of {limit.min_score:.3g}."]
    lines += ["", "| video | labels | detections | best |", "|---|---|--:|---|"]
    for video, found in result.results.items():
        names = ", ".join(training.labels.get(video, ()))
        lines.append(
            f"| {_cell(video)} | {_cell(names)} | {len(limit.of(found))} | "
            f"{_cell(_best(found))} |"
        )
    with written_whole(request.out / REPORT) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _training(request: FitRequest, training: Data) -> list[str]:
    """Return what the run learned from, and how to use it, as lines of Markdown."""
    labelled = sum(map(bool, training.labels.values()))
    videos = counted(len(training.labels), "video")
    classes = counted(len(training.annotations.class_names), "class")
    supervision = request.given(training.annotations)
    times = ""
    if given_marks(training.annotations, supervision):
        times = f" It was given {given_in_words(training.annotations, supervision)}."
    config = load_config(request.out)
    teachers = config.settings.get("teachers", {}).get("count", 0)
    remarks = []
    for sentence in sentences_of_training(config.training, teachers):
        remarks += [f"{sentence[0].upper()}{sentence[1:]}.", ""]
    run = quote(str(request.out))
    return [
        f"Trained on {videos} ({labelled} with a label) from "
        f"`{request.labels}`, {classes}, recipe "
        f"`{request.recipe}` ({request.profile}), seed {request.seed}, features "
        f"`{request.extraction.extractor}`.{times}",
        "",
        *remarks,
        f"Localise other videos: `acmnet localize VIDEO --run {run} "
        "--out detections.json`",
        "",
    ]


def _scores(report: DetectionReport, scored: str) -> list[str]:
    """Return the scores against true segments as lines of Markdown."""
    percent = " | ".join(f"{100 * x:.1f}" for x in report.map)
    return [
        f"mAP of {scored}, in %; 100 would be to find every action and "
        "nothing else. A segment counts as found where it shares at least so much "
        "of its time with the true one (tIoU, the time in both over the time in "
        "either):",
        "",
        "| tIoU | " + " | ".join(f"{x:g}" for x in report.tiou) + " |",
        "|---|" + "--:|" * len(report.tiou),
        f"| mAP | {percent} |",
        "",
    ]


def _best(found: Detections) -> str:
    """Return the detection with the highest score in words; nothing if none is."""
    best = max(found, key=lambda d: d.score, default=None)
    if best is None:
        return ""
    return f"{best.label} {best.start_s:.1f} to {best.end_s:.1f} s, {best.score:.2f}"


def _to_review(expectation: Expectation, request: FitRequest) -> list[str]:
    """Return the detections that a person should review, as lines of Markdown."""
    lines = []
    if expectation.to_review:
        n = counted(len(expectation.to_review), "detection")
        lines += [
            f"Review these {n} with `acmnet view {quote(str(request.out))}"
            f"{request.videos_option}`, which tells the precision:",
            "",
            "| video | label | start s | end s | score |",
            "|---|---|--:|--:|--:|",
        ]
        lines += [
            f"| {_cell(one.video)} | {_cell(one.label)} | {one.start_s:.1f} | "
            f"{one.end_s:.1f} | {one.score:.2f} |"
            for one in expectation.to_review
        ]
        lines.append("")
    return lines


def _cell(text: str) -> str:
    """Return text that cannot break out of a cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())
