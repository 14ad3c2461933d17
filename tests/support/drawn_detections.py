"""Labels of every kind, and detections with many equal scores, drawn at random."""

import numpy as np

from acmnet.data.labels.annotations import (
    Annotations,
    Instance,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.segments import Detections, Segment

CLASSES = ("jump", "kä", "run")


def drawn_truth(n_videos=30, seed=0):
    """Draw labels of every kind; every third video is in the subset "test"."""
    rng = np.random.default_rng(seed)
    videos = {}
    for v in range(n_videos):
        starts = np.sort(rng.uniform(0, 90, rng.integers(0, 5)))
        instances = tuple(
            Instance(CLASSES[rng.integers(3)], Segment(float(s), float(s) + 4.0))
            for s in starts
        )
        labels = {x.label for x in instances}
        points = (Point("jump", 95.5),) if v % 7 == 1 else ()
        labels |= {x.label for x in points}
        labels |= {"run"} if v % 5 == 0 else set()
        watched = (WatchedSpan(None, Segment(0.0, 2.0)),) if v % 11 == 2 else ()
        videos[f"v{v}"] = Video(
            id=f"v{v}",
            subset="test" if v % 3 == 0 else "training",
            duration_s=100.0 if v % 4 else None,
            labels=tuple(x for x in CLASSES if x in labels),
            instances=instances,
            points=points,
            watched=watched,
        )
    return Annotations("drawn", videos, (*CLASSES, "never"))


def drawn_detections(truth, seed=0):
    """Draw detections with many equal scores; some videos have none."""
    rng = np.random.default_rng(seed)
    found = {}
    for v, video in enumerate(truth.videos):
        n = 0 if v % 6 == 5 else int(rng.integers(1, 12))
        start = rng.uniform(0, 95, n)
        found[video] = Detections(
            start_s=start,
            end_s=start + rng.uniform(0.1, 8.0, n),
            score=np.round(rng.uniform(0, 1, n), 1),
            class_index=rng.integers(0, 3, n),
            class_names=CLASSES,
        )
    return found
