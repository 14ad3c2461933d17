"""Your own videos, from files to a trained model, and from files to detections."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from acmnet.data.annotations import Annotations, read_annotations
from acmnet.data.checks.label_checks import suspicions
from acmnet.data.checks.refusals import DataError
from acmnet.data.detections import write_detections
from acmnet.data.failed_videos import Failure
from acmnet.data.feature_store import open_store
from acmnet.data.labelled_features import Data, DataSource, unlabelled
from acmnet.data.shown_detections import Shown
from acmnet.data.videos_trained_on import KEY
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.extraction.extraction_request import (
    ExtractionProgress,
    ExtractionRequest,
    ExtractionSummary,
)
from acmnet.extraction.extraction_run import extract_videos
from acmnet.extraction.extractors import ExtractionSettings, ExtractorError, settings_of
from acmnet.extraction.video_search import find_videos
from acmnet.files import write_json, written_whole
from acmnet.messages import counted
from acmnet.pipeline.cross_validation import TIOU
from acmnet.pipeline.expectation import Expectation, expect, read_expectation
from acmnet.pipeline.kept_detections import FoundFile, keep
from acmnet.pipeline.listed_videos import (
    ListedVideos,
    listed_files,
    refuse_what_is_lost,
)
from acmnet.pipeline.nothing_found import why_nothing
from acmnet.pipeline.run_directory import tidy
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.stored_model import load
from acmnet.pipeline.trained_model import localize_videos
from acmnet.pipeline.training_run import train_run
from acmnet.pipeline.training_summary import shown_score
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.training.checkpoint import load_config
from acmnet.training.loop import StepRecord

FEATURES: Final = "features"
DETECTIONS: Final = "detections.json"
SCORES: Final = "scores.json"
REPORT: Final = "report.md"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitRequest:
    """Everything that `fit` needs to know."""

    videos: Path
    """A folder of videos, or one file."""
    labels: Path
    """A label file, JSON or CSV, as `acmnet.data.annotations` reads it."""
    out: Path
    """Gets the run, and in it ``features/``, ``detections.json``, ``report.md``."""
    extraction: ExtractionSettings
    """How features are extracted."""
    recipe: str
    """Name of the recipe, which the run keeps beside its settings."""
    profile: str
    """Name of the recipe's profile, which the run keeps beside its settings."""
    settings: Settings
    """Values of that recipe in that profile, with what the caller changed."""
    subset: str | None = None
    """Train on this subset of the labels; on every listed video when left out."""
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    overwrite: bool = False
    """Train anew where the run is there already; features are kept."""
    retry_failed: bool = False
    """Extract again what could not be read before."""


