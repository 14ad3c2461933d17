"""Slow, literal versions of a diagnosis: one detection at a time, no NumPy.

Written from the definitions, not from `acmnet.evaluation.diagnosis.false_positives`.
``truth`` has ``(label, start, end)`` by video, ``results`` has `Row` by video.
"""

from typing import NamedTuple

from support.twins_evaluation import Row, naive_match, naive_tiou


class Judged(NamedTuple):
    """One detection, ranked and judged."""

    video: str
    row: Row
    kind: str
    found: tuple[str, int] | None
    """The video and the place in it of the instance that it finds."""
    nearest: tuple[str, float, float] | None


def labels_of(truth):
    """Return the classes in the order in which they are listed."""
    return list(dict.fromkeys(x for found in truth.values() for x, _, _ in found))


def count_of(truth, label):
    """Return how many instances a class has."""
    return sum(x == label for found in truth.values() for x, _, _ in found)


def literal_judged(truth, results, alpha):
    """Return every class's detections, best first, by label."""
    return {x: _judged_class(truth, results, x, alpha) for x in labels_of(truth)}


def _judged_class(truth, results, label, alpha):
    ranked = [(v, r) for v, rows in results.items() for r in rows if r.label == label]
    ranked.sort(key=lambda pair: -pair[1].score)  # Python's sort is stable
    takes = {}
    for video, found in truth.items():
        own = [i for i, x in enumerate(found) if x[0] == label]
        intervals = [(r.start, r.end) for v, r in ranked if v == video]
        taken = naive_match(intervals, [found[i][1:] for i in own], alpha)
        takes[video] = iter([(video, own[i]) if i >= 0 else None for i in taken])
    judged = []
    for video, row in ranked:
        hit = next(takes[video])
        top, nearest = 0.0, None
        for instance in truth[video]:
            tiou = naive_tiou((row.start, row.end), instance[1:])
            ties_as_own = tiou == top and nearest and nearest[0] != label
            if tiou > top or (tiou > 0 and ties_as_own and instance[0] == label):
                top, nearest = tiou, instance
        judged.append(
            Judged(video, row, _kind(hit, top, nearest, row, alpha), hit, nearest)
        )
    return judged


def _kind(hit, top, nearest, row, alpha):
    if hit is not None:
        return "true positive"
    if top < 0.1:
        return "background"
    is_own = nearest[0] == row.label
    if top >= alpha:
        return "double detection" if is_own else "wrong label"
    return "localisation" if is_own else "confusion"


def literal_profile(truth, judged):
    """Return how many of each kind stand from the first G to the tenth."""
    counts = [{} for _ in range(10)]
    for label, found in judged.items():
        n = count_of(truth, label)
        for g in range(10):
            for one in found[g * n : (g + 1) * n]:
                counts[g][one.kind] = counts[g].get(one.kind, 0) + 1
    return counts


def literal_map(truth, judged, *, gone=None, deep=None, normal=False, chosen=None):
    """Return mAP of what is left when a kind and what stands deep are deleted.

    ``chosen`` has the instances, as (video, place), that are to be found.
    """
    labels = labels_of(truth)
    average = sum(count_of(truth, x) for x in labels) / len(labels)
    aps = []
    for label in labels:
        n_all = count_of(truth, label)
        left = judged[label][: None if deep is None else deep * n_all]
        left = [x for x in left if x.kind != gone]
        n = n_all
        if chosen is not None:
            left = [x for x in left if x.found is None or x.found in chosen]
            n = sum(truth[v][i][0] == label for v, i in chosen)
        if n:
            aps.append(_ap([x.found for x in left], n, average if normal else n))
    return sum(aps) / len(aps)


def _ap(hits, n, average):
    """Return the area under the envelope of precision, with ``average`` instances."""
    points, n_hits, n_false = [], 0, 0
    for hit in hits:
        n_hits += hit is not None
        n_false += hit is None
        recall = n_hits / n
        points.append((hit, recall * average / (recall * average + n_false)))
    return sum(
        max(p for _, p in points[i:]) / n for i, (hit, _) in enumerate(points) if hit
    )


def literal_missed(truth, judged):
    """Return the instances, as (video, place), that are missed."""
    missed = {(v, i) for v, found in truth.items() for i in range(len(found))}
    labels = labels_of(truth)
    average = sum(count_of(truth, x) for x in labels) / len(labels)
    for label in labels:
        n_hits, n_false = 0, 0
        for one in judged[label]:
            n_hits += one.found is not None
            n_false += one.found is None
            found = n_hits / count_of(truth, label) * average
            if one.found and found / (found + n_false) > 0.05:
                missed.discard(one.found)
    return missed


def literal_misfits(truth, judged):
    """Return how many localisation errors are too long, too short and shifted."""
    counts = [0, 0, 0]
    for label, found in judged.items():
        for one in found[: 10 * count_of(truth, label)]:
            if one.kind == "localisation":
                _, start, end = one.nearest
                if one.row.start <= start and one.row.end >= end:
                    counts[0] += 1
                elif start <= one.row.start and one.row.end <= end:
                    counts[1] += 1
                else:
                    counts[2] += 1
    return counts
