"""The demo: draw videos, train, score, compare with a control and a chance floor."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.data.made_up.drawn_videos import TEST, TRAINING, SceneSettings, write_scenes
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.files.file_access import write_json
from acmnet.fitting.fit_request import FEATURES, FitRequest, Hooks
from acmnet.fitting.fit_videos import fit
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import FloatArray
from acmnet.validation.cross_validation import TIOU, chance_map, shuffled, spans_s

PROFILE: Final = "corrected"
"""The profile of the demo's trainings: one stage, so that it ends in minutes."""
EXTRACTION: Final = ExtractionSettings(extractor="motion", stride_frames=8)


class DemoResult(NamedTuple):
    """What the demonstration found."""

    report: DetectionReport
    """Scores of the trained model on the test videos."""
    control: DetectionReport
    """Scores on the same videos of a model that was trained on shuffled labels."""
    chance: FloatArray
    """mAP of the trained model's detections moved to random places, (n_tiou,), in [0,
    1]."""
    run: Path
    """Directory of the trained run, which `acmnet localize` takes."""
    scores: Path
    """JSON file with the scores of the model, of the control and of random places."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoHooks(Hooks):
    """Whom `demo` tells how far it is."""

    on_drawn: Callable[[int, int], None] = lambda *_: None
    """Called after each video that was drawn and encoded."""


def demo(
    out: Path,
    *,
    seed: int = 0,
    scenes: SceneSettings = SceneSettings(),
    workers: int = 1,
    hooks: DemoHooks = DemoHooks(),
) -> DemoResult:
    """Draw videos, learn from their labels alone, localise, evaluate, compare.

    Parameters
    ----------
    out : Path
        Directory that gets ``scenes/`` (videos and labels), ``model/``, ``control/``
        and ``scores.json``.
    seed : int
        Seed of the scenes and of both trainings.
    scenes : SceneSettings
        How many videos, and how long.
    workers : int
        Processes that extract features, from 1.
    hooks : DemoHooks
        Whom to tell what happens.
    """
    labels, videos = write_scenes(out / "scenes", seed, scenes, on_video=hooks.on_drawn)
    fitted = fit(
        FitRequest(
            videos=videos,
            labels=labels,
            out=out / "model",
            extraction=EXTRACTION,
            recipe="default",
            profile=PROFILE,
            settings=recipe("default", profile=PROFILE),
            subset=TRAINING,
            seed=seed,
            workers=workers,
            overwrite=True,
        ),
        hooks,
    )
    features = fitted.run / FEATURES
    training = open_data(DataSource(labels, features, TRAINING))
    test = open_data(DataSource(labels, features, TEST))
    control = _control(out, shuffled(training, seed), seed)
    train_run(control, on_step=hooks.on_step)
    hooks.on_trained()
    found = {video: fitted.results[video] for video in test.annotations.videos}
    unguided = localize_videos(load(control.out, device=control.device), test)
    result = DemoResult(
        report=evaluate(test.annotations, found, tiou=TIOU),
        control=evaluate(test.annotations, unguided, tiou=TIOU),
        chance=chance_map(test.annotations, found, spans_s(test)),
        run=fitted.run,
        scores=out / "scores.json",
    )
    scores = {"model": result.report.to_json(), "control": result.control.to_json()}
    scores["chance"] = {"tiou": list(TIOU), "map": result.chance.tolist()}
    write_json(result.scores, scores)
    return result


def _control(out: Path, data: Data, seed: int) -> RunRequest:
    """Return the request for the same training on shuffled labels."""
    return RunRequest(
        out=out / "control",
        data=data,
        recipe="default",
        profile=PROFILE,
        settings=recipe("default", profile=PROFILE),
        seed=seed,
        overwrite=True,
    )