class FitResult(NamedTuple):
    """What `fit` came to."""

    run: Path
    left_out: Mapping[str, str]
    """Why each video that could not be used was left out; the others went on."""
    results: Mapping[str, Detections]
    """Of every video with features."""
    report: DetectionReport | None
    """Where true segments are known."""
    scored: str
    """Which videos the report is about, in words."""
    expectation: Expectation | None = None
    """What can be told where no true segments are known."""
    shown_from: float | None = None
    """The score from which detections are shown."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hooks:
    """Whom to tell what happens; nobody when left out."""

    on_note: Callable[[str], None] = lambda _: None
    on_video: Callable[..., None] = lambda *_: None
    """As `extract_videos` calls it."""
    on_step: Callable[[StepRecord], None] = lambda _: None
    on_working: Callable[[ExtractionProgress], None] = lambda _: None
    """As `extract_videos` calls it."""


def fit(request: FitRequest, hooks: Hooks = Hooks()) -> FitResult:
    """Probe, extract, check, train, localise, and score where segments are known.

    Each step that is finished is kept: the same call again goes on where it stopped. A
    listed video that has no file, or one that cannot be read, does not stop the others.

    Raises
    ------
    AnnotationError, DataError, ExtractionError, ExtractorError, RunError, ...
        With one sentence: also if no video is left, or none of a class.
    """
    tidy(request.out)
    annotations = read_annotations(request.labels)
    chosen = annotations.subset(request.subset)
    for sentence in (*annotations.notes, *suspicions(chosen)):
        hooks.on_note(sentence)
    listed = ListedVideos(request.labels, annotations, request.videos, request.subset)
    files, left_out = listed_files(listed, hooks.on_note)
    features = request.out / FEATURES
    extraction = ExtractionRequest(
        files,
        features,
        request.extraction,
        request.workers,
        device=request.device,
        retry_failed=request.retry_failed,
    )
    summary = _extract(extraction, hooks)
    left_out |= {failure.video: failure.reason for failure in summary.failures}
    refuse_what_is_lost(listed, left_out)
    everything = _with_features(request, annotations, features, left_out)
    training = everything
    if request.subset is not None:
        chosen = everything.annotations.subset(request.subset)
        source = dataclasses.replace(everything.source, subset=request.subset)
        training = dataclasses.replace(everything, annotations=chosen, source=source)
    run = RunRequest(
        out=request.out,
        data=training,
        recipe=request.recipe,
        profile=request.profile,
        settings=request.settings,
        seed=request.seed,
        device=request.device,
        resume=not request.overwrite,
        overwrite=request.overwrite,
    )
    train_run(run, on_step=hooks.on_step, on_note=hooks.on_note)
    model = load(
        request.out, settings=lambda _: request.settings, device=request.device
    )
    results = localize_videos(model, everything)
    names = model.class_names
    kept = FoundFile(request.out, request.settings, names, everything)
    keep(kept, results, hooks.on_note)
    reason = why_nothing(model, everything, results)
    if reason is not None:
        hooks.on_note(reason)
    shown_from = shown_score(request.out, model.settings)
    _write_detections(request, results, training, shown_from)
    report, scored = _score(everything.annotations, training.annotations, results)
    if report is not None:
        write_json(request.out / SCORES, report.to_json() | {"scored": scored})
    expectation = None
    if report is None:
        if read_expectation(request.out) is None:
            hooks.on_note(
                "no true segments are known, so names are checked on held-out videos: "
                "this takes about half as long again as training, and as long again "
                "where the run has a single network"
            )
        expectation = expect(run, model, results)
    result = FitResult(
        *(request.out, left_out, results, report, scored, expectation),
        shown_from,
    )
    _write_report(request, result, training)
    return result


def _extract(request: ExtractionRequest, hooks: Hooks) -> ExtractionSummary:
    return extract_videos(
        request,
        on_video=hooks.on_video,
        on_note=hooks.on_note,
        on_working=hooks.on_working,
    )


def _with_features(
    request: FitRequest,
    annotations: Annotations,
    features: Path,
    left_out: Mapping[str, str],
) -> Data:
    """Open what was extracted, without the videos that are left out."""
    kept = {k: v for k, v in annotations.videos.items() if k not in left_out}
    used = dataclasses.replace(annotations, videos=kept)
    source = DataSource(request.labels, features)
    return Data(source, used, open_store(features), annotations, tuple(left_out))


def _write_detections(
    request: FitRequest,
    results: Mapping[str, Detections],
    training: Data,
    shown_from: float | None,
) -> None:
    """Write all detections, with what is known of them."""
    used: dict[str, object] = {
        "used": True,
        "details": f"features of {request.extraction.extractor}",
        KEY: sorted(set(results) & set(training.annotations.videos)),
    }
    if shown_from is not None:
        used["shown_from"] = shown_from
    write_detections(request.out / DETECTIONS, results, external_data=used)


def _score(
    everything: Annotations, training: Annotations, results: Mapping[str, Detections]
) -> tuple[DetectionReport | None, str]:
    """Score against known segments: of videos not trained on, where there are any."""
    held_out = {k: v for k, v in everything.videos.items() if k not in training.videos}
    for videos, words in (
        (held_out, "videos that were not trained on"),
        (training.videos, "videos that were trained on: new ones will score lower"),
    ):
        known = {k: v for k, v in videos.items() if v.instances or not v.labels}
        if any(video.instances for video in known.values()):
            truth = dataclasses.replace(everything, videos=known)
            found = {video: results[video] for video in known}
            return evaluate(truth, found, tiou=TIOU), f"{len(known)} {words}"
    return None, "no true segments are known"


def _write_report(request: FitRequest, result: FitResult, training: Data) -> None:
    """Write what was done and found as Markdown, whole or not at all."""
    lines = [f"# {request.out.name}", ""]
    labelled = sum(map(bool, training.labels.values()))
    videos = counted(len(training.labels), "video")
    classes = counted(len(training.annotations.class_names), "class")
    lines += [
        f"Trained on {videos} ({labelled} with a label) from "
        f"`{request.labels}`, {classes}, recipe "
        f"`{request.recipe}` ({request.profile}), seed {request.seed}, features "
        f"`{request.extraction.extractor}`.",
        "",
        f"Localise other videos: `acmnet localize VIDEO --run {request.out} "
        "--out detections.json`",
        "",
    ]
    if result.report is not None:
        percent = " | ".join(f"{100 * x:.1f}" for x in result.report.map)
        lines += [
            f"mAP of {result.scored}, in %; 100 would be to find every action and "
            "nothing else. A segment counts as found where it shares at least so much "
            "of its time with the true one (tIoU, the time in both over the time in "
            "either):",
            "",
            "| tIoU | " + " | ".join(f"{x:g}" for x in result.report.tiou) + " |",
            "|---|" + "--:|" * len(result.report.tiou),
            f"| mAP | {percent} |",
            "",
        ]
    if result.expectation is not None:
        lines += _expected(result.expectation, request.out)
    for video, reason in result.left_out.items():
        lines.append(f"- Left out: {video}: {reason}")
    limit = Shown(min_score=result.shown_from)
    if result.shown_from is not None:
        lines += ["", f"Detections are counted from a score of {limit.min_score:.3g}."]
    lines += ["", "| video | labels | detections | best |", "|---|---|--:|---|"]
    labels = result.results
    known = training.labels
    for video, found in labels.items():
        best = max(found, key=lambda d: d.score, default=None)
        told = (
            f"{best.label} {best.start_s:.1f} to {best.end_s:.1f} s, {best.score:.2f}"
            if best
            else ""
        )
        names = ", ".join(known.get(video, ()))
        lines.append(
            f"| {_cell(video)} | {_cell(names)} | {len(limit.of(found))} | "
            f"{_cell(told)} |"
        )
    with written_whole(request.out / REPORT) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _expected(expectation: Expectation, run: Path) -> list[str]:
    """Return what can be told without true segments, as lines of Markdown."""
    lines = [line for told in expectation.sentences() for line in (told, "")]
    if expectation.to_review:
        n = counted(len(expectation.to_review), "detection")
        lines += [
            f"Review these {n} with `acmnet view {run}`, and the precision is told:",
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


def extraction_of(run: Path, named: str | None = None) -> ExtractionSettings:
    """Return how the features of a trained run were extracted.

    ``named`` is the extractor that the user names, where they do: a class that is not
    acmnet's has to be named, or trusted (`acmnet.extraction.trusted_extractors`).

    Raises
    ------
    CheckpointError, ExtractorError
        If the run cannot be read, or does not say.
    """
    manifest: Any = load_config(run).training.get("manifest")
    if not isinstance(manifest, dict) or not manifest:
        raise ExtractorError(
            f"{run} does not say how its features were extracted; extract features "
            "as they were and give them with --features"
        )
    return settings_of(manifest, str(run), named)


def extracted_data(
    paths: Sequence[Path],
    features: Path,
    extraction: ExtractionSettings,
    workers: int,
    hooks: Hooks = Hooks(),
    device: str = "cpu",
    *,
    retry_failed: bool = False,
) -> tuple[Data, tuple[Failure, ...]]:
    """Extract video files into a store and open them as data without labels.

    Parameters
    ----------
    paths : sequence of paths
        Video files and folders of them.
    features : Path
        The store; finished videos are not extracted again.
    extraction, workers, device, retry_failed
        As for `acmnet.extraction.extraction_run.extract_videos`.

    Returns
    -------
    Data and failures
        Videos that could be extracted, by id, and those that could not.

    Raises
    ------
    ExtractionError
        If nothing can be extracted.
    DataError
        If no video could be.
    """
    files = find_videos(paths)
    request = ExtractionRequest(
        files,
        features,
        extraction,
        workers,
        device=device,
        retry_failed=retry_failed,
    )
    summary = _extract(request, hooks)
    extracted = set(files) - {failure.video for failure in summary.failures}
    if not extracted:
        raise DataError(summary.failures[0].reason)
    return unlabelled(DataSource(Path(), features), extracted), summary.failures
