"""All settings of a run in one object: a section for each part of the work."""

import dataclasses
import math
import typing
from collections.abc import Sequence
from typing import Any, Final

from acmnet.data.sampling_settings import SamplingSettings
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.network.network_settings import ModelSettings, StudentSettings
from acmnet.training.first_stage.training_settings import LossSettings, TrainingSettings
from acmnet.training.second_stage.second_stage_settings import (
    PseudoLabelSettings,
    StudentTrainingSettings,
    TeacherSettings,
)

TRIAL_SHARE: Final = 2 / 3
"""Share of a teacher's epochs in a round that a trial of marks takes, where there is
one. The teachers take the rest."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a run can be set to, section by section.

    The first five sections are those of the paper's network. The other four are those
    of the second stage, which is there when ``teachers.count`` is at least 1.
    """

    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    sampling: SamplingSettings = SamplingSettings()
    training: TrainingSettings = TrainingSettings()
    localization: LocalizationSettings = LocalizationSettings()
    teachers: TeacherSettings = TeacherSettings()
    pseudo_labels: PseudoLabelSettings = PseudoLabelSettings()
    student: StudentSettings = StudentSettings()
    student_training: StudentTrainingSettings = StudentTrainingSettings()

    @property
    def has_student(self) -> bool:
        """Whether a student is trained on what other networks detect."""
        return self.teachers.count > 0

    @property
    def epochs(self) -> int:
        """Epochs of all trainings that make one model."""
        if not self.has_student:
            return self.training.epochs
        return self.teachers.count * self.training.epochs + self.student_training.epochs

    def of_videos(self, lengths: Sequence[int]) -> "Settings":
        """Return the settings with the epochs that a training from nothing takes.

        Parameters
        ----------
        lengths : sequence of int
            Snippets of each training video, from 1.
        """
        batch = self.training.videos_a_step(self.sampling.mean_snippets(lengths))
        epochs = self.training.epochs_of(math.ceil(len(lengths) / batch))
        training = dataclasses.replace(self.training, epochs=epochs)
        return dataclasses.replace(self, training=training)

    def of_exactly(self, epochs: int) -> "Settings":
        """Return the settings in which the paper's network takes so many epochs.

        Few videos do not make that training longer.
        """
        training = dataclasses.replace(self.training, epochs=epochs, fewest_steps=0)
        return dataclasses.replace(self, training=training)

    def of_a_round(self) -> "Settings":
        """Return the settings with the epochs of a training from an earlier run.

        They are the share ``training.round_share`` of all epochs, at least one. A run
        keeps the settings without that, so that a round after it is as long.

        Examples
        --------
        >>> Settings().training.epochs, Settings().of_a_round().training.epochs
        (1000, 150)
        """
        share, student = self.training.round_share, self.student_training
        return dataclasses.replace(
            self,
            training=dataclasses.replace(
                self.training,
                epochs=_rounded_up(share * self.training.epochs),
                early_end=0.0,
            ),
            student_training=dataclasses.replace(
                student, epochs=_rounded_up(share * student.epochs)
            ),
        )

    def of_shorter_rounds(self, share: float) -> "Settings":
        """Return the settings with rounds in which networks take a share of the epochs.

        Parameters
        ----------
        share : float
            Of the epochs of a round, above 0 and at most 1: what the first training
            took of its own (D-157).

        Examples
        --------
        >>> Settings().of_shorter_rounds(0.5).of_a_round().training.epochs
        75
        """
        shorter = share * self.training.round_share
        training = dataclasses.replace(self.training, round_share=shorter)
        return dataclasses.replace(self, training=training)

    def of_a_trial_in_a_round(self) -> "Settings":
        """Return the settings of networks that try marks in a round.

        They take the share `TRIAL_SHARE` of a teacher's epochs in the round.
        """
        return self._of_round_epochs(self._epochs_of_a_trial)

    def after_a_trial_in_a_round(self) -> "Settings":
        """Return the settings of teachers for what a trial leaves of a round.

        Examples
        --------
        >>> tried, rest = (
        ...     own.of_a_round().training.epochs
        ...     for own in (
        ...         Settings().of_a_trial_in_a_round(),
        ...         Settings().after_a_trial_in_a_round(),
        ...     )
        ... )
        >>> tried, rest, Settings().of_a_round().training.epochs
        (100, 50, 150)
        """
        left = self.of_a_round().training.epochs - self._epochs_of_a_trial
        return self._of_round_epochs(max(left, 1))

    @property
    def _epochs_of_a_trial(self) -> int:
        return _rounded_up(TRIAL_SHARE * self.of_a_round().training.epochs)

    def _of_round_epochs(self, epochs: int) -> "Settings":
        """Return the settings with a round in which a network takes these epochs."""
        share = epochs / self.training.epochs
        training = dataclasses.replace(self.training, round_share=share)
        return dataclasses.replace(self, training=training)

    def without_student(self) -> "Settings":
        """Return the settings for one network of the paper and no second stage."""
        return Settings(
            model=self.model,
            loss=self.loss,
            sampling=self.sampling,
            training=self.training,
            localization=self.localization,
        )


def _rounded_up(epochs: float) -> int:
    """Return the next whole number, or the same one where rounding errors exceed it.

    Examples
    --------
    >>> 0.07 * 100, _rounded_up(0.07 * 100), _rounded_up(7.1)
    (7.000000000000001, 7, 8)
    """
    return math.ceil(round(epochs, 9))


SECOND_STAGE: Final = ("teachers", "pseudo_labels", "student", "student_training")
"""Names of the sections of `Settings` that are about the second stage."""


def as_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return settings as plain values by section, for JSON."""
    return dataclasses.asdict(settings)


def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting, such as ``training.epochs``."""
    return tuple(
        f"{section}.{field.name}"
        for section, cls in typing.get_type_hints(Settings).items()
        for field in dataclasses.fields(cls)
    )
