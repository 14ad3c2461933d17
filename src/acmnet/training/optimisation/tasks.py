"""What a training loop needs of a task, and what it records of a step."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from acmnet.data.datasets import Draws


class Task(Protocol):
    """What is learned: videos, and what a network loses on them."""

    video_ids: tuple[str, ...]
    """The videos, in the order of the indices that `draw` is given."""
    device: torch.device
    """Where the network computes."""
    terms: tuple[str, ...]
    """Names of the losses; the first one is minimised, the others are logged."""

    @property
    def is_on_device(self) -> bool:
        """Whether `losses` reads nothing that lies elsewhere than on the device."""

    def draw(self, index: Tensor, part: slice, generator: torch.Generator) -> Draws:
        """Draw, on the CPU, all that chance decides of one step.

        Parameters
        ----------
        index : (B,) tensor
            Indices of the videos of the whole batch, also of those that other processes
            compute: so what is drawn does not depend on the number of processes.
        part : slice
            The share of ``index`` that this process computes.
        generator : Generator
            The source of everything that is drawn.
        """

    def losses(self, network: nn.Module, drawn: Draws) -> Tensor:
        """Return each loss of each video of this process, (terms, videos).

        On a GPU it must not wait for the GPU, so that steps can follow each other.

        Parameters
        ----------
        network : Module
            The network that learns.
        drawn : Draws
            What `draw` returned; its tensors may have been copied to the device.
        """

    def early_end(self, epoch: int, steps: int, losses: Mapping[str, float], /) -> int:
        """Return the epoch, from 1, at which the training may end; 0 if not known.

        It is asked after each epoch until it knows.

        Parameters
        ----------
        epoch, steps : int
            The epoch, from 1, and how many steps it had.
        losses : mapping of str to float
            Each loss by name, in the mean over the videos of the epoch.
        """


class StepRecord(NamedTuple):
    """One optimisation step, as it goes into the log."""

    epoch: int
    """Number of the epoch, from 1."""
    step: int
    """Number of the step, from 1, counted over the whole run."""
    losses: Mapping[str, float]
    """Every loss by name, such as those of `LossTerms`: the mean over the videos."""
    videos: int
    """Videos in the step."""
    seconds: float
    """How long the step took; on a GPU, the mean over the steps of its epoch."""
    of_epochs: int = 0
    """Epochs of all trainings that are counted together; 0 where that is not known."""
