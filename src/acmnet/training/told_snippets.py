"""Snippets of long recordings that show a class, as far as names alone can tell.

A training by names finds little in long recordings: too many snippets could be the ones
that a name is about. But recordings that share a name share what it is about, and
recordings without it lack that. Where this tells, networks learn the snippets as if
somebody had marked them. Nothing but features and names enters.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from acmnet.data.datasets import WeakDataset
from acmnet.messages import counted, some
from acmnet.network.network_settings import ModelSettings
from acmnet.network.pooling import most_pooled_of
from acmnet.training.marked_snippets import (
    MarkedInstance,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.shared_directions import JUDGED_BY, evenly, shared_direction
from acmnet.training.whitened_recordings import whitening_of

MOST_SNIPPETS: Final = 1_000_000
"""Recordings are searched and taught up to so many snippets; of more, some are, evenly
spread. They take up to 512 MB."""
FALSE_SHARE: Final = 0.2
"""Above the least value that counts, recordings without the class have at most this
share of the snippets that recordings with it have."""
PEAK_SHARE: Final = 0.5
"""A snippet shows the class if it reaches this share of what the highest ones of
recordings with the class usually reach."""
SEARCHED_ABOVE: Final = 100
"""The least value that counts is among so many highest ones of each recording."""


def told_snippets(
    dataset: WeakDataset, settings: ModelSettings
) -> dict[str, SnippetMarks]:
    """Return what names tell of the snippets of long recordings, by recording.

    Parameters
    ----------
    dataset : WeakDataset
        Features and names.
    settings : ModelSettings
        A recording is long if ``most_pooled`` limits how many of its snippets judge a
        class (D-106). Without that limit, none is.

    Returns
    -------
    dict of video id to SnippetMarks
        Snippets that show a class of the recording, and those that do not; what lies
        between is unknown. Recordings of which names tell nothing are left out.
    """
    places = _long(dataset, settings)
    if not len(places):
        return {}
    whitening = whitening_of([dataset.video(v) for v in places.tolist()])
    recordings = [whitening.recording(dataset.video(v)) for v in places.tolist()]
    has = dataset.labels[places.to(dataset.device)].bool().cpu()  # (V, C)
    shown = [torch.full((len(own), has.shape[1]), torch.nan) for own in recordings]
    for c in range(has.shape[1]):
        direction = shared_direction(recordings, has[:, c])
        if direction is None:
            continue
        values = [(own @ direction).cpu() for own in recordings]
        least, peak = least_and_peak(values, has[:, c])
        if least == math.inf:
            continue
        for v in has[:, c].nonzero().ravel().tolist():
            shown[v][:, c] = _certainty(values[v], least, peak)
    return {
        dataset.video_ids[place]: _as_marks(own, named)
        for place, own, named in zip(places.tolist(), shown, has, strict=True)
        if not own.isnan().all()
    }


def told_sentence(told: Mapping[str, SnippetMarks], class_names: Sequence[str]) -> str:
    """Return of which classes names tell snippets, in words.

    Parameters
    ----------
    told : mapping of video id to SnippetMarks
        What `told_snippets` found; not empty.
    class_names : sequence of str
        Names of the C classes.

    Examples
    --------
    >>> told = {"monday": SnippetMarks(instances=(MarkedInstance(0, 2.5, 4.5),))}
    >>> told_sentence(told, ["jump", "run"])[:72]
    "in long recordings, names alone tell where 1 of 2 classes may be: 'jump'"
    """
    found = sorted({i.class_index for own in told.values() for i in own.instances})
    known = [class_names[c] for c in found]
    others = [name for c, name in enumerate(class_names) if c not in found]
    said = (
        f"in long recordings, names alone tell where {len(known)} of "
        f"{counted(len(class_names), 'class')} may be: {some(known)}"
    )
    if not others:
        return said
    return (
        f"{said}; they tell nothing of where {some(others)} may be; mark some actions "
        "of these (--supervision points), or add recordings with and without them"
    )


def least_and_peak(values: list[Tensor], has: Tensor) -> tuple[float, float]:
    """Return the least value that counts, and what the highest usually reach.

    Parameters
    ----------
    values : list of (T,) tensors
        Values of each recording's snippets along a direction.
    has : (V,) tensor of bool
        Which recordings have the class.

    Examples
    --------
    >>> values = [torch.tensor([5.0] * 5 + [1.0] * 9), torch.tensor([2.0] + [1.0] * 9)]
    >>> least_and_peak(values, torch.tensor([True, False]))
    (5.0, 5.0)
    """
    is_named = has.tolist()
    named = [own for own, own_has in zip(values, is_named, strict=True) if own_has]
    others = [own for own, own_has in zip(values, is_named, strict=True) if not own_has]
    top = [own.topk(min(JUDGED_BY, len(own))).values.mean() for own in named]
    peak = float(torch.stack(top).median())
    high = torch.cat(named).sort(descending=True).values
    low = torch.cat(others).sort().values
    high = high[: SEARCHED_ABOVE * len(named)]
    # of each candidate for the least value: how many snippets reach it, per recording
    reached = torch.arange(1, len(high) + 1) / len(named)
    by_others = (len(low) - torch.searchsorted(low, high)) / len(others)
    counts = (by_others <= FALSE_SHARE * reached).nonzero().ravel()
    least = float(high[counts[-1]]) if len(counts) else math.inf
    return least, peak


def _long(dataset: WeakDataset, settings: ModelSettings) -> Tensor:
    """Return the places of the long recordings that are searched, (V,)."""
    ratio, most = settings.instance_ratio, settings.most_pooled
    lengths = dataset.lengths.tolist()
    is_long = [
        most_pooled_of(n, ratio) > most_pooled_of(n, ratio, most) for n in lengths
    ]
    places = torch.tensor(is_long).nonzero().ravel()
    total = int(dataset.lengths[places].sum())
    return evenly(places, most=max(len(places) * MOST_SNIPPETS // max(total, 1), 1))


def _certainty(values: Tensor, least: float, peak: float) -> Tensor:
    """Return 1 where snippets show a class, 0 where they do not, NaN between, (T,)."""
    known = torch.where(values < least, 0.0, torch.nan)
    return torch.where(values >= max(least, PEAK_SHARE * peak), 1.0, known)


def _as_marks(shown: Tensor, named: Tensor) -> SnippetMarks:
    """Return what is known of a recording's snippets, (T, C), as marks.

    A class that is not among the recording's names, (C,), is nowhere in it.
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
