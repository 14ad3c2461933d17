"""What a long recording teaches of a class that was marked in others, but not here.

Teachers judge a class by a few snippets of a long recording (D-106). Where marks show
that the class fills more of it, what the teachers find are fragments of its actions,
and what they do not find need not be something else. And teachers that learned few
marks may know those recordings by heart and find little in others, which shows in their
scores. Positions in time are counted in snippets.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.training.first_stage.marked_snippets import MarkedPoint, SnippetMarks
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels

LONGEST_FACTOR: Final = 2.0
"""How many times as long as the longest marked segment of its class an instance of the
teachers may be: few marks do not show the longest action."""

LEAST_SCORE_ELSEWHERE: Final = 0.9
"""Teachers whose `score_elsewhere` is below this know the marked recordings by heart
(docs/decisions.md, D-171)."""


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


def score_elsewhere(
    best_scores: Mapping[str, Mapping[int, float]], marks: Mapping[str, SnippetMarks]
) -> float:
    """Return how high the teachers' scores are where nobody marked, 1 if as high.

    Parameters
    ----------
    best_scores : mapping of recording to mapping of class index to float
        The teachers' best score of each class that a recording is named for.
    marks : mapping of recording to SnippetMarks
        What a person marked.

    Returns
    -------
    float
        The mean best score of a class in the recordings without a segment of it,
        divided by that in the recordings with one; a mean over the classes. 1 if no
        class has both.

    Examples
    --------
    >>> from acmnet.training.first_stage.marked_snippets import MarkedInstance
    >>> marks = {"a": SnippetMarks((MarkedInstance(0, 2.0, 4.0),))}
    >>> score_elsewhere({"a": {0: 0.5}, "b": {0: 0.25}, "c": {0: 0.5, 1: 0.1}}, marks)
    0.75
    """
    segmented = {
        (video, x.class_index)
        for video, of_video in marks.items()
        for x in of_video.instances
    }
    here: dict[int, list[float]] = {}
    elsewhere: dict[int, list[float]] = {}
    for video, of_video in best_scores.items():
        for c, score in of_video.items():
            found = here if (video, c) in segmented else elsewhere
            found.setdefault(c, []).append(score)
    shares = [
        float(np.mean(elsewhere[c]) / np.mean(here[c]))
        for c in sorted(here.keys() & elsewhere.keys())
    ]
    return float(np.mean(shares)) if shares else 1.0


def without_guesses(
    labels: PseudoLabels,
    classes: Collection[int],
    named: Collection[int],
    points: Collection[MarkedPoint],
) -> PseudoLabels:
    """Return what a long recording teaches without the teachers' instances of classes.

    Only stretches that were watched teach where such a class is absent, unless the
    recording is not named for it.

    Parameters
    ----------
    labels : PseudoLabels
        What the recording teaches so far.
    classes : collection of int
        The classes of which the teachers' instances are dropped.
    named : collection of int
        The classes that the recording is named for.
    points : collection of MarkedPoint
        Those of the recording. Instances around them are kept.
    """
    dropped = set(classes).intersection(named)
    kept = (
        x
        for x in labels.instances
        if x.class_index not in dropped
        or x.extent != "estimated"
        or any(
            p.class_index == x.class_index and x.start <= p.position <= x.end
            for p in points
        )
    )
    unplaced = tuple(sorted(dropped.union(labels.unplaced)))
    return labels._replace(instances=tuple(kept), unplaced=unplaced)


class LearnedElsewhere(NamedTuple):
    """What long recordings teach, and whether the teachers know some by heart."""

    labels: dict[str, PseudoLabels]
    """What each recording teaches."""
    is_by_heart: bool
    """Whether nothing is learned from the teachers of classes that were marked."""


def learned_elsewhere(
    labels: Mapping[str, PseudoLabels],
    named: Mapping[str, Sequence[int]],
    marks: Mapping[str, SnippetMarks],
    n_snippets: float,
    most_taught: int,
) -> LearnedElsewhere:
    """Return what long recordings teach, without what marks in some contradict.

    Parameters
    ----------
    labels : mapping of recording to PseudoLabels
        What each long recording teaches so far.
    named : mapping of recording to sequence of int
        The classes that each is named for, in the order of its pseudo labels.
    marks : mapping of recording to SnippetMarks
        What a person marked.
    n_snippets : float
        Snippets of a recording, on average.
    most_taught : int
        By how many snippets of a recording the teachers judge a class.
    """
    filling = filling_classes(marks.values(), n_snippets, most_taught)
    kept = {
        video: without_fragments(of_video, filling, named[video])
        for video, of_video in labels.items()
    }
    best_scores = {
        video: best_scores_of(of_video, named[video])
        for video, of_video in labels.items()
    }
    marked = marked_classes_of(marks.values())
    is_less_sure = score_elsewhere(best_scores, marks) < LEAST_SCORE_ELSEWHERE
    is_by_heart = is_less_sure and bool(marked)
    if is_by_heart:
        for video, of_video in kept.items():
            points = marks[video].points if video in marks else ()
            kept[video] = without_guesses(of_video, marked, named[video], points)
    return LearnedElsewhere(kept, is_by_heart)


def best_scores_of(labels: PseudoLabels, named: Sequence[int]) -> dict[int, float]:
    """Return the teachers' best score of each class that they found in a recording.

    Examples
    --------
    >>> labels = PseudoLabels((), unplaced=(4,), best_scores=(0.5, 0.2))
    >>> best_scores_of(labels, (1, 4, 6))
    {1: 0.5, 6: 0.2}
    """
    found = (c for c in named if c not in labels.unplaced)
    return dict(zip(found, labels.best_scores, strict=True))
