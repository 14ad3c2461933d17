"""Two streams that gate each other: what one shows decides what counts of the other.

Notation: B videos, T snippets, D columns, of which the first M are the first stream.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.network.video_dropout import VideoDropout

REACH_SNIPPETS = 1
"""Neighbours on either side that a gate looks at."""
_DROPOUT = 0.5
_SLOPE = 0.2


class StreamGates(nn.Module):
    """Scale every entry of a stream by a number in (0, 1), told by both streams.

    ``sigmoid(local(other stream) * overall(mean of this stream)) * this stream``, once
    for each stream.

    Parameters
    ----------
    first, second : int
        Columns of the streams, each at least 1.

    References
    ----------
    Hong et al. 2021 (CO2-Net, arXiv 2107.12589), section 3.2, the cross-modal consensus
    module; sizes, slopes and dropout are those of the authors' `model.py`. Theirs
    convolves the mean, one snippet between zeros, which is this linear layer.

    Examples
    --------
    >>> gates = StreamGates(2, 1).eval()
    >>> features = torch.ones(1, 4, 3)
    >>> drop = VideoDropout(False, None, features)
    >>> gated = gates(features, features.mean(dim=1), drop)
    >>> bool(((gated > 0) & (gated < 1)).all())
    True
    """

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        widths = self.widths = [first, second]
        for name, width in zip(("first", "second"), widths, strict=True):
            if width < 1:
                raise ValueError(f"the {name} stream must have a column, got {width}")
        window = 2 * REACH_SNIPPETS + 1
        self.local = nn.ModuleList(
            nn.Conv1d(other, own, window, padding="same")
            for own, other in (widths, widths[::-1])
        )
        self.overall = nn.ModuleList(nn.Linear(width, width) for width in widths)

    def forward(self, features: Tensor, mean: Tensor, drop: VideoDropout) -> Tensor:
        """Return the gated features.

        Parameters
        ----------
        features : (B, T, D)
            Zero where there is no snippet.
        mean : (B, D)
            Of each video's snippets, all of them.
        drop : VideoDropout
            Of these videos.

        Returns
        -------
        (B, T, D) tensor
        """
        streams = torch.split(features, self.widths, dim=2)
        means = torch.split(mean.unsqueeze(1), self.widths, dim=2)
        gated = []
        for own, other, whole, local, overall in zip(
            streams, streams[::-1], means, self.local, self.overall, strict=True
        ):
            seen = local(other.transpose(1, 2)).transpose(1, 2)
            seen, known = (
                drop(functional.leaky_relu(x, _SLOPE), _DROPOUT)
                for x in (seen, overall(whole))
            )
            gated.append(torch.sigmoid(seen * known) * own)
        return torch.cat(gated, dim=2)
