"""Videos that are scored although the run was trained on them, and notes on that.

A network does better on the videos that it was trained on than on new videos, although
it never saw their segments. Wherever such videos are scored, one of these notes is
shown.
"""

from collections.abc import Collection, Mapping
from typing import Final

from acmnet.messages import counted, some

KEY: Final = "trained_on"
"""Key in the ``external_data`` of a results JSON under which acmnet lists the videos of
the file that the run was trained on; null if they are not known. Files of other systems
do not have it."""

UNKNOWN: Final = (
    "it is not known which videos the run was trained on: scores of those are better "
    "than they will be on new videos"
)
"""Note on a run whose training videos are not known."""


def training_videos_in(external_data: Mapping[str, object]) -> frozenset[str]:
    """Return the videos of a results JSON that the run was trained on."""
    listed = external_data.get(KEY)
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(x for x in listed if isinstance(x, str))


def is_unknown(external_data: Mapping[str, object]) -> bool:
    """Return whether the training videos behind a results JSON are unknown."""
    return KEY in external_data and external_data[KEY] is None


def seen_note(seen: Collection[str], n_videos: int) -> str:
    """Return the note on training videos among the videos that are scored.

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
    """Return the note on training videos that were left out of a score.

    Parameters
    ----------
    seen : collection of str
        The training videos that were left out.
    average : float
        The average mAP with those videos, as a fraction of 1.

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
