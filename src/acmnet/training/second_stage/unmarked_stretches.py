"""What a long recording teaches of a class that was marked in others, but not here.

Teachers judge a class by a few snippets of a long recording (D-106). Where marks show
that the class fills more of it, what the teachers find are fragments of its actions,
and what they do not find need not be something else. Positions in time are counted in
snippets.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels

LONGEST_FACTOR: Final = 2.0
"""How many times as long as the longest marked segment of its class an instance of the
teachers may be: few marks do not show the longest action."""


class MarkedClass(NamedTuple):
    """What marks show of a class."""

    shortest: float
    """Snippets that an action lasts at least. It is the length of the shortest of n
    segments, multiplied by n / (n + 1): the fewer were marked, the shorter others may
    be."""
    longest: float
    """Snippets that an action lasts at most."""
    share: float
    """Share of the watched time in which the class was marked, above 0."""

    def is_plausible(self, instance: PseudoInstance) -> bool:
        """Whether an instance is about as long as the marked segments."""
        return self.shortest <= instance.end - instance.start <= self.longest


def marked_classes_of(marks: Iterable[SnippetMarks]) -> dict[int, MarkedClass]:
    """Return what marks show of each class that was marked and watched for.

    Parameters
    ----------
    marks : iterable of SnippetMarks
        Those of each recording.

    Examples
    --------
    >>> from acmnet.training.first_stage.marked_snippets import (
    ...     MarkedInstance,
    ...     WatchedStretch,
    ... )
    >>> segments = MarkedInstance(1, 2.0, 4.5), MarkedInstance(1, 7.0, 8.5)
    >>> watched = WatchedStretch(0, 0.0, 16.0), WatchedStretch(1, 0.0, 16.0)
    >>> marked_classes_of([SnippetMarks(segments, watched=watched)])
    {1: MarkedClass(shortest=1.0, longest=5.0, share=0.25)}
    """
    lengths: dict[int, list[float]] = {}
    watched: dict[int, float] = {}
    for of_recording in marks:
        for c, start, end in of_recording.watched:
            watched[c] = watched.get(c, 0.0) + end - start
        for x in of_recording.instances:
            lengths.setdefault(x.class_index, []).append(x.end - x.start)
    return {
        c: MarkedClass(
            min(of_class) * len(of_class) / (len(of_class) + 1),
            LONGEST_FACTOR * max(of_class),
            sum(of_class) / watched[c],
        )
        for c, of_class in lengths.items()
        if watched.get(c, 0.0) > 0.0
    }


def filling_classes(
    marks: Iterable[SnippetMarks], n_snippets: float, most_taught: int
) -> dict[int, MarkedClass]:
    """Return the classes that, as marks show, fill more than ``most_taught`` snippets.

    Parameters
    ----------
    marks : iterable of SnippetMarks
        Those of each recording.
    n_snippets : float
        Snippets of a recording, on average.
    most_taught : int
        By how many snippets of a recording the teachers judge a class.
    """
    return {
        c: marked
        for c, marked in marked_classes_of(marks).items()
        if marked.share * n_snippets > most_taught
    }


def without_fragments(
    labels: PseudoLabels, filling: Mapping[int, MarkedClass], named: Collection[int]
) -> PseudoLabels:
    """Return what a long recording teaches, without what marks elsewhere contradict.

    Instances of classes that fill much of a recording are dropped if they are too short
    or too long, and only stretches that were watched teach where such a class is
    absent.

    Parameters
    ----------
    labels : PseudoLabels
        What the recording teaches so far.
    filling : mapping of class index to MarkedClass
        As `filling_classes` returns it.
    named : collection of int
        The classes that the recording is named for.
    """
    filling_here = set(filling).intersection(named)
    kept = (
        x
        for x in labels.instances
        if x.class_index not in filling_here
        or x.extent != "estimated"
        or filling[x.class_index].is_plausible(x)
    )
    unplaced = tuple(sorted(filling_here.union(labels.unplaced)))
    return labels._replace(instances=tuple(kept), unplaced=unplaced)
