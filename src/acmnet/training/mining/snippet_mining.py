"""Mine long recordings for snippets that show a class, from names alone.

A training by names finds little in long recordings, because many snippets could be the
ones that show the named action. But recordings with one name have similar snippets that
recordings without the name lack. Where such snippets stand out clearly, networks learn
them as if somebody had marked them. Only features and names are used.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from acmnet.data.datasets import WeakDataset
from acmnet.messages import counted, some
from acmnet.network.network_settings import ModelSettings
from acmnet.network.pooling import most_pooled_of
from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.mining.shared_directions import (
    TOP_SNIPPETS,
    shared_direction,
    spread_evenly,
)
from acmnet.training.mining.whitened_recordings import MOST_COMPONENTS, whitening_of

MOST_SNIPPETS: Final = 1_000_000
"""Largest number of snippets that are searched, in all recordings together. If there
are more, some of the recordings are searched, evenly spread. They take up to 512 MB."""
FALSE_SHARE: Final = 0.2
"""Upper bound on the snippets above the lower limit in a recording without the class,
as a share of those in a recording with it."""
PEAK_SHARE: Final = 0.5
"""A snippet shows the class if its value reaches this share of the peak: the median,
over recordings with the class, of their highest values."""
LIMITS_TRIED: Final = 100
"""Number of highest values of each recording that are tried as the lower limit."""


def mine_snippets(
    dataset: WeakDataset,
    settings: ModelSettings,
    on_class: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, SnippetMarks]:
    """Return the snippets of long recordings that show a class, and those that do not.

    Parameters
    ----------
    dataset : WeakDataset
        Features and names.
    settings : ModelSettings
        A recording is long if ``most_pooled`` limits the number of snippets that are
        averaged for its video score (D-106). Without that limit, no recording is long.
    on_class : callable
        Called after each class with the number of classes that were searched for, and
        that of all classes.

    Returns
    -------
    dict of video id to SnippetMarks
        Runs of snippets that show a class, as marked instances, and runs that do not,
        as watched stretches. All other snippets are unknown. Recordings without any
        finding are left out.
    """
    places = _searched(dataset.lengths, settings)
    if not len(places):
        return {}
    whitening = whitening_of([dataset.video(v) for v in places.tolist()])
    recordings = [whitening.recording(dataset.video(v)) for v in places.tolist()]
    has = dataset.labels[places.to(dataset.device)].bool().cpu()  # (V, C)
    shown = [torch.full((len(x), has.shape[1]), torch.nan) for x in recordings]
    for c in range(has.shape[1]):
        for v, certainty in _certainties(recordings, has[:, c]).items():
            shown[v][:, c] = certainty
        on_class(c + 1, has.shape[1])
    return {
        dataset.video_ids[place]: _as_marks(certainties, named)
        for place, certainties, named in zip(places.tolist(), shown, has, strict=True)
        if not certainties.isnan().all()
    }


def mining_bytes(
    lengths: Sequence[int], dimension: int, settings: ModelSettings
) -> int:
    """Return the bytes that `mine_snippets` holds at the least, besides the features.

    Parameters
    ----------
    lengths : sequence of int
        Snippets of each video, from 1.
    dimension : int
        Columns of the features.
    settings : ModelSettings
        As for `mine_snippets`.
    """
    snippets = torch.tensor(lengths, dtype=torch.int64)
    places = _searched(snippets, settings)
    return 4 * int(snippets[places].sum()) * min(dimension, MOST_COMPONENTS)


def mining_note(
    mined: Mapping[str, SnippetMarks],
    class_names: Sequence[str],
    marked: Collection[str] = (),
) -> str:
    """Return a sentence on the classes that were found, and on those that were not.

    Parameters
    ----------
    mined : mapping of video id to SnippetMarks
        What `mine_snippets` found; not empty.
    class_names : sequence of str
        Names of the C classes.
    marked : collection of str
        Classes whose times are learned from, so that nothing is amiss with them.

    Examples
    --------
    >>> mined = {"monday": SnippetMarks(instances=(MarkedInstance(0, 2.5, 4.5),))}
    >>> mining_note(mined, ["jump", "run"])[:72]
    "in long recordings, names alone tell where 1 of 2 classes may be: 'jump'"
    """
    mined_classes = sorted(
        {i.class_index for of_video in mined.values() for i in of_video.instances}
    )
    known = [class_names[c] for c in mined_classes]
    others = [name for c, name in enumerate(class_names) if c not in mined_classes]
    others = [name for name in others if name not in marked]
    sentence = (
        f"in long recordings, names alone tell where {len(known)} of "
        f"{counted(len(class_names), 'class')} may be: {some(known)}"
    )
    if not others:
        return sentence
    return (
        f"{sentence}; they do not tell where {some(others)} may be: mark every one of "
        "these actions in three or more recordings and say that you watched them "
        "(--supervision segments), or add recordings with and without them"
    )


def score_limits(values: list[Tensor], has: Tensor) -> tuple[float, float]:
    """Return the value below which a class is absent, and the peak of the class.

    The first is infinite if no limit separates recordings with the class from others.

    Parameters
    ----------
    values : list of (T,) tensors
        Values of each recording's snippets along a direction.
    has : (V,) tensor of bool
        Which recordings have the class.

    Examples
    --------
    >>> values = [torch.tensor([5.0] * 5 + [1.0] * 9), torch.tensor([2.0] + [1.0] * 9)]
    >>> score_limits(values, torch.tensor([True, False]))
    (5.0, 5.0)
    """
    is_named = has.tolist()
    named = [x for x, has_name in zip(values, is_named, strict=True) if has_name]
    others = [x for x, has_name in zip(values, is_named, strict=True) if not has_name]
    top = [x.topk(min(TOP_SNIPPETS, len(x))).values.mean() for x in named]
    peak = float(torch.stack(top).median())
    high = torch.cat(named).sort(descending=True).values
    low = torch.cat(others).sort().values
    high = high[: LIMITS_TRIED * len(named)]
    # for each candidate limit: how many snippets of a recording reach it
    reached = torch.arange(1, len(high) + 1) / len(named)
    by_others = (len(low) - torch.searchsorted(low, high)) / len(others)
    counts = (by_others <= FALSE_SHARE * reached).nonzero().ravel()
    least = float(high[counts[-1]]) if len(counts) else math.inf
    return least, peak


def _searched(lengths: Tensor, settings: ModelSettings) -> Tensor:
    """Return the indices (V,) of the long recordings that are searched.

    ``lengths`` has the number of snippets of each video.
    """
    ratio, most = settings.instance_ratio, settings.most_pooled
    is_long = [
        most_pooled_of(n, ratio) > most_pooled_of(n, ratio, most)
        for n in lengths.tolist()
    ]
    places = torch.tensor(is_long, dtype=torch.bool).nonzero().ravel()
    total = int(lengths[places].sum())
    return spread_evenly(
        places, most=max(len(places) * MOST_SNIPPETS // max(total, 1), 1)
    )


def _certainties(recordings: Sequence[Tensor], has: Tensor) -> dict[int, Tensor]:
    """Return what is known of a class by recording, as `_certainty` gives it.

    ``has`` (V,) tells which recordings have the class. It is empty if names do not tell
    where the class is.
    """
    direction = shared_direction(recordings, has)
    if direction is None:
        return {}
    values = [(recording @ direction).cpu() for recording in recordings]
    least, peak = score_limits(values, has)
    if least == math.inf:
        return {}
    return {
        v: _certainty(values[v], least, peak) for v in has.nonzero().ravel().tolist()
    }


def _certainty(values: Tensor, least: float, peak: float) -> Tensor:
    """Return 1 where snippets show a class, 0 where they do not, NaN between, (T,)."""
    known = torch.where(values < least, 0.0, torch.nan)
    return torch.where(values >= max(least, PEAK_SHARE * peak), 1.0, known)


def _as_marks(shown: Tensor, named: Tensor) -> SnippetMarks:
    """Return what is known of a recording's snippets, (T, C), as marks.

    A class that is not among the recording's names, (C,), is absent everywhere in it.
    """
    instances, absent = [], []
    for c, is_named in enumerate(named.tolist()):
        if not is_named:
            absent.append(WatchedStretch(c, -0.5, len(shown) - 0.5))
            continue
        instances += [MarkedInstance(c, *ends) for ends in _runs(shown[:, c] == 1.0)]
        absent += [WatchedStretch(c, *ends) for ends in _runs(shown[:, c] == 0.0)]
    return SnippetMarks(instances=tuple(instances), watched=tuple(absent))


def _runs(is_there: Tensor) -> list[tuple[float, float]]:
    """Return where each run of snippets starts and ends, in snippets.

    Examples
    --------
    >>> _runs(torch.tensor([True, False, True, True]))
    [(-0.5, 0.5), (1.5, 3.5)]
    """
    edge = torch.zeros(1, dtype=torch.int8)
    change = torch.cat([edge, is_there.to(torch.int8), edge]).diff()
    starts, ends = ((change == way).nonzero().ravel().tolist() for way in (1, -1))
    return [(start - 0.5, end - 0.5) for start, end in zip(starts, ends, strict=True)]
