"""Time the scoring of as many detections as for THUMOS-14, and of a simple loop."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.evaluation.reports import evaluate
from acmnet.segments import Detections, FloatArray, IntArray, Segment
from benchmarks.measure import LOOP, Figure, interleaved, ratio_of

VIDEOS: Final = 212
INSTANCES: Final = 3_358
DETECTIONS: Final = 19_600
TIOU: Final = tuple(round(0.1 * i, 1) for i in range(1, 10))
TWIN_SHARE: Final = 5
"""The loop is timed on one detection in this many."""

CLASS_NAMES: Final = tuple(f"class_{i}" for i in range(20))
Spans = dict[tuple[str, str], list[tuple[float, float]]]
"""Intervals in seconds, by video and label."""


def rows(repeats: int = 9) -> Iterator[Figure]:
    """Time the scoring of all detections, and the loop on some of them."""
    truth, found = made_up_thumos()
    some = {video: _every(detections) for video, detections in found.items()}
    scale = DETECTIONS / sum(map(len, some.values()))
    fast_s, slow_s = interleaved(
        lambda: evaluate(truth, found, tiou=TIOU),
        lambda: evaluate_slowly(truth, some, TIOU),
        repeats=repeats,
    )
    report = evaluate(truth, found, tiou=TIOU)
    yield ratio_of(
        f"evaluate {DETECTIONS} detections at {len(TIOU)} thresholds",
        fast_s,
        [scale * taken for taken in slow_s],
        LOOP,
        detail=f"{report.instances} instances, average mAP {report.average:.3f}",
    )


def made_up_thumos() -> tuple[Annotations, dict[str, Detections]]:
    """Return as many videos, instances and detections as THUMOS-14's test set has."""
    random = np.random.default_rng(0)
    durations_s = random.lognormal(5.07, 0.83, VIDEOS).clip(10.0, 1600.0)
    share = durations_s / durations_s.sum()
    n_instances = random.multinomial(INSTANCES - VIDEOS, share) + 1
    n_detections = random.multinomial(DETECTIONS, share)
    videos, found = {}, {}
    for i, duration_s in enumerate(durations_s.tolist()):
        name = f"video_{i:04d}"
        classes = random.choice(len(CLASS_NAMES), 2 if i % 6 == 0 else 1, replace=False)
        label = random.choice(classes, n_instances[i])
        start_s, end_s = _segments(random, len(label), duration_s)
        videos[name] = _video(name, duration_s, label, start_s, end_s)
        found[name] = _detections(
            random, int(n_detections[i]), duration_s, label, start_s, end_s
        )
    return Annotations("made-up.json", videos, CLASS_NAMES), found


def _segments(
    random: np.random.Generator, n: int, duration_s: float
) -> tuple[FloatArray, FloatArray]:
    start_s = random.uniform(0.0, 0.9 * duration_s, n)
    return start_s, start_s + random.lognormal(np.log(3.2), 0.83, n)


def _video(
    name: str,
    duration_s: float,
    label: IntArray,
    start_s: FloatArray,
    end_s: FloatArray,
) -> Video:
    labels = [CLASS_NAMES[c] for c in label.tolist()]
    spans = zip(start_s.tolist(), end_s.tolist(), strict=True)
    instances = tuple(
        Instance(what, Segment(*span)) for what, span in zip(labels, spans, strict=True)
    )
    return Video(
        id=name,
        subset="test",
        duration_s=duration_s,
        labels=tuple(sorted(set(labels))),
        instances=instances,
    )


def _detections(
    random: np.random.Generator,
    n: int,
    duration_s: float,
    label: IntArray,
    start_s: FloatArray,
    end_s: FloatArray,
) -> Detections:
    """Return detections: shifted instances, and as many random segments."""
    near = random.integers(len(label), size=n)
    length_s = (end_s - start_s)[near]
    found_s = start_s[near] + 0.3 * length_s * random.normal(size=n)
    until_s = found_s + length_s * random.lognormal(0.0, 0.3, n)
    anywhere = random.random(n) < 0.5
    other_s, other_until_s = _segments(random, n, duration_s)
    astray = anywhere & (random.random(n) < 0.1)
    return Detections(
        start_s=np.where(anywhere, other_s, found_s),
        end_s=np.where(anywhere, other_until_s, until_s),
        score=random.random(n) + 0.5 * ~anywhere,
        class_index=np.where(
            astray, random.integers(len(CLASS_NAMES), size=n), label[near]
        ),
        class_names=CLASS_NAMES,
    )


def _every(found: Detections) -> Detections:
    """Return one in `TWIN_SHARE` of the detections of each video."""
    step = slice(None, None, TWIN_SHARE)
    return Detections(
        start_s=found.start_s[step],
        end_s=found.end_s[step],
        score=found.score[step],
        class_index=found.class_index[step],
        class_names=found.class_names,
    )


def evaluate_slowly(
    truth: Annotations, found: Mapping[str, Detections], tiou: Sequence[float]
) -> list[float]:
    """Return the mAP at each threshold as `evaluate` does, except for ties of tIoU."""
    spans: Spans = {}
    for video in truth.videos.values():
        for instance in video.instances:
            span = instance.segment.start_s, instance.segment.end_s
            spans.setdefault((video.id, instance.label), []).append(span)
    ranked = sorted(
        ((video, d) for video, detections in found.items() for d in detections),
        key=lambda pair: -pair[1].score,
    )
    result = []
    for threshold in tiou:
        precisions = []
        for label in truth.class_names:
            own = [
                (video, d.start_s, d.end_s) for video, d in ranked if d.label == label
            ]
            total = sum(len(s) for (_, what), s in spans.items() if what == label)
            if total:
                hits = _hits(own, label, spans, threshold)
                precisions.append(_average_precision(hits, total))
        result.append(sum(precisions) / len(precisions))
    return result


def _hits(
    ranked: Sequence[tuple[str, float, float]],
    label: str,
    spans: Spans,
    threshold: float,
) -> list[bool]:
    """Return whether each detection of one class finds an instance that is free."""
    taken: set[tuple[str, int]] = set()
    hits = []
    for video, start_s, end_s in ranked:
        best, best_tiou = None, threshold
        for i, (other_s, other_end_s) in enumerate(spans.get((video, label), [])):
            overlap = min(end_s, other_end_s) - max(start_s, other_s)
            tiou = overlap / (end_s - start_s + other_end_s - other_s - overlap)
            better = tiou > best_tiou if best is not None else tiou >= threshold
            if better and (video, i) not in taken:
                best, best_tiou = i, tiou
        hits.append(best is not None)
        if best is not None:
            taken.add((video, best))
    return hits


def _average_precision(hits: Sequence[bool], n_instances: int) -> float:
    precision, found = [], 0
    for rank, hit in enumerate(hits, start=1):
        found += hit
        precision.append(found / rank)
    best, total = 0.0, 0.0
    for hit, value in zip(reversed(hits), reversed(precision), strict=True):
        best = max(best, value)
        total += best if hit else 0.0
    return total / n_instances
