"""Make pseudo labels from the teachers' detections, and the student's training task.

No temporal truth enters this module: instances come from detections of trained
networks, restricted to the labels that each training video carries. Notation: T
snippets of a video, C classes. A position in time is counted in snippets, and a whole
number is the middle of a snippet.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.data.datasets import Draws, WeakDataset
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.localization.from_activations import localize_activations, score_proposals
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.student import StudentOutput
from acmnet.runtime.devices import computed_in
from acmnet.segments import Detections, SnippetGrid
from acmnet.training.second_stage.second_stage_settings import PseudoLabelSettings
from acmnet.training.second_stage.snippet_targets import (
    PseudoInstance,
    PseudoLabels,
    TargetsOfVideos,
)

FOCAL_EXPONENT: Final = 2.0
"""Exponent of the focal loss (Lin et al., ICCV 2017)."""
LEAST_MEAN_BEST_SCORE: Final = 0.5
"""Lower bound on `mean_best_score`, so that the scores of weak teachers are not
inflated (docs/decisions.md, D-032)."""
LEAST_VIDEO_SCORE: Final = 1e-9
"""Lower bound on the video score of a class that the video is known to contain, so that
it is localised."""


def pseudo_labels(
    activations: VideoActivations,
    labels: Sequence[int],
    localization: LocalizationSettings,
    settings: PseudoLabelSettings,
    most_snippets: int = 0,
) -> PseudoLabels:
    """Return the pseudo labels of one training video.

    Parameters
    ----------
    activations : VideoActivations
        Mean outputs of the teachers for the video.
    labels : sequence of class indices
        The classes that the video is known to contain; others are ignored.
    localization : LocalizationSettings
        How the teachers localise; their NMS is replaced by hard NMS at
        `PseudoLabelSettings.nms_tiou`.
    settings : PseudoLabelSettings
        Which detections become instances.
    most_snippets : int
        Upper bound on the snippets that the instances of a class cover together. Beyond
        it, instances with lower scores get weight 0; the best one never does. 0 sets no
        limit.
    """
    if not labels:
        return PseudoLabels((), ())
    rules = dataclasses.replace(
        localization,
        class_threshold=0.0,
        nms="hard",
        nms_tiou=settings.nms_tiou,
        nms_padding_s=0.0,
    )
    detections = localize_activations(_restricted_to(activations, labels), rules)
    instances: list[PseudoInstance] = []
    unplaced: list[int] = []
    best_scores: list[float] = []
    for c in labels:
        of_class = detections.only(detections.class_index == c)
        best = float(of_class.score.max(initial=0.0))
        if best > 0.0:
            best_scores.append(best)
            confident = of_class.only(of_class.score >= settings.relative_score * best)
            listed = _instances(confident, best, activations.grid)
            instances += _limited_coverage(listed, most_snippets)
        else:
            unplaced.append(c)
    return PseudoLabels(tuple(instances), tuple(unplaced), tuple(best_scores))


def all_proposals(
    activations: VideoActivations,
    labels: Sequence[int],
    localization: LocalizationSettings,
) -> list[PseudoInstance]:
    """Return all proposals of the teachers for some classes, before suppression.

    Parameters
    ----------
    activations : VideoActivations
        Mean outputs of the teachers for the video.
    labels : sequence of class indices
        The classes that are looked for.
    localization : LocalizationSettings
        How the teachers localise.
    """
    if not labels:
        return []
    rules = dataclasses.replace(localization, class_threshold=0.0)
    proposals = score_proposals(_restricted_to(activations, labels), rules)
    return _instances(proposals, 1.0, activations.grid)


def _restricted_to(
    activations: VideoActivations, labels: Sequence[int]
) -> VideoActivations:
    """Return activations whose video scores are 0 for all but the given classes."""
    carried, scores = list(labels), activations.video_scores
    known = np.zeros_like(scores)  # (C + 1,)
    known[carried] = np.maximum(scores[carried], LEAST_VIDEO_SCORE)
    return dataclasses.replace(activations, video_scores=known)


def _instances(
    proposals: Detections, best: float, grid: SnippetGrid
) -> list[PseudoInstance]:
    """Return detections of one class as instances, weighted by the best score."""
    columns = (
        proposals.class_index.tolist(),
        grid.snippet_at(proposals.start_s).tolist(),
        grid.snippet_at(proposals.end_s).tolist(),
        (proposals.score / best).tolist(),
    )
    return [PseudoInstance(*row) for row in zip(*columns, strict=True)]


def _limited_coverage(
    instances: list[PseudoInstance], most: int
) -> list[PseudoInstance]:
    """Return instances, best first, with weight 0 once ``most`` snippets are covered.

    Examples
    --------
    >>> [x.weight for x in _limited_coverage([
    ...     PseudoInstance(0, 0, 4, 1.0), PseudoInstance(0, 20, 22, 0.9),
    ...     PseudoInstance(0, 6, 9, 0.8)], most=6)]
    [1.0, 0.9, 0.0]
    """
    covered = itertools.accumulate(max(x.end - x.start, 1.0) for x in instances)
    return [
        x if n == 0 or not most or snippets <= most else x._replace(weight=0.0)
        for n, (x, snippets) in enumerate(zip(instances, covered, strict=True))
    ]


def mean_best_score(labels: Iterable[PseudoLabels]) -> float:
    """Return the mean best score of a class in a video, over videos and classes.

    It is at least `LEAST_MEAN_BEST_SCORE`. Classes that were not found are left out.

    Parameters
    ----------
    labels : iterable of PseudoLabels
        The pseudo labels of each training video.

    Examples
    --------
    >>> first = PseudoLabels((), (), (0.5, 0.75))
    >>> mean_best_score([first, PseudoLabels((), (0,), (1.0,))])
    0.75
    >>> mean_best_score([PseudoLabels((), (), (0.2,))])
    0.5
    """
    best = [score for of_video in labels for score in of_video.best_scores]
    return max(sum(best) / max(len(best), 1), LEAST_MEAN_BEST_SCORE)


class StudentTask:
    """What the training loop minimises when it trains a student.

    Parameters
    ----------
    dataset : WeakDataset
        The features of the training videos; its labels are not looked at.
    labels : mapping of video id to PseudoLabels
        The pseudo labels of each video of the dataset.
    central_share : float
        Middle part of a pseudo label that the student must recognise, as a share of its
        length; `PseudoLabelSettings.central_share`.
    marked_weight : float
        How much the boundaries of a marked segment count;
        `PseudoLabelSettings.marked_weight`.
    snippets : int
        Longest piece of a video in one step; `StudentTrainingSettings.snippets`. An
        epoch draws as many pieces of each video as cover its length, so that long
        videos are learned from in proportion to what they hold.
    precision : str
        ``"fp32"`` or ``"bf16"``: the number format in which the network is computed.
    """

    terms: tuple[str, ...] = ("total", "classes", "boundaries")

    def __init__(
        self,
        dataset: WeakDataset,
        labels: Mapping[str, PseudoLabels],
        *,
        central_share: float,
        marked_weight: float = 1.0,
        snippets: int,
        precision: str,
    ) -> None:
        self.device = dataset.device
        self._dataset = dataset
        self._labels = [labels[video] for video in dataset.video_ids]
        pieces = dataset.lengths.add(snippets - 1) // snippets
        # which video each piece is drawn from, as its place in the dataset
        self._video_of = torch.arange(len(pieces)).repeat_interleave(pieces)
        self.video_ids = tuple(dataset.video_ids[i] for i in self._video_of.tolist())
        self._targets = TargetsOfVideos(
            self._labels,
            dataset.lengths,
            dataset.labels.shape[1],
            central_share,
            marked_weight,
            device=self.device,
        )
        self._sampling = SamplingSettings(snippets, "crop")
        self._is_bf16 = computed_in(precision, self.device) == "bf16"
        middles = sum(
            max(central_share * (x.end - x.start) * x.weight, x.weight)
            for of_video in self._labels
            for x in of_video.instances
        )
        # mean number of snippets near instances in a piece; losses are sums over
        # snippets, divided by this
        self._scale = max(middles / len(self.video_ids), 1e-9)

    @property
    def is_on_device(self) -> bool:
        """Whether a step reads nothing that lies elsewhere than on the device."""
        return self._dataset.is_on_device

    def early_end(self, *_: object) -> int:
        """Return 0, because a student takes all epochs of its schedule."""
        return 0

    def draw(self, index: Tensor, part: slice, generator: torch.Generator) -> Draws:
        """Draw where each piece lies in its video, and the seed of its dropout."""
        videos = self._video_of[index]
        return self._dataset.draw(videos, self._sampling, generator, part)

    def losses(self, network: nn.Module, drawn: Draws) -> Tensor:
        """Return each term for each piece that this process computes, (3, pieces).

        Parameters
        ----------
        network : nn.Module
            The student.
        drawn : Draws
            What `draw` returned for the step.
        """
        batch = self._dataset.batch(drawn, self._sampling)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_bf16):
            output: StudentOutput = network(batch.features, batch.mask, drawn.seeds)
        videos = drawn.videos.to(self.device)
        wanted = self._targets.of(videos, batch.position.long())
        label, label_weight, distance, distance_weight = wanted
        is_snippet = batch.mask.float()  # (pieces, T), 0 at padding
        of_class = (
            focal_loss(output.logits, label) * label_weight * is_snippet.unsqueeze(-1)
        )
        of_place = (
            boundary_loss(output.distance, distance) * distance_weight * is_snippet
        )
        terms = of_class.sum(dim=(1, 2)), of_place.sum(dim=1)
        by_video = torch.stack(terms) / self._scale  # (2, pieces)
        return torch.cat((by_video.sum(dim=0, keepdim=True), by_video))


def focal_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the focal loss: a cross-entropy that gives little weight to easy labels.

    Parameters
    ----------
    logits, label : tensors of one shape
        The network's logits, and 0 or 1.

    Returns
    -------
    tensor of the same shape
    """
    entropy = functional.binary_cross_entropy_with_logits(
        logits, label, reduction="none"
    )
    return entropy * (1.0 - torch.exp(-entropy)) ** FOCAL_EXPONENT


def boundary_loss(distance: Tensor, wanted: Tensor) -> Tensor:
    """Return 1 - tIoU of two intervals that contain the same point in time.

    Parameters
    ----------
    distance, wanted : tensors of shape (..., 2)
        How far each interval's start and end are from that point, from 0.

    Returns
    -------
    tensor of shape (...)
    """
    overlap = torch.minimum(distance, wanted).sum(dim=-1)
    union = torch.maximum(distance, wanted).sum(dim=-1)
    return 1.0 - overlap / union.clamp(min=1e-6)
