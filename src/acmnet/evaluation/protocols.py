"""Evaluation protocols by name: which videos count, and when a detection is true.

Two papers that both print "THUMOS14 mAP" need not mean the same thing. They differ in
which videos are scored, in whether instances are rounded to a grid, in whether
detections or instances choose first in the matching, and in how AP is computed. A
protocol states these rules in one place; `acmnet.evaluation.reports` applies them.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

from acmnet.evaluation.tiou import parse_tiou
from acmnet.messages import did_you_mean

Matching = Literal["detection", "instance"]
"""Who chooses in the matching: detections by rank, or instances in listed order."""

AMBIGUOUS: Final = "Ambiguous"
"""THUMOS14's label for intervals about which its annotators were not sure."""

WRONG_VIDEOS: Final = ("video_test_0000270", "video_test_0001496")
"""THUMOS14 test videos whose annotations belong to another video."""

AMBIGUOUS_VIDEO: Final = "video_test_0001292"
"""The THUMOS14 test video of which all intervals are labelled Ambiguous."""

THUMOS_GRID_S: Final = Fraction(16, 25)
"""Length in seconds of a snippet of 16 frames at 25 frames a second."""

YOUTUBE_ID: Final = 11
"""Pattern of ActivityNet's video names: a YouTube id, with or without ``v_``."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The rules by which detections are scored; `protocol` returns one by name.

    Examples
    --------
    >>> authors = protocol("thumos14-authors")
    >>> authors.videos, authors.unscored
    (212, ('video_test_0000270', 'video_test_0001496'))
    """

    name: str
    rules: str
    """A paragraph with all rules and their source."""
    tiou: tuple[float, ...]
    """tIoU thresholds, unless others are requested."""
    subsets: tuple[str, ...] = ()
    """Possible names, in lower case, of the subset that is scored; empty for all
    videos."""
    left_out: tuple[str, ...] = ()
    """Videos that are not scored at all."""
    unscored: tuple[str, ...] = ()
    """Videos whose instances count, but whose detections do not."""
    matching: Matching = "detection"
    """``"detection"``: detections choose in the order of their rank, and each takes the
    free instance that it overlaps most. ``"instance"``: instances choose in the order
    in which they are listed, and each takes the free detection that overlaps it most,
    whatever its score."""
    is_strict: bool = False
    """Whether a tIoU must be above the threshold; otherwise it may be equal."""
    is_interpolated: bool = True
    """Whether AP uses the highest precision at or after each recall."""
    ambiguous_label: str | None = None
    """Label of ambiguous intervals, which are instances of no class; empty for none."""
    forgives_ambiguous: bool = False
    """Whether a false detection that touches an ambiguous interval is not counted."""
    grid_s: Fraction | None = None
    """Instances are rounded to multiples of this number of seconds (halves to even
    ones), and all times are counted in this unit. None means no rounding."""
    has_youtube_ids: bool = False
    """Whether a video's name may be a YouTube id with or without ``v_`` in front."""
    videos: int | None = None
    """Number of scored videos in a complete ground truth."""
    instances: int | None = None
    """Number of scored instances in a complete ground truth."""
    classes: int | None = None
    """Number of classes in a complete ground truth."""

    @property
    def phrase(self) -> str:
        """What a title says of the rules: nothing for "custom", which adds none.

        Examples
        --------
        >>> protocol("thumos14").phrase, protocol("custom").phrase
        (' by the protocol thumos14', '')
        """
        return "" if self.name == "custom" else f" by the protocol {self.name}"

    def video_id(self, name: str) -> str:
        """Return the id by which a video of both files is compared.

        Examples
        --------
        >>> protocol("activitynet13").video_id("v_QOlSCBRmfWY")
        'QOlSCBRmfWY'
        >>> protocol("custom").video_id("v_QOlSCBRmfWY")
        'v_QOlSCBRmfWY'
        """
        is_long = len(name) == YOUTUBE_ID + 2 and name.startswith("v_")
        return name[2:] if self.has_youtube_ids and is_long else name

    def ids_of(self, names: Sequence[str]) -> Sequence[str]:
        """Return what `video_id` returns of each of many names."""
        if not self.has_youtube_ids:
            return names
        return [self.video_id(name) for name in names]


ACTIVITYNET_RULES: Final = (
    "Detections of one class are ranked over all videos by score, of equal scores the "
    "one listed first. In that order each takes, at each tIoU threshold on its own, "
    "the free instance of its video and class that it overlaps most, if the tIoU is "
    "at least the threshold, and is false otherwise. AP is the all-point interpolated "
    "one; mAP is the unweighted mean over the classes with an instance."
)
THUMOS_CLASSES: Final = (
    "The 20 classes are those with an instance in the scored test videos; Ambiguous is "
    "none of them."
)
THUMOS_TIOU: Final = parse_tiou("0.1:0.9:0.1")
ACTIVITYNET_TIOU: Final = parse_tiou("0.5:0.95:0.05")


def _thumos(
    name: str, rules: str, instances: int, left_out: tuple[str, ...]
) -> Protocol:
    """Return THUMOS14 with ActivityNet's rules, without some of its 213 test videos."""
    return Protocol(
        name=name,
        rules=f"{rules} {ACTIVITYNET_RULES} {THUMOS_CLASSES}",
        tiou=THUMOS_TIOU,
        subsets=("test", "testing"),
        left_out=left_out,
        ambiguous_label=AMBIGUOUS,
        videos=213 - len(left_out),
        instances=instances,
        classes=20,
    )


