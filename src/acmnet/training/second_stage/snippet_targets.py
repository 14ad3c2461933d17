"""Turn pseudo labels and marks into targets for each snippet of a video.

Times are positions in snippets: a whole number is the middle of a snippet.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from acmnet.training.first_stage.marked_snippets import WatchedStretch, snippets_around

Extent = Literal["estimated", "marked", "unknown"]
"""How the start and end of an instance are known: estimated by the teachers, marked by
a person, or unknown."""

_BY_SURENESS: Final[tuple[Extent, ...]] = ("unknown", "estimated", "marked")


class PseudoInstance(NamedTuple):
    """An instance that the teachers are confident of, or that a person marked."""

    class_index: int
    """The class of the action, from 0 to C - 1."""
    start: float
    """Where it starts, in snippets."""
    end: float
    """Where it ends, in snippets."""
    weight: float
    """Its score divided by the best score of its class in its video, in (0, 1]; 1 for
    an instance that a person marked; 0 for an instance whose snippets are ignored for
    its class."""
    extent: Extent = "estimated"
    """How well its start and end are known. An instance of unknown extent teaches its
    class in the snippet nearest to its middle, and no boundaries."""


class PseudoLabels(NamedTuple):
    """The pseudo labels of one training video."""

    instances: tuple[PseudoInstance, ...]
    """The instances that the student learns from."""
    unplaced: tuple[int, ...]
    """Classes of the video that the teachers found nowhere in it. No snippet is learned
    as showing or not showing them."""
    best_scores: tuple[float, ...] = ()
    """For each class that was found, the score of its best detection, above 0."""
    absent: tuple[WatchedStretch, ...] = ()
    """Stretches in which a person saw no instance of a class but the marked ones."""


START: Final = 0
"""Column of `_table` with the start of an instance, in snippets."""
END: Final = 1
"""Column of `_table` with the end of an instance, in snippets."""
WEIGHT: Final = 4
"""Column of `_table` with the weight of an instance's class."""
BOUNDARY_WEIGHT: Final = 5
"""Column of `_table` with the weight of an instance's start and end."""


class SnippetTargets(NamedTuple):
    """Targets and weights of the student's losses, for T snippets of one video.

    A target with the weight 0 is not learned.
    """

    label: Tensor
    """(T, C). 1 for a snippet near the middle of an instance of the class, else 0."""
    label_weight: Tensor
    """(T, C). Weight of the label in the loss, in [0, 1]."""
    distance: Tensor
    """(T, 2). Snippets back to the start of the instance and on to its end."""
    distance_weight: Tensor
    """(T,). Weight of the distances in the loss: in [0, 1], or more near a marked
    segment; 0 where no instance is near."""


def targets_of(
    labels: PseudoLabels,
    position: Tensor,
    n_classes: int,
    central_share: float,
    marked_weight: float = 1.0,
) -> SnippetTargets:
    """Return the targets of some snippets of one video.

    Snippets near the middle of an instance learn its class, and the distances to its
    start and end; where several instances are near, those of the one that is known
    best. The other snippets of an instance are ignored for its class, because the
    teachers place boundaries badly, and because the far boundary is hard to predict
    from there. All remaining snippets learn that the class is absent.

    Parameters
    ----------
    labels : PseudoLabels
        The pseudo labels of the video.
    position : (T,) tensor
        The snippets, as whole numbers counted from the start of the video.
    n_classes : int
        C.
    central_share : float
        The part of an instance around its middle that is near it, as a share of its
        length, in (0, 1]. Where no snippet lies in that part, the nearest one is taken
        if it is at most half a snippet away from the middle.
    marked_weight : float
        Weight of the boundaries of a marked segment, above 0.
    """
    # numbered from 1; the one that is known best is the last, and replaces all others
    instances = sorted(labels.instances, key=_sureness)
    table = _table(instances, central_share, marked_weight)  # (1 + instances, 6)
    start, end, middle, reach, _, counts = table[1:].T.unsqueeze(-1)
    near = snippets_around(position, middle, reach)  # (instances, T) bool
    edge = (position >= start) & (position <= end) & ~near
    classes = torch.tensor([x.class_index for x in instances], dtype=torch.int64)
    named_by = _last_of_class(near, classes, n_classes)  # (C, T); 0 for no instance
    is_edge = _last_of_class(edge, classes, n_classes) > 0

    weight = torch.ones(n_classes, len(position))
    weight[list(labels.unplaced)] = 0.0
    for c, since, until in labels.absent:
        weight[c, (position >= since) & (position <= until)] = 1.0
    weight[is_edge] = 0.0
    weight = torch.where(named_by > 0, table[named_by, WEIGHT], weight)

    is_placed = near & (counts > 0)
    one_class = torch.zeros_like(classes)
    placed_by = _last_of_class(is_placed, one_class, 1)[0]  # (T,)
    by = table[placed_by]
    distance = torch.stack((position - by[:, START], by[:, END] - position), dim=1)
    distance = distance.clamp(min=0.0) * (placed_by > 0).unsqueeze(-1)
    return SnippetTargets(
        (named_by > 0).float().T, weight.T, distance, by[:, BOUNDARY_WEIGHT]
    )


