"""What is asked of a training: data, settings, and the directory of the run."""

import dataclasses
import functools
from pathlib import Path
from typing import Final

from acmnet.data.labelled_features import Data
from acmnet.data.labels.marks import VideoMarks, given_marks
from acmnet.data.labels.supervision import Supervision
from acmnet.recipes import Settings

LAST: Final = "last"
"""The selection of a run that keeps the weights of its last epoch."""


class RunError(ValueError):
    """A run that cannot be started or resumed; the message names its directory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Everything that `train_run` needs to know."""

    out: Path
    """Directory of the run."""
    data: Data
    """Features and video-level labels to train on."""
    recipe: str
    """Name of the recipe, which the run keeps beside its settings."""
    profile: str
    """Name of the recipe's profile, which the run keeps beside its settings."""
    settings: Settings
    """Values of that recipe in that profile, with what the caller changed."""
    seed: int = 0
    """Seed of the first weights, the order of videos, sampling and dropout."""
    device: str = "cpu"
    """Where the networks compute, such as "cpu" or "cuda:0"."""
    resume: bool = False
    """Train what is missing of the run in `out`; nothing where it is finished."""
    resume_from: Path | None = None
    """Go on, in a new run, from this checkpoint directory."""
    overwrite: bool = False
    """Replace a run that is already there."""
    supervision: Supervision = "names"
    """What the training is given besides the names: which times of the label file."""
    begin_from: Path | None = None
    """An earlier run whose weights the training begins with; drawn ones when left out.
    """
    selection: Data | None = None
    """Data whose temporal truth chooses the checkpoint; the last epoch when left out.
    Choosing on the test set is peeking, and is written into the run."""

    @property
    def marks(self) -> dict[str, VideoMarks]:
        """The times that the training is given, by video; empty for names alone."""
        return given_marks(self.data.annotations, self.supervision)

    @functools.cached_property
    def schedule(self) -> Settings:
        """The settings with the epochs that the training takes.

        Those are fewer than the run's ``settings`` say if it begins with an earlier
        run, and more if its videos are few, see `TrainingSettings.fewest_steps`.
        """
        if self.begin_from is not None:
            return self.settings.of_a_round()
        if not self.settings.training.fewest_steps or self.marks:
            return self.settings
        return self.settings.of_videos(self.data.lengths)

    @property
    def last_epoch(self) -> int:
        """The epoch, from 1, at which the network that is trained last is finished."""
        schedule = self.schedule
        if schedule.has_student:
            return schedule.student_training.epochs
        return schedule.training.epochs

    @property
    def selected_by(self) -> str:
        """How the checkpoint is chosen, in the words that the run keeps."""
        if self.selection is None:
            return LAST
        subset = self.selection.source.subset
        return f"truth of {'all videos' if subset is None else f'subset {subset!r}'}"