THUMOS_212: Final = _thumos(
    "thumos14-212",
    "THUMOS14, 212 test videos and 3358 instances: all but video_test_0001292, which "
    "has Ambiguous intervals only; as ActionFormer and the W-TALC lineage score.",
    3358,
    (AMBIGUOUS_VIDEO,),
)

PROTOCOLS: Final = (
    _thumos(
        "thumos14",
        "THUMOS14, 210 test videos and 3311 instances, as BaSNet, UM, CoLA and STPN "
        "score: without video_test_0000270 and video_test_0001496, whose annotations "
        "belong to other videos, and video_test_0001292, which has Ambiguous intervals "
        "only.",
        3311,
        (WRONG_VIDEOS[0], AMBIGUOUS_VIDEO, WRONG_VIDEOS[1]),
    ),
    _thumos(
        "thumos14-211",
        "THUMOS14, 211 test videos and 3329 instances, as G-TAD and OpenTAD score: "
        "without video_test_0000270 and video_test_0001292.",
        3329,
        (WRONG_VIDEOS[0], AMBIGUOUS_VIDEO),
    ),
    THUMOS_212,
    dataclasses.replace(
        THUMOS_212,
        name="thumos14-authors",
        rules="THUMOS14 as the code of ACM-Net and FTCL scores it: the ground truth of "
        "212 test videos and 3358 instances, but detections of 210 of them only. The "
        "47 instances of video_test_0000270 and video_test_0001496 count and cannot "
        "be found; detections there are left out. "
        f"{ACTIVITYNET_RULES} {THUMOS_CLASSES}",
        unscored=WRONG_VIDEOS,
    ),
    dataclasses.replace(
        THUMOS_212,
        name="thumos14-rounded",
        rules="THUMOS14 on the grid of the W-TALC lineage (CO2-Net, DELU, DDG-Net, "
        "P-MIL): 212 test videos and 3358 instances, each start and end rounded to a "
        "whole number of snippets, round(t * 25 / 16), half to even; detections are "
        "not rounded. An instance that becomes empty still counts and cannot be found. "
        f"{ACTIVITYNET_RULES} {THUMOS_CLASSES}",
        grid_s=THUMOS_GRID_S,
    ),
    Protocol(
        name="thumos14-2014",
        rules="THUMOS14 by the challenge's own MATLAB kit (TH14evalDet.m of "
        "2015-09-30): all test videos. In each video and class the instances choose, "
        "in the order in which they are listed: each takes the free detection that "
        "overlaps it most, whatever its score, if the tIoU is above the threshold, "
        "not equal to it. A detection left over is false, unless it overlaps an "
        "Ambiguous interval at all, when it is not counted. Detections of one class "
        "are ranked over all videos by score, of equal scores by the video's name and "
        "then as listed. AP is not interpolated: the precisions at the true detections "
        "divided by the number of instances. Detections of other videos and those that "
        f"do not end after they start, false in the kit, are dropped. {THUMOS_CLASSES}",
        tiou=THUMOS_TIOU,
        subsets=("test", "testing"),
        matching="instance",
        is_strict=True,
        is_interpolated=False,
        ambiguous_label=AMBIGUOUS,
        forgives_ambiguous=True,
        instances=3358,
        classes=20,
    ),
    Protocol(
        name="activitynet13",
        rules="ActivityNet-1.3, validation subset (4926 videos of 200 classes), by "
        "the rules of its eval_detection.py at tIoU 0.5 to 0.95. "
        f"{ACTIVITYNET_RULES} Videos may be named with or without v_ before the "
        "YouTube id. The official list of blocked videos is no longer served: videos "
        "that are not in the ground truth are not scored.",
        tiou=ACTIVITYNET_TIOU,
        subsets=("validation", "val"),
        has_youtube_ids=True,
        classes=200,
    ),
    Protocol(
        name="activitynet12",
        rules="ActivityNet-1.2, validation subset (2383 videos of 100 classes), by "
        "the rules of ActivityNet's eval_detection.py at tIoU 0.5 to 0.95. "
        f"{ACTIVITYNET_RULES} Videos may be named with or without v_ before the "
        "YouTube id; videos and classes that are not in the ground truth are not "
        "scored.",
        tiou=ACTIVITYNET_TIOU,
        subsets=("validation", "val"),
        has_youtube_ids=True,
        classes=100,
    ),
    Protocol(
        name="custom",
        rules="Any ground truth as it is given: all its videos, or those of the subset "
        f"asked for. {ACTIVITYNET_RULES}",
        tiou=parse_tiou("0.1:0.7:0.1"),
    ),
)


def protocols() -> tuple[Protocol, ...]:
    """Return all protocols; the first is the one to use for THUMOS14 in doubt."""
    return PROTOCOLS


def protocol(name: str) -> Protocol:
    """Return the protocol of a name.

    Raises
    ------
    ValueError
        If there is no protocol of this name. The message suggests a similar one.
    """
    names = [known.name for known in PROTOCOLS]
    if name in names:
        return PROTOCOLS[names.index(name)]
    raise ValueError(
        f"no protocol {name!r}; {did_you_mean(name, names)}the protocols are "
        f"{', '.join(names)}"
    )
