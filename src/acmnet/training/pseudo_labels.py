"""What a student learns: instances its teachers found, as targets of every snippet.

No temporal truth enters this room: instances come from detections of trained
networks, restricted to the labels that each training video carries.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.data.datasets import SamplingSettings, WeakDataset
from acmnet.devices import computed_in
from acmnet.localization.from_activations import localize_activations
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.student import StudentOutput
from acmnet.training.second_stage_settings import PseudoLabelSettings

FOCUS = 2.0
"""Exponent of the focal loss (Lin et al., ICCV 2017)."""
SURE = 0.5
"""Of teachers that are usually less sure than this no score is raised as if they were
(docs/decisions.md, D-032)."""


class PseudoInstance(NamedTuple):
    """An instance that the teachers are confident of."""

    class_index: int
    start: float
    """In snippets, where a whole number is the middle of one."""
    end: float
    weight: float
    """Its score over the best of its class in its video, in (0, 1]."""


class PseudoLabels(NamedTuple):
    """What the teachers say of one training video."""

    instances: tuple[PseudoInstance, ...]
    unplaced: tuple[int, ...]
    """Classes that the video carries and the teachers found nowhere: they teach
    nothing, not even that a snippet is none of them."""
    best: tuple[float, ...] = ()
    """Score of the best detection of each class that was found, above 0."""


def pseudo_labels(
    activations: VideoActivations,
    labels: Sequence[int],
    localization: LocalizationSettings,
    settings: PseudoLabelSettings,
) -> PseudoLabels:
    """Return what the teachers say of one training video.

    Parameters
    ----------
    activations : VideoActivations
        What the teachers say of the video, in the mean over them.
    labels : sequence of class indices
        What the video is known to contain; other classes are not looked for.
    localization : LocalizationSettings
        How the teachers localise; their NMS is replaced by hard NMS at
        `PseudoLabelSettings.nms_tiou`.
    settings : PseudoLabelSettings
        Which detections become instances.
    """
    if not labels:
        return PseudoLabels((), ())
    carried, said = list(labels), activations.video_scores
    known = np.zeros_like(said)
    known[carried] = np.maximum(said[carried], 1e-9)
    rules = dataclasses.replace(
        localization,
        class_threshold=0.0,
        nms="hard",
        nms_tiou=settings.nms_tiou,
        nms_padding_s=0.0,
    )
    found = localize_activations(
        dataclasses.replace(activations, video_scores=known), rules
    )
    grid = activations.grid
    instances: list[PseudoInstance] = []
    unplaced: list[int] = []
    best_of: list[float] = []
    for c in labels:
        own = found.class_index == c
        best = float(found.score[own].max(initial=0.0))
        if best <= 0.0:
            unplaced.append(c)
            continue
        best_of.append(best)
        sure = np.flatnonzero(own & (found.score >= settings.relative_score * best))
        for i in sure:
            start, end = (
                grid.snippet_at(found.start_s[i]),
                grid.snippet_at(found.end_s[i]),
            )
            instances.append(
                PseudoInstance(c, start, end, float(found.score[i]) / best)
            )
    return PseudoLabels(tuple(instances), tuple(unplaced), tuple(best_of))


def usual_best(labels: Iterable[PseudoLabels]) -> float:
    """Return the mean score of the teachers' best detections, at least `SURE`.

    Examples
    --------
    >>> usual_best([PseudoLabels((), (), (0.5, 0.75)), PseudoLabels((), (0,), (1.0,))])
    0.75
    >>> usual_best([PseudoLabels((), (), (0.2,))])
    0.5
    """
    best = [score for own in labels for score in own.best]
    return max(sum(best) / max(len(best), 1), SURE)


class Targets(NamedTuple):
    """What each snippet of one video is to say."""

    label: Tensor
    """(T, C). 1 near the middle of an instance, else 0."""
    weight: Tensor
    """(T, C). What that counts."""
    distance: Tensor
    """(T, 2). Snippets back to the start and on to the end."""
    inside: Tensor
    """(T,). What the distance counts; 0 outside of instances."""


def targets_of(
    labels: PseudoLabels, position: Tensor, n_classes: int, centre: float
) -> Targets:
    """Return the targets of the snippets at ``position`` (T,), whole numbers.

    Where instances overlap, the surer one is regressed. An instance too short to have
    a snippet near its middle is given the nearest.
    """
    n = len(position)
    label, weight = torch.zeros(n, n_classes), torch.ones(n, n_classes)
    distance, inside = torch.zeros(n, 2), torch.zeros(n)
    weight[:, list(labels.unplaced)] = 0.0
    for c, start, end, sure in sorted(labels.instances, key=lambda x: x.weight):
        away = (position - (start + end) / 2).abs()
        near = away <= centre * (end - start) / 2
        if not near.any() and float(away.min()) <= 0.5:
            near = away == away.min()
        edge = (position >= start) & (position <= end) & ~near
        weight[edge & (label[:, c] == 0), c] = 0.0
        label[near, c], weight[near, c] = 1.0, sure
        distance[near, 0] = (position[near] - start).clamp(min=0.0)
        distance[near, 1] = (end - position[near]).clamp(min=0.0)
        inside[near] = sure
    return Targets(label, weight, distance, inside)


class PseudoTask:
    """The student's training: batches of stretches of video, and their losses.

    Parameters
    ----------
    dataset : WeakDataset
        Features; its labels are not used again.
    labels : mapping of video id to PseudoLabels
        Of every video of the dataset.
    central_share : float
        Middle part of a pseudo label that the student must recognise, as a share of its
        length; `PseudoLabelSettings.central_share`.
    snippets : int
        Longest piece of a video in one step; `StudentTrainingSettings.snippets`.
    precision : str
        ``"fp32"`` or ``"bf16"``, of forward and backward pass, as for the network.
    """

    terms: tuple[str, ...] = ("total", "classes", "boundaries")

    def __init__(
        self,
        dataset: WeakDataset,
        labels: Mapping[str, PseudoLabels],
        *,
        central_share: float,
        snippets: int,
        precision: str,
    ) -> None:
        self.video_ids = dataset.video_ids
        self.device = dataset.device
        self._dataset = dataset
        self._labels = [labels[video] for video in dataset.video_ids]
        self._central_share = central_share
        self._sampling = SamplingSettings(snippets, "crop")
        self._is_bf16 = computed_in(precision, self.device) == "bf16"
        middles = sum(
            max(central_share * (x.end - x.start) * x.weight, x.weight)
            for own in self._labels
            for x in own.instances
        )
        self._scale = max(middles / len(self._labels), 1e-9)

    def losses(
        self, network: nn.Module, index: Tensor, part: slice, generator: torch.Generator
    ) -> Tensor:
        """Return each term of each video of this process, (3, videos)."""
        batch = self._dataset.batch(index, self._sampling, generator, part)
        seeds = torch.randint(2**62, (len(index),), generator=generator)[part]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_bf16):
            output: StudentOutput = network(batch.features, batch.mask, seeds)
        n_classes = output.logits.shape[-1]
        position = batch.position.float().cpu()
        wanted = [
            targets_of(self._labels[i], row, n_classes, self._central_share)
            for i, row in zip(index[part].tolist(), position, strict=True)
        ]
        here = batch.mask.float()
        label, weight, distance, inside = (
            torch.stack(x).to(self.device) for x in zip(*wanted, strict=True)
        )
        classes = focal_loss(output.logits, label) * weight * here.unsqueeze(-1)
        boundaries = boundary_loss(output.distance, distance) * inside * here
        terms = classes.sum(dim=(1, 2)), boundaries.sum(dim=1)
        # by the instances' mean size over all videos: a video without any counts too
        by_video = torch.stack(terms) / self._scale
        return torch.cat((by_video.sum(dim=0, keepdim=True), by_video))


def focal_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Return the binary cross-entropy, less where it is already small; any shape."""
    entropy = functional.binary_cross_entropy_with_logits(
        logits, label, reduction="none"
    )
    return entropy * (1.0 - torch.exp(-entropy)) ** FOCUS


def boundary_loss(distance: Tensor, wanted: Tensor) -> Tensor:
    """Return 1 - tIoU of two intervals around one snippet, (..., 2) to (...)."""
    overlap = torch.minimum(distance, wanted).sum(dim=-1)
    union = torch.maximum(distance, wanted).sum(dim=-1)
    return 1.0 - overlap / union.clamp(min=1e-6)
