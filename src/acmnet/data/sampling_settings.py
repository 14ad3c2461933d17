"""How videos are sampled in training, which can be read without importing torch."""

import dataclasses
from collections.abc import Collection
from typing import Literal

from acmnet.limits import refuse_out_of_range

Sampling = Literal["random", "interpolate", "uniform", "crop"]


@dataclasses.dataclass(frozen=True)
class SamplingSettings:
    """How many snippets of each video one training step shows, and which."""

    snippets: int = 750
    """T of the paper: snippets that a video is sampled to in training, at least 1."""
    method: Sampling = "uniform"
    """How the T snippets are chosen. Of a video with more than T snippets, "uniform"
    takes evenly spaced ones, "random" one from each of T equal parts (authors' code),
    and "crop" T successive ones from a random place on. A video with fewer than T keeps
    all of them, except with "random", which draws T of them with repetition.
    "interpolate" interpolates the features of every video to T points in time (the
    paper, III-B1)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(dataclasses.asdict(self), {"at least 1": ["snippets"]})

    def mean_snippets(self, lengths: Collection[int]) -> float:
        """Return how many snippets of a video a step shows, in the mean.

        Parameters
        ----------
        lengths : collection of int
            Snippets of each training video, from 1; at least one video.

        Examples
        --------
        >>> SamplingSettings(snippets=100).mean_snippets([40, 1800])
        70.0
        """
        return sum(min(length, self.snippets) for length in lengths) / len(lengths)
