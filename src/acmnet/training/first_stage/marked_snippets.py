"""Labels of snippets from a person's marks, and the loss that teaches them.

The times come from a person, through `acmnet.data.labels.marks.given_marks` alone, and
reach this module as positions in snippets: a whole number is the middle of a snippet.
Notation: B videos, T snippets, C classes; the background is index C.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor

from acmnet.network.acm_net import ACMNetOutput, Branch

NEAREST: Final = 0.5
"""A point, or a segment without the middle of a snippet in it, is about the snippet
whose middle is nearest, if that is at most this many snippets away."""
LEAST_PROBABILITY: Final = 1e-6
"""Probabilities below this count as this much in a logarithm, so that it is finite."""


class MarkedInstance(NamedTuple):
    """An action whose start and end a person marked."""

    class_index: int
    """The class, from 0 to C - 1."""
    start: float
    """Where it starts, in snippets."""
    end: float
    """Where it ends, in snippets; after its start."""


class MarkedPoint(NamedTuple):
    """An action of which a person marked one instant."""

    class_index: int
    """The class, from 0 to C - 1."""
    position: float
    """The instant, in snippets."""


class WatchedStretch(NamedTuple):
    """A part of a video in which a class is only where a person marked it."""

    class_index: int
    """The class, from 0 to C - 1."""
    start: float
    """Where the part starts, in snippets."""
    end: float
    """Where the part ends, in snippets."""


class SnippetMarks(NamedTuple):
    """All that a person marked in one video, in snippets."""

    instances: tuple[MarkedInstance, ...] = ()
    points: tuple[MarkedPoint, ...] = ()
    """Points that lie in no marked instance of their class."""
    watched: tuple[WatchedStretch, ...] = ()
    """A span that was watched for all classes is here once for each class."""

    def absent(self) -> tuple[WatchedStretch, ...]:
        """Return the watched stretches without a point of their class.

        How far the action at a point reaches is unknown, so that nothing in a stretch
        with such a point is known not to be part of it.

        Examples
        --------
        >>> marks = SnippetMarks(
        ...     points=(MarkedPoint(0, 5.0),),
        ...     watched=(WatchedStretch(0, 0.0, 9.0), WatchedStretch(1, 0.0, 9.0)),
        ... )
        >>> marks.absent()
        (WatchedStretch(class_index=1, start=0.0, end=9.0),)
        """
        return tuple(
            x
            for x in self.watched
            if not any(
                p.class_index == x.class_index and x.start <= p.position <= x.end
                for p in self.points
            )
        )


class KnownLabels(NamedTuple):
    """Which classes are known to be present or absent in T snippets of a video."""

    label: Tensor
    """(T, C) float32. 1 where the class is known to be present, else 0."""
    is_known: Tensor
    """(T, C) bool. Whether marks determine if the class is present."""


def known_labels(marks: SnippetMarks, position: Tensor, n_classes: int) -> KnownLabels:
    """Return which classes marks show to be present or absent in some snippets.

    A class is present inside its segments and at its points. It is absent in the rest
    of a watched stretch. Everything else is unknown.

    Parameters
    ----------
    marks : SnippetMarks
        What a person marked in the video.
    position : (T,) tensor
        The snippets, counted from the start of the video.
    n_classes : int
        C.
    """
    label = torch.zeros(len(position), n_classes)
    is_known = torch.zeros(len(position), n_classes, dtype=torch.bool)
    for c, start, end in marks.absent():
        is_known[(position >= start) & (position <= end), c] = True
    for c, start, end in marks.instances:
        inside = snippets_around(position, (start + end) / 2, (end - start) / 2)
        label[inside, c], is_known[inside, c] = 1.0, True
    for c, at in marks.points:
        inside = snippets_around(position, at, 0.0)
        label[inside, c], is_known[inside, c] = 1.0, True
    return KnownLabels(label, is_known)


def snippets_around(
    position: Tensor, middle: float | Tensor, reach: float | Tensor
) -> Tensor:
    """Return which snippets have their middle at most ``reach`` from a place.

    If none has, the nearest one is taken, unless it is further away than `NEAREST`.

    Parameters
    ----------
    position : (T,) tensor
        The snippets.
    middle, reach : float, or tensor of shape (places, 1)
        The place, or several places at once, and the distance, from 0.

    Returns
    -------
    tensor of bool, of shape (T,) or (places, T)

    Examples
    --------
    >>> snippets_around(torch.arange(4.0), 1.4, 0.8).tolist()
    [False, True, True, False]
    >>> snippets_around(torch.arange(4.0), 1.3, 0.1).tolist()
    [False, True, False, False]
    """
    away = (position - middle).abs()
    near = away <= reach
    least = away.amin(dim=-1, keepdim=True)
    takes_nearest = ~near.any(dim=-1, keepdim=True) & (least <= NEAREST)
    return near | (takes_nearest & (away == least))


def marked_loss(output: ACMNetOutput, known: KnownLabels) -> Tensor:
    """Return the loss on the snippets that marks determine, (B,).

    It is the sum of four means over snippets of a video; a mean over no snippet is 0:

    - attention to instances where a class is known to be there,
    - cross-entropy of the CAS with the classes that are known to be there,
    - attention to anything but instances where all classes are known to be absent,
    - improbability of the classes that are known to be absent, in all other snippets
      for which marks determine that.

    Parameters
    ----------
    output : ACMNetOutput
        The network's outputs for the B videos. Classes are not learned at snippets that
        were hidden from the classifier.
    known : KnownLabels
        (B, T, C) each.

    References
    ----------
    Ma et al., SF-Net, ECCV 2020 (arXiv 2003.06845), section 3.2: cross-entropy of the
    CAS and of the actionness at labelled frames. Lee and Byun, LACP, ICCV 2021 (arXiv
    2108.05029), section 3.2: the same with known background, where positives and
    negatives are averaged apart. Here only what a person watched and left unmarked is
    background.
    """
    label, is_known = known
    n_present = label.sum(dim=-1)  # (B, T)
    is_instance = n_present > 0
    is_nothing = is_known.all(dim=-1) & ~is_instance
    attention = output.attention[..., Branch.INSTANCE]  # (B, T)
    is_seen = output.mask if output.is_shown is None else output.mask & output.is_shown
    # (B, T, C + 1)
    log_probability = output.activation.log_softmax(dim=-1)
    wrong_class = -(label * log_probability[..., :-1]).sum(dim=-1)
    wrong_class = wrong_class / n_present.clamp(min=1.0)
    is_absent = is_known & (label == 0)  # (B, T, C)
    absent = (log_probability[..., :-1].exp() * is_absent).sum(dim=-1)
    present = -_log(1.0 - absent)
    has_absent = is_absent.any(dim=-1) & ~is_instance
    return (
        _mean(-_log(attention), is_instance & output.mask)
        + _mean(wrong_class, is_instance & is_seen)
        + _mean(-_log(1.0 - attention), is_nothing & output.mask)
        + _mean(present, has_absent & is_seen)
    )


def _log(probability: Tensor) -> Tensor:
    return probability.clamp(min=LEAST_PROBABILITY).log()


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean over the chosen snippets of each video; 0 without any, (B,)."""
    total = torch.where(chosen, values, 0.0).sum(dim=1)
    return total / chosen.sum(dim=1).clamp(min=1)