class TargetsOfVideos:
    """The targets of every snippet of some videos, made once.

    For each video, only the classes that something is known about are kept. The target
    of every other class is that it is absent from every snippet.

    Parameters
    ----------
    labels : sequence of PseudoLabels
        The pseudo labels of each video.
    lengths : (videos,) int64 tensor
        Snippets of each video.
    n_classes, central_share, marked_weight
        The parameters of `targets_of`.
    device : torch.device
        Where the targets are kept.
    """

    def __init__(
        self,
        labels: Sequence[PseudoLabels],
        lengths: Tensor,
        n_classes: int,
        central_share: float,
        marked_weight: float,
        *,
        device: torch.device,
    ) -> None:
        known = [_classes_of(of_video) for of_video in labels]
        most = max(map(len, known))
        # (videos, K): the classes that are kept; those that are missing are class C
        classes = torch.full((len(labels), most), n_classes)
        rows = []
        for i, (of_video, length) in enumerate(
            zip(labels, lengths.tolist(), strict=True)
        ):
            classes[i, : len(known[i])] = torch.tensor(known[i], dtype=torch.int64)
            position = torch.arange(float(length))
            targets = targets_of(
                of_video, position, n_classes, central_share, marked_weight
            )
            unused = (0, most - len(known[i]))
            label, weight = (x[:, known[i]] for x in targets[:2])  # (T, classes) each
            label, weight = (
                functional.pad(label, unused),
                functional.pad(weight, unused),
            )
            rows.append(SnippetTargets(label, weight, *targets[2:]))
        self._n_classes, self._classes = n_classes, classes.to(device)
        self._rows = SnippetTargets(
            *(torch.cat(x).to(device) for x in zip(*rows, strict=True))
        )
        self._first = (lengths.cumsum(0) - lengths).to(device)

    def of(self, videos: Tensor, snippet: Tensor) -> SnippetTargets:
        """Return the targets of snippets (B, T) of videos (B,), by their places."""
        at = self._first[videos].unsqueeze(1) + snippet
        label, weight, distance, distance_weight = (x[at] for x in self._rows)
        place = self._classes[videos].unsqueeze(1).expand_as(label)  # (B, T, K)
        everywhere = label.new_zeros((*at.shape, self._n_classes + 1))
        return SnippetTargets(
            everywhere.scatter(2, place, label)[..., :-1].contiguous(),
            (everywhere + 1.0).scatter(2, place, weight)[..., :-1].contiguous(),
            distance,
            distance_weight,
        )


def _classes_of(labels: PseudoLabels) -> list[int]:
    """Return the classes that something is known of in a video, in their order."""
    absent = (x.class_index for x in labels.absent)
    classes = (x.class_index for x in labels.instances)
    return sorted({*classes, *labels.unplaced, *absent})


def _table(
    instances: Sequence[PseudoInstance], central_share: float, marked_weight: float
) -> Tensor:
    """Return a row of six numbers for each instance; row 0 stands for no instance.

    They are the start, the end, the middle, the distance from the middle up to which a
    snippet is near, and the weights of the class and of the boundaries.
    """
    counts = {"estimated": 1.0, "marked": marked_weight, "unknown": 0.0}
    rows = [
        (
            *(x.start, x.end, (x.start + x.end) / 2),
            0.0 if x.extent == "unknown" else central_share * (x.end - x.start) / 2,
            *(x.weight, x.weight * counts[x.extent]),
        )
        for x in instances
    ]
    return torch.tensor([(0.0,) * 6, *rows])


def _last_of_class(chosen: Tensor, classes: Tensor, n_classes: int) -> Tensor:
    """Return the number of the last chosen instance of each class, (C, T); 0 for none.

    Parameters
    ----------
    chosen : (instances, T) tensor of bool
        Which snippets each instance is chosen for. Instances are numbered from 1.
    classes : (instances,) tensor of int64
        The class of each instance.
    n_classes : int
        C.
    """
    n_instances, n_snippets = chosen.shape
    number = torch.arange(1, n_instances + 1).unsqueeze(-1)
    of_class = classes.unsqueeze(-1).expand(-1, n_snippets)
    none = torch.zeros(n_classes, n_snippets, dtype=torch.int64)
    return none.scatter_reduce(0, of_class, chosen * number, "amax")


def _sureness(instance: PseudoInstance) -> tuple[int, float]:
    """Return a sort key that is higher the better an instance's extent is known."""
    return _BY_SURENESS.index(instance.extent), instance.weight
