"""What is asked of `fit`, whom it tells how far it is, and what it returns."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from acmnet.data.labels.annotations import Annotations
from acmnet.data.labels.marks import default_supervision
from acmnet.data.labels.supervision import Supervision
from acmnet.evaluation.reports import DetectionReport
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import reads_videos
from acmnet.extraction.keypoints.keypoint_request import KeypointRequest
from acmnet.extraction.many_videos.extraction_request import ExtractionProgress
from acmnet.extraction.shipped_extractors import refuse_unknown
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.validation.expected_quality import Expectation

FEATURES: Final = "features"
"""Folder of a run with the features that `fit` extracts."""
DETECTIONS: Final = "detections.json"
"""File of a run with the detections in all of its videos."""
SCORES: Final = "scores.json"
"""File of a run with its scores, where true segments are known."""
REPORT: Final = "report.md"
"""File of a run that says in words what was done and found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitRequest:
    """Everything that `fit` needs to know."""

    videos: Path
    """A folder of videos, or one file."""
    tracks: Path | None = None
    """Where the files of tracks are, for an extractor that reads some; with the videos
    when left out."""
    labels: Path
    """A label file, JSON or CSV, as `acmnet.data.label_files` reads it."""
    out: Path
    """Gets the run, and in it ``features/``, ``detections.json``, ``report.md``."""
    extraction: ExtractionSettings | KeypointRequest
    """How features are extracted."""
    recipe: str
    """Name of the recipe, which the run keeps beside its settings."""
    profile: str
    """Name of the recipe's profile, which the run keeps beside its settings."""
    settings: Settings
    """Values of that recipe in that profile, with what the caller changed."""
    subset: str | None = None
    """Train on this subset of the labels; on every listed video when left out."""
    label_fps: float | None = None
    """Frames per second of the videos, for labels that count frames; those that each
    video's file claims when left out."""
    supervision: Supervision | None = None
    """What the training is given besides the names. When left out, names alone, but all
    that a label file of the bench holds."""
    groups: str | None = None
    """Which videos belong together, as `acmnet.data.video_groups.read_groups` takes it;
    how good the run is on new videos is then estimated on groups that were held out."""
    seed: int = 0
    """Seed of everything that is drawn by chance."""
    workers: int = 1
    """Processes that extract features, from 1."""
    device: str = "cpu"
    """Where networks compute, such as "cpu" or "cuda:0"."""
    overwrite: bool = False
    """Train anew where the run is there already; features are kept."""
    begin_from: Path | None = None
    """An earlier run whose features are used and whose weights the training begins
    with; nothing is taken over when left out."""
    retry_failed: bool = False
    """Extract again what could not be read before."""

    def __post_init__(self) -> None:
        """Refuse what would otherwise be noticed only after all videos were opened.

        Raises
        ------
        ExtractorError, ValueError
            If the extractor does not exist, or ``workers`` is below 1.
        """
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        refuse_unknown(self.extraction.extractor)

    @property
    def epochs(self) -> int:
        """Epochs of all trainings that make the model."""
        is_round = self.begin_from is not None
        return (self.settings.of_a_round() if is_round else self.settings).epochs

    def given(self, annotations: Annotations) -> Supervision:
        """Return what a training on these labels is given besides the names."""
        return self.supervision or default_supervision(annotations)

    @property
    def videos_option(self) -> str:
        """The option of report and view that shows the videos; blank for tracks."""
        if not reads_videos(self.extraction.extractor):
            return ""
        return f" --videos {quote(str(self.videos))}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FitResult:
    """What `fit` came to."""

    run: Path
    """Directory of the run."""
    left_out: Mapping[str, str]
    """Why each video that could not be used was left out; the others went on."""
    results: Mapping[str, Detections]
    """Detections of every video with features, by its id."""
    report: DetectionReport | None
    """Scores against the true segments; None where none are known."""
    scored: str
    """Which videos the report is about, or why there is none, in words."""
    is_taught: bool = False
    """Whether there is no report because the training was given the times of all videos
    with true segments."""
    expectation: Expectation | None = None
    """How good the run should be on new videos; None where ``report`` is about videos
    that were not trained on, as it says that already."""
    shown_from: float | None = None
    """The score from which detections are shown; None where all are."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hooks:
    """Whom to tell what happens; nobody when left out."""

    on_note: Callable[[str], None] = lambda _: None
    """Called with each sentence that the user should read."""
    on_opened: Callable[[int, int], None] = lambda *_: None
    """Called after each video file that was opened to see whether it can be read, with
    how many were opened and how many there are to open."""
    on_video: Callable[..., None] = lambda *_: None
    """Called as `extract_videos` calls its ``on_video``."""
    on_working: Callable[[ExtractionProgress], None] = lambda _: None
    """Called as `extract_videos` calls its ``on_working``."""
    on_step: Callable[[StepRecord], None] = lambda _: None
    """Called after each step of a training."""
    on_trained: Callable[[], None] = lambda: None
    """Called when a training has ended, before anything else is done."""


NO_HOOKS: Final = Hooks()
"""Hooks that tell nobody what happens."""
