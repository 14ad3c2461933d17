"""Write the model card of a run: what it was trained on, how good it is, its limits."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.limits import finite
from acmnet.messages import counted, quoted
from acmnet.models.stored_calibration import read_calibration
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.runs.run_request import LAST
from acmnet.validation.expected_quality import read_expectation

NO_LICENCE: Final = (
    "No licence was stated for these weights: ask whoever gave them to you. The data "
    "and the network that made the features may have terms of their own."
)
LICENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
"""What the identifier of a licence looks like (SPDX)."""
LEARNED_FROM: Final = {
    "names": "the names of the actions in each video, without any time",
    "points": "the names of the actions, and points in time that a person marked",
    "segments": "the names of the actions, and segments that a person marked",
    "all": "the names of the actions, and all times that a person marked",
}
"""What a training was given, by its supervision."""


class ModelCardError(ValueError):
    """A licence or figures that cannot stand in a model card."""


def model_card(
    run: Path,
    model: TrainedModel,
    licence: str | None,
    figures: Mapping[str, object] | None,
) -> str:
    """Return the model card of a run as Markdown with a head of YAML.

    Parameters
    ----------
    run : Path
        The run.
    model : TrainedModel
        Its model.
    licence : str, optional
        The licence of the weights.
    figures : mapping, optional
        What `acmnet evaluate --json` wrote; without it, the card has only what the run
        itself keeps.

    Raises
    ------
    ModelCardError
        If the licence is no identifier, or the figures are something else.
    """
    if licence is not None and not LICENCE.fullmatch(licence):
        raise ModelCardError(
            f"the licence must be an identifier such as cc-by-4.0 or mit, got "
            f"{quoted(licence)}; write further terms into the README.md"
        )
    config = load_config(run)
    return "\n".join(
        [
            *_head(licence),
            "# Temporal action localisation with acmnet",
            "",
            _purpose(config),
            "",
            *_section("Use", _use(run, config)),
            *_section("Data", _data(config)),
            *_section("Protocol", _protocol(config, model)),
            *_section("Figures", _figures(run, model, figures)),
            *_section("Limits", _limits(model)),
            *_section("Licence", [_licence(licence)]),
        ]
    )


def _head(licence: str | None) -> list[str]:
    """Return the YAML that sites of models read."""
    return [
        "---",
        f"license: {licence if licence else 'other'}",
        "library_name: acmnet",
        "pipeline_tag: video-classification",
        "tags:",
        "- temporal-action-localization",
        "- weakly-supervised",
        "---",
        "",
    ]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _purpose(config: CheckpointConfig) -> str:
    names = ", ".join(config.class_names)
    return (
        "Finds when actions happen in long videos: each with its start and end in "
        f"seconds and a score. It knows {counted(len(config.class_names), 'class')}: "
        f"{names}."
    )


def _use(run: Path, config: CheckpointConfig) -> Iterator[str]:
    """Yield how the model is used, and what it takes."""
    grid, manifest = config.grid, config.feature_manifest
    yield from (
        "```sh",
        "acmnet localize my_video.mp4 --run THIS_DIRECTORY --out found.json",
        "```",
        "",
        "```python",
        "import acmnet",
        "",
        'model = acmnet.from_pretrained("THIS_DIRECTORY")',
        "detections = model.localize(features)  # an array (T, D)",
        "```",
        "",
    )
    extractor = manifest.get("extractor") or "an extractor that the run does not name"
    yield (
        f"- Features: {config.feature_dim} columns, made by {extractor}, a row for "
        f"{grid.snippet_frames} frames every {grid.stride_frames} frames at "
        f"{grid.fps:g} frames a second. Features made in any other way give wrong "
        "results without an error."
    )
    score = shown_score(run)
    if score is not None:
        yield f"- Detections with scores below {score:.3g} are not shown by default."


def _data(config: CheckpointConfig) -> Iterator[str]:
    """Yield what the model learned from, without names of videos."""
    known = config.training
    videos = known.get("videos")
    subject = (
        "It is not known how many videos" if videos is None else f"{videos} videos"
    )
    subset = known.get("subset")
    of = f" of the subset {subset!r}" if subset else ""
    learned = LEARNED_FROM.get(str(known.get("supervision", "names")))
    yield f"- {subject}{of} were learned from."
    yield f"- The training was given {learned or 'names and times of actions'}."
    if config.taught_times:
        n = counted(len(config.taught_times), "video")
        yield f"- Of these, {n} had times that a person marked."
    if config.trained_on is not None:
        for name in config.class_names:
            n_videos = sum(name in labels for labels in config.trained_on.values())
            yield f"- {name}: {counted(n_videos, 'video')}"


def _protocol(config: CheckpointConfig, model: TrainedModel) -> Iterator[str]:
    """Yield how the model was trained."""
    stages = counted(len(model.networks), "network") + " of ACM-Net"
    if model.students:
        stages += " that taught a student, which places the boundaries"
    yield f"- Networks: {stages}."
    recipe, profile = PurePath(config.recipe).name, config.profile
    yield (
        f"- Recipe {recipe}, profile {profile}, seed {config.seed}, "
        f"{counted(config.epoch, 'epoch')}."
    )
    if config.selection == LAST:
        yield "- The weights are those of the last epoch; no truth chose them."
    else:
        yield f"- The epoch was chosen by the true segments of {config.selection!r}."
    versions = ", ".join(f"{name} {value}" for name, value in config.versions.items())
    yield f"- Versions: {versions}."
    yield "- `config.json` has every setting."


def _figures(
    run: Path, model: TrainedModel, figures: Mapping[str, object] | None
) -> list[str]:
    """Return what was measured; says so where nothing was."""
    lines = list(_evaluated(figures)) if figures is not None else []
    expected = read_expectation(run)
    if expected is not None:
        lines += [f"- {sentence}" for sentence in expected.sentences()]
    calibration = read_calibration(run, model.settings.localization)
    if calibration is not None:
        lines.append(
            f"- Scores were calibrated on {counted(calibration.videos, 'video')}; "
            f"`calibration.json` has a threshold of each class for a precision of "
            f"{calibration.precision:g}."
        )
    return lines or ["Nothing was measured: judge the model on your own videos."]


def _evaluated(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures that `acmnet evaluate --json` measured.

    Raises
    ------
    ModelCardError
        If the values are something else.
    """
    try:
        pairs = zip(report["tiou"], report["map"], strict=True)
        rows = [(float(t), 100 * float(value)) for t, value in pairs]
        average, protocol = 100 * float(report["average"]), str(report["protocol"])
        videos = int(report["videos"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelCardError(
            f"the figures must be what acmnet evaluate --json writes, with tiou, map, "
            f"average, protocol and videos; {error} is missing or wrong"
        ) from None
    if any(finite(value) is None for row in rows for value in row):
        raise ModelCardError("the figures must be finite numbers; measure them again")
    yield (
        f"Measured on {counted(videos, 'video')} with true segments, protocol "
        f"{protocol}:"
    )
    yield ""
    yield "| tIoU | mAP % |"
    yield "|--:|--:|"
    yield from (f"| {t:g} | {value:.1f} |" for t, value in rows)
    yield f"| average | {average:.1f} |"
    yield ""


def _limits(model: TrainedModel) -> Iterator[str]:
    """Yield what the model cannot be trusted with."""
    yield (
        "- It finds only the classes above. Anything else that happens is nothing, or "
        "is taken for one of them."
    )
    yield (
        "- Boundaries are learned without, or with few, true times: look at some "
        "detections of your own videos before you count with them."
    )
    yield (
        "- Videos that look unlike those it learned from (camera, place, people, "
        "animals) may give confident nonsense."
    )
    if not model.settings.localization.unit_scores:
        yield "- Scores are not in [0, 1], and are no probabilities."
    else:
        yield "- Scores are no probabilities unless the run was calibrated."


def _licence(licence: str | None) -> str:
    if licence is None:
        return NO_LICENCE
    return (
        f"The weights are given under {licence}. The data and the network that made "
        "the features may have terms of their own."
    )
