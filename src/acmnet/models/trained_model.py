"""A trained model, ready to use: features in, detections in seconds out."""

import dataclasses
import os
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.localization.detection_scores import unit_scores
from acmnet.localization.from_activations import (
    LEAST_CONTRAST,
    localize_activations,
    score_proposals,
    scores_of_intervals,
)
from acmnet.localization.from_boundaries import (
    VideoCandidates,
    best_candidates,
    candidate_intervals,
    localize_candidates,
)
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.acm_net import ACMNet
from acmnet.network.exported_networks import ExportedStudents, ExportedTeachers
from acmnet.network.student import Student
from acmnet.network.video_outputs import acm_net_on_video, student_on_video
from acmnet.recipes import Settings
from acmnet.segments import Detections, SnippetGrid

Features = npt.NDArray[np.floating] | Tensor
"""The features of one video, (L, D), as an array or a tensor."""

Cuts = tuple[float, ...] | None
"""Where one shot of a video ends and the next begins, in seconds; None if unknown."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TrainedModel:
    """Trained networks with all that is needed to find actions with them.

    Parameters named ``features`` are those of one video, an array or tensor of shape
    (L, D) in fp16, fp32 or fp64: L snippets at full length, on the model's ``grid``.

    Raises
    ------
    ValueError
        If there is no network.

    Examples
    --------
    >>> model = TrainedModel(
    ...     networks=(ACMNet(feature_dim=8, n_classes=2),),
    ...     settings=Settings(),
    ...     class_names=("jump", "run"),
    ...     grid=SnippetGrid(fps=25, snippet_frames=16, stride_frames=16),
    ... )
    >>> found = model.localize(np.zeros((10, 8), dtype=np.float16))
    >>> max(d.end_s for d in found) <= 6.4
    True
    """

    networks: tuple[ACMNet | ExportedTeachers, ...]
    """One network or several that differ in their seed alone, whose outputs are
    averaged; they are the teachers where there is a student. The networks of an
    exported file are one entry."""
    settings: Settings
    """The settings to localise with; those of training are among them."""
    class_names: tuple[str, ...]
    """The C action classes, in the order of the networks' outputs."""
    grid: SnippetGrid
    """Where the snippets of a video's features lie in time."""
    config: CheckpointConfig | None = None
    """The ``config.json`` of its checkpoint; None for a model without a checkpoint."""
    students: tuple[Student | ExportedStudents, ...] = ()
    """The network of the second stage, or several that differ in their seed alone and
    whose outputs are averaged. They localise, with proposals of the others beside their
    own candidates if the settings say so; empty for a model without that stage."""

    def __post_init__(self) -> None:
        """Refuse a model without a network."""
        if not self.networks:
            raise ValueError("networks must hold at least one network, got none")

    @property
    def device(self) -> torch.device:
        """Where the networks compute."""
        first = self.networks[0]
        if isinstance(first, ExportedTeachers):
            return first.device
        return first.classifier.weight.device

    @property
    def feature_dim(self) -> int:
        """D, the dimension of the features that the networks take."""
        return self.networks[0].feature_dim

    def activations(self, features: Features, cuts_s: Cuts = None) -> VideoActivations:
        """Return the mean outputs of the networks for one video.

        Each network is run once.

        Parameters
        ----------
        features : (L, D) array or tensor
            The video's features.
        cuts_s : tuple of float, optional
            The video's cuts, which are kept in the result.

        Raises
        ------
        ValueError
            If the shape is not (L, D) or a value is not finite.
        """
        video = self._sampled(features)
        instance_cas, attention, video_scores, cas = _means(
            [acm_net_on_video(network, video) for network in self.networks]
        )
        return VideoActivations(
            instance_cas=instance_cas,
            attention=attention,
            video_scores=video_scores,
            n_snippets=len(features),
            grid=self.grid,
            class_names=self.class_names,
            cas=cas,
            cuts_s=cuts_s or (),
        )

    def localize(
        self,
        features: Features,
        activations: VideoActivations | None = None,
        *,
        cuts_s: Cuts = None,
        classes: Collection[str] | None = None,
    ) -> Detections:
        """Return the detections in one video, in seconds.

        Scores are in [0, 1] unless the setting ``localization.unit_scores`` is false.

        Parameters
        ----------
        features : (L, D) array or tensor
            The video's features.
        activations : VideoActivations, optional
            What `activations` returned for these features, to spare the networks a
            second run.
        cuts_s : tuple of float, optional
            Where the video is cut. No detection lasts beyond a cut if the setting
            ``localization.split_at_cuts`` is set. Cuts in ``activations`` come first.
        classes : collection of str, optional
            The only classes that are looked for; all of the model's if left out.

        Raises
        ------
        ValueError
            If the shape is not (L, D) or a value is not finite.
        """
        wanted = np.array([classes is None or x in classes for x in self.class_names])
        if classes is not None:
            activations = activations or self.activations(features, cuts_s)
            activations = activations.only(wanted)
        outputs = self._outputs(features, activations, cuts_s)
        if classes is not None and isinstance(outputs, VideoCandidates):
            outputs = outputs.only(wanted)
        detections = self._detections(outputs)
        return (
            detections
            if classes is None
            else detections.only(wanted[detections.class_index])
        )

    def best_scores(
        self, features: Features, *, cuts_s: Cuts = None
    ) -> npt.NDArray[np.float64]:
        """Return the highest score that `localize` gives each class, (C,).

        It is -inf for a class that is not found. This is cheaper than `localize`, as
        nothing is suppressed.

        Raises
        ------
        ValueError
            If the shape is not (L, D) or a value is not finite.
        """
        return self._best_scores(self._outputs(features, None, cuts_s))

    def detections_and_best_scores(
        self,
        features: Features,
        activations: VideoActivations | None = None,
        *,
        cuts_s: Cuts = None,
    ) -> tuple[Detections, npt.NDArray[np.float64]]:
        """Return what `localize` and `best_scores` return, asking the networks once."""
        outputs = self._outputs(features, activations, cuts_s)
        return self._detections(outputs), self._best_scores(outputs)

    def _outputs(
        self, features: Features, activations: VideoActivations | None, cuts_s: Cuts
    ) -> VideoActivations | VideoCandidates:
        """Return the outputs that the actions of a video are found in."""
        if self.students:
            return self.candidates(features, activations, cuts_s=cuts_s)
        return activations or self.activations(features, cuts_s)

    def _detections(self, outputs: VideoActivations | VideoCandidates) -> Detections:
        """Return the detections of a video."""
        rules = self.settings.localization
        if isinstance(outputs, VideoCandidates):
            detections = localize_candidates(outputs, rules.soft_nms_sigma)
        else:
            detections = localize_activations(outputs, rules)
        if not rules.unit_scores:
            return detections
        return dataclasses.replace(detections, score=unit_scores(detections.score))

    def _best_scores(
        self, outputs: VideoActivations | VideoCandidates
    ) -> npt.NDArray[np.float64]:
        """Return the highest score of each class in a video, (C,)."""
        rules = self.settings.localization
        if isinstance(outputs, VideoCandidates):
            best = best_candidates(outputs)
        else:
            proposals = score_proposals(outputs, rules)
            best = np.full(len(self.class_names), -np.inf)
            np.maximum.at(best, proposals.class_index, proposals.score)
        if rules.unit_scores:
            is_found = np.isfinite(best)
            best[is_found] = unit_scores(best[is_found])
        return best

    def candidates(
        self,
        features: Features,
        activations: VideoActivations | None = None,
        *,
        cuts_s: Cuts = None,
    ) -> VideoCandidates:
        """Return the students' candidates and the teachers' proposals in one video.

        Parameters
        ----------
        features : (L, D) array or tensor
            The video's features.
        activations : VideoActivations, optional
            What `activations` returned for these features, to spare the teachers a
            second run.
        cuts_s : tuple of float, optional
            Where the video is cut, as for `localize`.

        Raises
        ------
        ValueError
            If the model has no student, the shape is not (L, D) or a value is not
            finite.
        """
        if not self.students:
            raise ValueError("candidates are made by a student, the model has none")
        video = self._checked(features)
        probability, distance = _means(
            [student_on_video(student, video) for student in self.students]
        )
        if activations is not None and activations.cuts_s:
            cuts_s = activations.cuts_s
        candidates = VideoCandidates(
            probability=probability,
            distance=distance,
            grid=self.grid,
            class_names=self.class_names,
            cuts_s=(cuts_s or ()) if self.settings.localization.split_at_cuts else (),
        )
        teachers = self.settings.teachers
        if not teachers.proposal_weight and not teachers.contrast_weight:
            return candidates
        if activations is None:
            activations = self.activations(features, cuts_s)
        return self._beside_teachers(candidates, activations)

    def _beside_teachers(
        self, candidates: VideoCandidates, activations: VideoActivations
    ) -> VideoCandidates:
        """Return candidates whose scores include the teachers', with their proposals.

        Scores of the teachers are divided by `Student.teachers_best`, and their weights
        are multiplied by `Student.trust` (`acmnet.network.student`).
        """
        teachers, rules = self.settings.teachers, self.settings.localization
        n = len(self.students)
        best = sum(float(student.teachers_best) for student in self.students) / n
        contrast, proposal = self.trust_in_teachers()
        weight = teachers.contrast_weight * contrast
        if weight:
            where = candidate_intervals(candidates)
            teachers_score = (
                scores_of_intervals(activations, *where, rules) / best
            )  # (T, C)
            own_score = candidates.probability ** (1.0 - weight)
            score = own_score * teachers_score.clip(min=LEAST_CONTRAST) ** weight
            candidates = dataclasses.replace(candidates, probability=score)
        if teachers.proposal_weight:
            proposals = score_proposals(activations, rules)
            weight = teachers.proposal_weight * proposal
            proposals = dataclasses.replace(
                proposals, score=proposals.score * (weight / best)
            )
            candidates = dataclasses.replace(candidates, of_teachers=proposals)
        return candidates

    def trust_in_teachers(self) -> tuple[float, float]:
        """Return the factors on the teachers' contrast and proposals, each in (0, 1].

        Both are 1 for a model that learned from names alone, and less for one that
        learned from marks; see `acmnet.training.second_stage.boundary_shifts.Trust`.
        The model must have a student.
        """
        trust = [
            (1.0, 1.0) if student.trust is None else student.trust.tolist()
            for student in self.students
        ]
        contrast, proposals = (sum(x) / len(trust) for x in zip(*trust, strict=True))
        return contrast, proposals

    def _sampled(self, features: Features) -> Tensor:
        """Return a video's features (T, D) as the networks see them."""
        video = self._checked(features)
        limit = self.settings.localization.test_snippets
        if 0 < limit < len(video):
            # every (L / T)-th snippet, as `dataset_class.py:8-22` at test
            index = torch.arange(limit, dtype=torch.float64) * len(video) / limit
            video = video[index.floor().long()]
        return video

    def _checked(self, features: Features) -> Tensor:
        """Return a video's features (L, D) as a tensor; reject anything else."""
        if isinstance(features, str | os.PathLike):
            path = os.fspath(features)
            raise TypeError(
                f"features must be an array of shape (T, D), got the path {path!r}; "
                f"read the file first, as with np.load({path!r})"
            )
        video = torch.as_tensor(features)
        expected = self.feature_dim
        if video.ndim != 2 or video.shape[1] != expected or not len(video):
            raise ValueError(
                f"features must have shape (T, {expected}) with T >= 1, got "
                f"{tuple(video.shape)}"
            )
        if not video.isfinite().all():
            raise ValueError("features must be finite, got NaN or infinity")
        return video


def _means(
    outputs: Sequence[tuple[npt.NDArray[np.float32], ...]],
) -> list[npt.NDArray[np.float32]]:
    """Return the mean of each output over several networks.

    It is computed in fp64, so that the mean over one network equals its output.
    """
    return [
        np.stack(arrays).mean(axis=0, dtype=np.float64).astype(np.float32)
        for arrays in zip(*outputs, strict=True)
    ]


def joined(models: Sequence[TrainedModel]) -> TrainedModel:
    """Return one model of several that differ in their seed alone: an ensemble.

    The outputs of their networks are averaged, and so are those of their students.

    Parameters
    ----------
    models : sequence of TrainedModel
        At least one; the first one's settings are used.

    Raises
    ------
    ValueError
        If their classes, features or grids differ.
    """
    first = models[0]
    for model in models[1:]:
        for name in ("class_names", "feature_dim", "grid"):
            ours, theirs = getattr(first, name), getattr(model, name)
            if ours != theirs:
                raise ValueError(
                    f"models of an ensemble must have the same {name}, got {ours} and "
                    f"{theirs}"
                )
    return dataclasses.replace(
        first,
        networks=tuple(network for model in models for network in model.networks),
        students=tuple(student for model in models for student in model.students),
        config=None,
    )
