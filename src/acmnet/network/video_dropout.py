"""Dropout that does not depend on the batch or the process in which a video is."""

from collections.abc import Sequence

import torch
from torch import Tensor


class VideoDropout:
    """Dropout of B videos, each drawn from a seed of its own.

    A video's draw does not depend on the batch or the process that it is in (D-014).
    Each call goes on drawing from the same generators.

    Parameters
    ----------
    active : bool
        False for a network that is not training: nothing is dropped or drawn.
    seeds : (B,) int64 tensor or sequence of B generators, optional
        The seed of each video, or a seeded generator on the device for each video. When
        left out, seeds are drawn from torch's global generator.
    features : (B, ...) tensor
        Any tensor of the batch; only its length and its device are looked at.
    """

    def __init__(
        self,
        active: bool,
        seeds: Tensor | Sequence[torch.Generator] | None,
        features: Tensor,
    ) -> None:
        self.active = active
        self.generators: Sequence[torch.Generator] = ()
        if not active:
            return
        if seeds is None:
            seeds = torch.randint(2**62, (len(features),))
        if isinstance(seeds, Tensor):
            seeds = [
                torch.Generator(features.device).manual_seed(seed)
                for seed in seeds.tolist()
            ]
        self.generators = seeds

    def __call__(self, x: Tensor, rate: float) -> Tensor:
        """Return (B, T, D) with a share ``rate`` of the entries set to 0.

        The other entries are divided by ``1 - rate``, so that their mean stays.
        """
        if not self.active or rate == 0.0:
            return x
        counts = [x.shape[1]] * len(x)
        # (B * T, D), the snippets of the first video first
        return self.rows(x.flatten(0, 1), counts, rate).view_as(x)

    def snippets(self, x: Tensor, rate: float) -> Tensor:
        """Return which snippets of (B, T, D) stay: (B, T) bool."""
        kept = torch.empty(x.shape[:2], device=x.device)
        for video, generator in zip(kept, self.generators, strict=True):
            video.bernoulli_(1.0 - rate, generator=generator)
        return kept.bool()

    def rows(self, x: Tensor, counts: Sequence[int], rate: float) -> Tensor:
        """Return (M, D) with a share ``rate`` of the entries set to 0.

        Parameters
        ----------
        x : (M, D) tensor
            Snippets of all videos, those of the first video first.
        counts : sequence of B int
            How many of them belong to each video.
        rate : float
            In [0, 1).
        """
        if rate == 0.0:
            return x
        is_cpu = x.device.type == "cpu"
        # not empty_like: x may lie in memory channel by channel, and the draw fills
        # memory in order, so that the same seed would drop other entries
        kept = torch.empty(
            x.shape, dtype=x.dtype if is_cpu else torch.bool, device=x.device
        )
        parts = torch.split(kept, list(counts))  # (count, D) each, one a video
        for part, generator in zip(parts, self.generators, strict=True):
            part.bernoulli_(1.0 - rate, generator=generator)
        if is_cpu:
            return x * kept.div_(1.0 - rate)
        # one pass over memory, forward and backward
        scaled: Tensor = torch.ops.aten.native_dropout_backward(x, kept, 1 / (1 - rate))
        return scaled
