"""Slow, literal versions of the evaluation rules: one detection at a time, no NumPy.

Written from the rules, not from `acmnet.evaluation.reports`. An interval is a pair of
seconds.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One detection of one video."""

    label: str
    start: float
    end: float
    score: float


def naive_tiou(a, b):
    """Return intersection over union, nothing added to a length."""
    both = min(a[1], b[1]) - max(a[0], b[0])
    if both <= 0:
        return 0.0
    return both / ((a[1] - a[0]) + (b[1] - b[0]) - both)


def naive_match(detections, instances, threshold):
    """Return for each detection, best first, the instance it takes; -1 for none."""
    locked = set()
    found = []
    for detection in detections:
        best, best_tiou, best_miss = -1, -1.0, 0.0
        for i, instance in enumerate(instances):
            tiou = naive_tiou(detection, instance)
            miss = min(abs(detection[0] - instance[0]), abs(detection[1] - instance[1]))
            better = tiou > best_tiou or (tiou == best_tiou and miss < best_miss)
            if i not in locked and tiou >= threshold and better:
                best, best_tiou, best_miss = i, tiou, miss
        locked.add(best)
        found.append(best)
    return found


def naive_ap(hits, n_instances):
    """Return the area under the precision envelope over recall, point by point."""
    recall, precision, n_hits = [0.0], [0.0], 0
    for rank, hit in enumerate(hits, start=1):
        n_hits += bool(hit)
        recall.append(n_hits / n_instances)
        precision.append(n_hits / rank)
    recall.append(1.0)
    precision.append(0.0)
    area = 0.0
    for i in range(1, len(recall)):
        area += (recall[i] - recall[i - 1]) * max(precision[i:])
    return area


def naive_class_ap(truth, results, label, threshold):
    """Return one class's AP.

    ``truth`` has ``(label, start, end)`` by video, ``results`` has `Row` by video.
    """
    instances = {
        video: [(start, end) for name, start, end in found if name == label]
        for video, found in truth.items()
    }
    ranking = [
        (video, row)
        for video, rows in results.items()
        for row in rows
        if video in truth and row.label == label and row.end > row.start
    ]
    ranking.sort(key=lambda pair: -pair[1].score)  # Python's sort is stable
    taken = {
        video: iter(
            naive_match(
                [(row.start, row.end) for v, row in ranking if v == video],
                instances[video],
                threshold,
            )
        )
        for video in truth
    }
    hits = [next(taken[video]) >= 0 for video, _ in ranking]
    return naive_ap(hits, sum(map(len, instances.values())))
