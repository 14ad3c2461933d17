"""Dropout that depends on the video, not on the batch or the process it is in."""

import torch
from torch import Tensor


class VideoDropout:
    """Dropout whose draw depends on the video's own seed, not on its batch (D-014)."""

    def __init__(self, active: bool, seeds: Tensor | None, features: Tensor) -> None:
        self.active = active
        self.generators: list[torch.Generator] = []
        if not active:
            return
        if seeds is None:
            seeds = torch.randint(2**62, (len(features),))
        for seed in seeds.tolist():
            generator = torch.Generator(features.device)
            self.generators.append(generator.manual_seed(seed))

    def __call__(self, x: Tensor, rate: float) -> Tensor:
        """Drop entries of (B, T, D)."""
        if not self.active or rate == 0.0:
            return x
        everywhere = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return self.rows(x.flatten(0, 1), everywhere, rate).view_as(x)

    def snippets(self, x: Tensor, rate: float) -> Tensor:
        """Return which snippets of (B, T, D) stay: (B, T) bool."""
        kept = torch.empty(x.shape[:2], device=x.device)
        for video, generator in zip(kept, self.generators, strict=True):
            video.bernoulli_(1.0 - rate, generator=generator)
        return kept.bool()

    def rows(self, x: Tensor, shown: Tensor, rate: float) -> Tensor:
        """Drop entries of (M, D), the rows of all videos where ``shown`` (B, T)."""
        if rate == 0.0:
            return x
        # of its own layout: x may lie in memory by channel, which would be drawn so
        kept = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        counts = shown.sum(dim=1).tolist()
        parts = torch.split(kept, counts)
        for part, generator in zip(parts, self.generators, strict=True):
            part.bernoulli_(1.0 - rate, generator=generator)
        return x * kept.div_(1.0 - rate)
