"""Small worlds for tests of evaluation: annotations and detections from tuples."""

import numpy as np
from hypothesis import strategies as st

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.segments import Segment

HALVES = st.integers(0, 12).map(lambda x: x / 2)
"""Times that are multiples of 0.5 s, so that many are equal."""


def instances(most):
    """Return lists of up to ``most`` instances ``(label, start, end)``, to be drawn."""
    return st.lists(
        st.builds(
            lambda label, start, length: (label, start / 2, (start + length) / 2),
            st.sampled_from(("jump", "run", "Ambiguous")),
            st.integers(0, 11),
            st.integers(1, 8),
        ),
        max_size=most,
    )


def truth_of(**videos):
    """Return annotations of ``(label, start, end)`` by video, all of subset 'test'."""
    names = tuple(dict.fromkeys(x for found in videos.values() for x, _, _ in found))
    made = {}
    for video, found in videos.items():
        instances = tuple(Instance(x, Segment(a, b)) for x, a, b in found)
        labels = tuple(c for c in names if c in {x for x, _, _ in found})
        made[video] = Video(
            id=video, subset="test", duration_s=None, labels=labels, instances=instances
        )
    return Annotations("labels.json", made, names)


def listed_file(videos, rows):
    """Return a file of ``(video, label, start, end, score)``, in this order."""
    videos = tuple(videos)
    labels = tuple(dict.fromkeys(row[1] for row in rows))
    numbers = np.array([row[2:] for row in rows], dtype=float).reshape(-1, 3)
    return DetectionFile(
        source="found.json",
        video_ids=videos,
        labels=labels,
        video_index=np.array([videos.index(row[0]) for row in rows], np.int64),
        label_index=np.array([labels.index(row[1]) for row in rows], np.int64),
        start_s=numbers[:, 0],
        end_s=numbers[:, 1],
        score=numbers[:, 2],
    )


def file_of(**videos):
    """Return a detection file of ``(label, start, end, score)`` by video."""
    return listed_file(
        videos, [(v, *row) for v, found in videos.items() for row in found]
    )
