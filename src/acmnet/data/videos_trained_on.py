"""Training videos among those that are scored: how files name them, what to say of it.

A network does better on the videos that it learnt from than on new ones, even though it
never saw their segments. Wherever they are scored, one of these sentences stands.
"""

from collections.abc import Collection, Mapping
from typing import Final

from acmnet.messages import counted, some

KEY: Final = "trained_on"
"""Under which the ``external_data`` of a results JSON lists those of its videos that
the run was trained on; null where that is not known. Other systems' files lack it."""

UNKNOWN: Final = (
    "it is not known which videos the run was trained on: scores of those are better "
    "than they will be on new videos"
)
"""Of a run that does not say."""


def training_videos_in(external_data: Mapping[str, object]) -> frozenset[str]:
    """Return the videos of a results JSON that its run was trained on."""
    listed = external_data.get(KEY)
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(x for x in listed if isinstance(x, str))


def is_unknown(external_data: Mapping[str, object]) -> bool:
    """Return whether a run made the detections that does not know its videos."""
    return KEY in external_data and external_data[KEY] is None


def seen_note(seen: Collection[str], n_videos: int) -> str:
    """Return the sentence on training videos among those that are scored.

    Examples
    --------
    >>> seen_note(["b", "a"], 5)
    "2 of 5 scored videos were trained on ('a', 'b'): their scores are better than \
those of new videos will be"
    """
    were = "was" if len(seen) == 1 else "were"
    return (
        f"{len(seen)} of {counted(n_videos, 'scored video')} {were} trained on "
        f"({some(sorted(seen))}): their scores are better than those of new videos "
        "will be"
    )


def left_out_note(seen: Collection[str], average: float) -> str:
    """Return the sentence on training videos that were left out of a score.

    Parameters
    ----------
    seen : collection of str
        The videos.
    average : float
        The average mAP with them, as a fraction of 1.

    Examples
    --------
    >>> left_out_note(["a"], 0.5).partition("; ")[0]
    "1 video that was trained on is left out ('a')"
    """
    were, it = ("was", "it") if len(seen) == 1 else ("were", "them")
    is_out = "is" if len(seen) == 1 else "are"
    return (
        f"{counted(len(seen), 'video')} that {were} trained on {is_out} left out "
        f"({some(sorted(seen))}); with {it} the average mAP is {100 * average:.2f} %, "
        "which new videos will not reach"
    )
