"""The settings with which what a network says of a video becomes detections."""

import dataclasses
from typing import Literal

import numpy as np

from acmnet.limits import refuse_beyond


@dataclasses.dataclass(frozen=True)
class LocalizationSettings:
    """How activations become detections."""

    test_snippets: int = 0
    """Snippets that a longer test video is sampled to; 0 keeps its full length."""

    class_threshold: float = 0.25
    """A class is localised when its video score is above this, in [0, 1)."""
    class_threshold_of: Literal["one", "best"] = "best"
    """The threshold is of one (authors) or a share of the video's best class."""

    smoothing_snippets: float = 0.0
    """CAS and attention become means over their neighbours, weighed by a Gaussian of
    this standard deviation; 0 leaves them as they are."""
    activation_scale: Literal["softmax", "above_chance"] = "above_chance"
    """CAS as it is, or 0 at the softmax's floor 1 / (C + 1) and 1 at 1 (D-008)."""
    activation_thresholds: tuple[float, ...] = (0.15, 0.2)
    """Proposals are the runs of the instance CAS at or above each of these."""
    attention_thresholds: tuple[float, ...] = tuple(
        round(0.15 + 0.05 * i, 2) for i in range(17)
    )
    """Proposals are the runs of the instance attention at or above each of these."""
    threshold_of: Literal["one", "peak"] = "one"
    """Both thresholds are of one, or shares of the sequence's peak in this video."""

    upsampling: int = 20
    """Cells of the fine grid in one snippet, from 1."""
    time_alignment: Literal["centre", "left"] = "centre"
    """Where snippet t's score lies: the middle of its window, or its left edge."""
    shortest_cells: int = 2
    """Runs of fewer cells are no proposals (`net_evaluation.py:150`)."""

    attention_weight: float = 0.0
    """Alpha of eq. 15: share of the attention in what the contrast measures."""
    contrast_margin: float = 0.2
    """Length of each flank over the proposal's (eq. 15: 1 / 5)."""
    contrast_flanks: Literal["symmetric", "authors"] = "symmetric"
    """Both flanks rounded up, or as `net_evaluation.py:156-157` cuts them."""
    contrast_outer: Literal["pooled", "full"] = "pooled"
    """Outer mean over the flanks inside the video (code), or over 2 t_l (eq. 15)."""
    contrast_zeroed: bool = False
    """Set what is cut to 0 below its threshold before measuring it (authors)."""
    activation_video_weight: float = 0.25
    """Gamma: share of the class's video score added to CAS proposals' (D-016)."""
    attention_video_weight: float = 0.25
    """Gamma, likewise for attention proposals (ActivityNet, authors: 0.25)."""

    nms: Literal["hard", "soft"] = "hard"
    """Drop a proposal that overlaps a better one, or decay its score."""
    nms_tiou: float = 0.55
    """Hard: the tIoU, in (0, 1], at which the lesser proposal is dropped."""
    nms_padding_s: float = 0.0
    """Seconds added to every length and overlap in NMS (authors: 1, D-004)."""
    soft_nms_sigma: float = 0.5
    """Soft: a score decays by exp(-tIoU^2 / sigma); above 0."""

    unit_scores: bool = True
    """Map the scores of a trained model's detections into [0, 1], in the same order
    (D-049); false keeps the contrast's own, from -1 to about 1.25 (authors)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_beyond(dataclasses.asdict(self))
        for name in ("activation_thresholds", "attention_thresholds"):
            for value in getattr(self, name):
                if not 0.0 < value < 1.0:
                    raise ValueError(f"{name} must be in (0, 1), got {value}")
        if not self.activation_thresholds + self.attention_thresholds:
            raise ValueError("at least one activation or attention threshold is needed")
        for name, valid, rule in (
            ("class_threshold", 0.0 <= self.class_threshold < 1.0, "in [0, 1)"),
            ("attention_weight", 0.0 <= self.attention_weight <= 1.0, "in [0, 1]"),
            ("nms_tiou", 0.0 < self.nms_tiou <= 1.0, "in (0, 1]"),
            ("upsampling", self.upsampling >= 1, "at least 1"),
            ("shortest_cells", self.shortest_cells >= 1, "at least 1"),
            ("test_snippets", self.test_snippets >= 0, "at least 0"),
            ("smoothing_snippets", 0.0 <= self.smoothing_snippets < np.inf, "from 0"),
            ("contrast_margin", self.contrast_margin > 0.0, "above 0"),
            ("nms_padding_s", self.nms_padding_s >= 0.0, "at least 0"),
            ("soft_nms_sigma", self.soft_nms_sigma > 0.0, "above 0"),
        ):
            if not valid:
                raise ValueError(f"{name} must be {rule}, got {getattr(self, name)}")
