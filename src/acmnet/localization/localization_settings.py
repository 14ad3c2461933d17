"""Settings of localisation."""

import dataclasses
from typing import Literal

from acmnet.limits import refuse_out_of_range


@dataclasses.dataclass(frozen=True)
class LocalizationSettings:
    """How the scores that a network gives a video become detections.

    The settings say which classes are looked for, where proposals of them begin and
    end, how a proposal is scored, and which proposals are kept. C is the number of
    classes; the class activation sequence (CAS) is that of the instance branch.
    """

    test_snippets: int = 0
    """Snippets that a longer video is sampled to before the network sees it, at least
    0; 0 keeps all snippets of every video."""

    class_threshold: float = 0.25
    """A class is looked for in a video when the network's score for it in the whole
    video is above this threshold, in [0, 1). If no class is above it, the class with
    the highest score is looked for."""
    class_threshold_scale: Literal["absolute", "relative_to_best"] = "relative_to_best"
    """With "absolute", `class_threshold` is compared with the score of a class itself
    (authors' code). With "relative_to_best", it is compared with that score divided by
    the score of the video's best class (D-012)."""

    smoothing_snippets: float = 0.0
    """Standard deviation, in snippets, of the Gaussian that smooths CAS and attention
    over time before thresholds cut them; 0 smooths nothing."""
    activation_scale: Literal["softmax", "above_chance"] = "above_chance"
    """With "softmax", the CAS is what the softmax over classes gives. With
    "above_chance", it is rescaled first: the value of a snippet that cannot tell the
    classes apart, 1 / (C + 1), becomes 0, and 1 stays 1 (D-008)."""
    activation_thresholds: tuple[float, ...] = (0.15, 0.2)
    """Each stretch of time in which the CAS of a class is at or above one of these
    thresholds is a proposal for that class; each threshold in (0, 1)."""
    attention_thresholds: tuple[float, ...] = tuple(
        round(0.15 + 0.05 * i, 2) for i in range(17)
    )
    """Each stretch of time in which the attention to instances is at or above one of
    these thresholds is a proposal for every class looked for; each threshold in (0, 1).
    """
    threshold_scale: Literal["absolute", "relative_to_peak"] = "absolute"
    """With "absolute", `activation_thresholds` and `attention_thresholds` are compared
    with CAS and attention themselves. With "relative_to_peak", they are compared with
    CAS and attention divided by their highest value in the video."""

    upsampling: int = 20
    """Cells that each snippet is divided into, at least 1: CAS and attention are
    interpolated to cells, so that a proposal can begin and end inside a snippet."""
    time_alignment: Literal["centre", "left"] = "centre"
    """With "centre", the score of a snippet lies in the middle of its frames. With
    "left", it lies at the first of them, half a snippet early (authors' code, D-003).
    """
    shortest_cells: int = 2
    """Length, in cells, that a stretch of time must have to be a proposal, at least 1
    (authors' code, `net_evaluation.py:150`)."""

    split_at_cuts: bool = False
    """Whether proposals end at the cuts of an edited video, so that no detection lasts
    from one shot into the next (D-071). Only videos whose features `acmnet extract`
    made have known cuts."""

    attention_weight: float = 0.0
    """Alpha of eq. 15, in [0, 1]: how much the contrast on the attention counts in the
    score of a proposal; the contrast on the CAS counts for the rest."""
    contrast_margin: float = 0.2
    """Length of each flank as a share of the proposal's length, above 0 (1 / 5 in eq.
    15). The contrast compares the inside of a proposal with its flanks, the time just
    before and just after it."""
    contrast_flanks: Literal["symmetric", "right_rounded_down"] = "symmetric"
    """With "symmetric", both flanks are rounded up to whole cells. With
    "right_rounded_down", the left flank is rounded up and the right one down, as in the
    authors' code (`net_evaluation.py:156-157`, D-007)."""
    contrast_outer: Literal["pooled", "full"] = "pooled"
    """With "pooled", the flanks' mean is taken over their cells inside the video
    (authors' code). With "full", it is taken over the whole length of both flanks, also
    where one reaches beyond the video (eq. 15 as printed)."""
    contrast_zeroed: bool = False
    """Whether values below the threshold that a proposal was cut at count as 0 in its
    contrast (authors' code)."""
    activation_video_weight: float = 0.25
    """Gamma for proposals cut from the CAS: the score of their class in the whole
    video, times this weight, is added to their own (D-016)."""
    attention_video_weight: float = 0.25
    """Gamma for proposals cut from the attention: the score of their class in the whole
    video, times this weight, is added to their own (authors' code for ActivityNet:
    0.25)."""

    nms: Literal["hard", "soft"] = "hard"
    """With "hard", a proposal that overlaps a better one of its class is dropped. With
    "soft", its score is lowered; only the best 250 of a class are kept then, or in long
    videos one for every 8 snippets (D-137)."""
    nms_tiou: float = 0.55
    """With hard NMS, the overlap with a better proposal from which on a proposal is
    dropped, in (0, 1]. The overlap is their tIoU: the time that both cover, divided by
    the time that either covers."""
    nms_padding_s: float = 0.0
    """With hard NMS, seconds that are added to every length and every overlap, at least
    0. The authors' code adds 1, which is right for pixels only (D-004)."""
    soft_nms_sigma: float = 0.5
    """With soft NMS, every better proposal multiplies a score by exp(-tIoU^2 / sigma);
    above 0. The larger sigma, the less is suppressed."""

    unit_scores: bool = True
    """Whether the scores of a trained model's detections are mapped into [0, 1], in the
    same order (D-049). If false, they run from -1 to about 1.25, as in the authors'
    code."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "in (0, 1)": ["activation_thresholds", "attention_thresholds"],
                "in [0, 1)": ["class_threshold"],
                "in [0, 1]": ["attention_weight"],
                "in (0, 1]": ["nms_tiou"],
                "at least 1": ["upsampling", "shortest_cells"],
                "at least 0": ["test_snippets", "smoothing_snippets", "nms_padding_s"],
                "above 0": ["contrast_margin", "soft_nms_sigma"],
            },
        )
        if not self.activation_thresholds + self.attention_thresholds:
            raise ValueError("at least one activation or attention threshold is needed")
