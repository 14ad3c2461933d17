"""The training task of the paper's network: video-level labels, marks, and its end."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn

from acmnet.data.datasets import FIXED_LENGTH, Draws, WeakDataset
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.network.acm_net import ACMNetOutput
from acmnet.runtime.devices import computed_in
from acmnet.training.first_stage.losses import LossTerms, branch_targets, video_losses
from acmnet.training.first_stage.marked_snippets import (
    KnownLabels,
    SnippetMarks,
    known_labels,
    marked_loss,
)
from acmnet.training.first_stage.training_settings import LossSettings, TrainingSettings

LEARNED: Final = 0.25
"""The names are learned once the instance branch loses less than this share of what it
would lose by saying the same of every video (D-157)."""
FEWEST_STEPS: Final = 50
"""Least number of steps of a training that ends early."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that determines a training besides the data and the first weights."""

    training: TrainingSettings
    sampling: SamplingSettings
    loss: LossSettings
    seed: int
    """Seed of the order of videos, of sampling and of dropout."""
    marks: Mapping[str, SnippetMarks] = dataclasses.field(default_factory=dict)
    """Marks of a person, or mined from names, by video; empty to learn names alone."""


class WeakTask:
    """The paper's training: video-level labels and the losses of `acm_loss`.

    Where a person marked times, `marked_loss` is added; see
    `acmnet.training.first_stage.marked_snippets`.

    Parameters
    ----------
    dataset : WeakDataset
        Features and labels.
    plan : Plan
        Settings and seed.
    is_early : bool
        Whether the loss of the background branch does not count yet in videos with a
        label, see `LossSettings.background_after`.
    """

    def __init__(
        self, dataset: WeakDataset, plan: Plan, is_early: bool = False
    ) -> None:
        self.video_ids = dataset.video_ids
        self.device = dataset.device
        self._dataset = dataset
        self._plan = plan
        self._is_early = is_early
        known = _KnownOfVideos(dataset, plan.marks if plan.loss.marks_weight else {})
        self._known = None if known.is_empty else known
        self.terms = LossTerms._fields + (("marks",) if self._known else ())
        factor = plan.training.early_end if self._known is None else 0.0
        self._early_end = EarlyEnd(dataset.labels, factor) if factor else None
        precision = computed_in(plan.training.precision, self.device)
        self._is_bf16 = precision == "bf16"

    @property
    def is_on_device(self) -> bool:
        """Whether a step reads nothing that lies elsewhere than on the device."""
        return self._dataset.is_on_device

    def early_end(self, epoch: int, steps: int, losses: Mapping[str, float], /) -> int:
        """Return the epoch at which a training ends that has learned the names."""
        if self._early_end is None:
            return 0
        return self._early_end(epoch, steps, losses["instance"])

    def draw(self, index: Tensor, part: slice, generator: torch.Generator) -> Draws:
        """Draw which snippets of the videos are seen, and the seeds of the dropout."""
        return self._dataset.draw(index, self._plan.sampling, generator, part)

    def losses(self, network: nn.Module, drawn: Draws) -> Tensor:
        """Return the terms of `LossTerms` of each video of this process."""
        plan = self._plan
        batch = self._dataset.batch(drawn, plan.sampling)
        # without padding there is nothing to hide, which saves a GPU a pass
        mask = None if plan.sampling.method in FIXED_LENGTH else batch.mask
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_bf16):
            output: ACMNetOutput = network(batch.features, mask, drawn.seeds)
        losses = video_losses(output, batch.labels, plan.loss)._asdict()
        if self._is_early:
            is_labelled = (batch.labels.sum(dim=1) > 0).float()  # (B,)
            beyond = plan.loss.background_weight * losses["background"]
            losses["total"] = losses["total"] - is_labelled * beyond
        if self._known is not None:
            known = self._known.of(drawn.videos.to(self.device), batch.position)
            losses["marks"] = marked_loss(output, known)
            losses["total"] = losses["total"] + plan.loss.marks_weight * losses["marks"]
        return torch.stack([losses[name] for name in self.terms])


class _KnownOfVideos:
    """The classes that marks show to be present or absent, for each snippet of a video.

    Parameters
    ----------
    dataset : WeakDataset
        The training videos.
    marks : mapping of video id to SnippetMarks
        The marks of some of them; those of other videos are ignored.
    """

    def __init__(self, dataset: WeakDataset, marks: Mapping[str, SnippetMarks]) -> None:
        n_classes = dataset.labels.shape[1]
        # row 0 is that of all snippets of videos without a mark
        nothing = known_labels(SnippetMarks(), torch.zeros(1), n_classes)
        parts, first = [nothing], torch.full((len(dataset),), -1)
        for i, video in enumerate(dataset.video_ids):
            if video in marks:
                first[i] = sum(len(part.label) for part in parts)
                position = torch.arange(float(dataset.lengths[i]))
                parts.append(known_labels(marks[video], position, n_classes))
        self._first = first.to(dataset.device)
        label, is_known = (torch.cat(x) for x in zip(*parts, strict=True))
        self._known = KnownLabels(label.to(dataset.device), is_known.to(dataset.device))
        self.is_empty = len(parts) == 1

    def of(self, index: Tensor, position: Tensor) -> KnownLabels:
        """Return the known classes at snippets (B, T) of the videos ``index`` (B,)."""
        first = self._first[index].unsqueeze(1)  # (B, 1); -1 without marks
        row = torch.where(first < 0, 0, first + position.round().long())
        return KnownLabels(*(x[row] for x in self._known))


class EarlyEnd:
    """Finds the epoch at which a training may end, from the losses of each epoch.

    A network that has learned which video carries which name goes on to learn single
    videos by heart: their places, persons and cameras.

    Parameters
    ----------
    labels : (videos, C) tensor
        1 where a video contains the class, else 0.
    factor : float
        How many times as many epochs a training takes as it needs to learn the names;
        at least 1.
    """

    def __init__(self, labels: Tensor, factor: float) -> None:
        self._least, constant = bounds(labels)
        self._learned = LEARNED * (constant - self._least)
        self._factor = factor

    def __call__(self, epoch: int, steps: int, lost: float) -> int:
        """Return the epoch, from 1, at which the training may end; 0 if not yet known.

        Parameters
        ----------
        epoch, steps : int
            The epoch that was just finished, from 1, and the steps of each epoch.
        lost : float
            What the instance branch lost in it, in the mean over the videos.
        """
        if lost - self._least >= self._learned:
            return 0
        return max(math.ceil(self._factor * epoch), math.ceil(FEWEST_STEPS / steps))


def bounds(labels: Tensor) -> tuple[float, float]:
    """Return two losses of the instance branch, in the mean over the training videos.

    Parameters
    ----------
    labels : (videos, C) tensor
        1 where a video contains the class, else 0.

    Returns
    -------
    tuple of float
        The least possible one, which is not 0 where videos contain several classes,
        and the least one of a network that says the same of every video. They are
        equal if all videos have the same labels, and such labels teach nothing.

    Examples
    --------
    Of four videos, two show only the one class and two show nothing.

    >>> least, constant = bounds(torch.tensor([[1.0], [1.0], [0.0], [0.0]]))
    >>> least, round(constant, 4) == round(math.log(2), 4)
    (0.0, True)
    """
    target, _, _ = branch_targets(labels.double())  # (videos, C + 1)
    least = torch.special.entr(target).sum(dim=1).mean()
    constant = torch.special.entr(target.mean(dim=0)).sum()
    return float(least), float(constant)
