"""Videos that are scored although the run was trained on them, and notes on that.

A network does better on the videos that it was trained on than on new videos, although
it never saw their segments. Wherever such videos are scored, one of these notes is
shown. Videos of which the training was given times are never scored: they are left out,
and a note says so, or they are refused by name.
"""

from collections.abc import Collection, Mapping
from typing import Final

from acmnet.messages import counted, some

TRAINED_ON_KEY: Final = "trained_on"
"""Key in the ``external_data`` of a results JSON under which acmnet lists the videos of
the file that the run was trained on; null if they are not known. Files of other systems
do not have it."""

TAUGHT_KEY: Final = "taught_times"
"""Key in the ``external_data`` of a results JSON under which acmnet lists the videos of
the file whose times the training was given; left out if there is none."""

NOT_KNOWN_NOTE: Final = (
    "it is not known which videos the run was trained on: scores of those are better "
    "than they will be on new videos"
)
"""Note on a run whose training videos are not known."""


def training_videos_in(external_data: Mapping[str, object]) -> frozenset[str]:
    """Return the videos of a results JSON that the run was trained on."""
    return _listed(external_data, TRAINED_ON_KEY)


def taught_videos_in(external_data: Mapping[str, object]) -> frozenset[str]:
    """Return the videos of a results JSON whose times the training was given."""
    return _listed(external_data, TAUGHT_KEY)


def _listed(external_data: Mapping[str, object], key: str) -> frozenset[str]:
    listed = external_data.get(key)
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(x for x in listed if isinstance(x, str))


def is_unknown(external_data: Mapping[str, object]) -> bool:
    """Return whether the training videos behind a results JSON are unknown."""
    return TRAINED_ON_KEY in external_data and external_data[TRAINED_ON_KEY] is None


def trained_on_note(seen: Collection[str], n_videos: int) -> str:
    """Return the note on training videos among the videos that are scored.

    Examples
    --------
    >>> trained_on_note(["b", "a"], 5)
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
    "1 video that was trained on is left out of the scores ('a')"
    """
    verb, pronoun = ("was", "it") if len(seen) == 1 else ("were", "them")
    is_out = "is" if len(seen) == 1 else "are"
    return (
        f"{counted(len(seen), 'video')} that {verb} trained on {is_out} left out of "
        f"the scores ({some(sorted(seen))}); with {pronoun} the average mAP would be "
        f"{100 * average:.2f} %, which says less of new videos"
    )


def taught_note(taught: Collection[str]) -> str:
    """Return the note on videos that are left out because their times were given.

    Examples
    --------
    >>> taught_note(["a"])
    "1 video is left out, as the training was given its times ('a')"
    """
    is_one = len(taught) == 1
    return (
        f"{counted(len(taught), 'video', ('is', 'are'))} left out, as the training "
        f"was given {'its' if is_one else 'their'} times ({some(sorted(taught))})"
    )


def trained_on_refusal(where: str, seen: Collection[str]) -> str:
    """Return why nothing can be scored, where every video was trained on by its names.

    Parameters
    ----------
    where : str
        The label file, and its subset if there is one.
    seen : collection of str
        The videos with true segments, all of which were trained on.
    """
    were = "was" if len(seen) == 1 else "were"
    return (
        f"{where}: {_every(seen)} with true segments {were} trained on "
        f"({some(sorted(seen))}), so a score would be better than that of new videos; "
        "score other videos, hold videos out with acmnet crossvalidate, or give "
        f"--score-trained-on to score {'it' if len(seen) == 1 else 'them'} nevertheless"
    )


def taught_refusal(where: str, taught: Collection[str]) -> str:
    """Return why nothing can be scored, where every video gave its times to training.

    Parameters
    ----------
    where : str
        The label file, and its subset if there is one.
    taught : collection of str
        The videos with true segments, all of which gave times.
    """
    return (
        f"{where}: the training was given the times of {_every(taught)} with true "
        f"segments ({some(sorted(taught))}), so a score would not tell how good the "
        "run is; score other videos, or hold videos out with acmnet crossvalidate"
    )


def _every(videos: Collection[str]) -> str:
    """Return how a refusal speaks of videos that are all that a label file has."""
    return (
        "its only video" if len(videos) == 1 else f"all {counted(len(videos), 'video')}"
    )
