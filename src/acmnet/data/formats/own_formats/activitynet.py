"""ActivityNet's JSON, as acmnet itself reads and writes labels and detections.

It holds everything that acmnet knows of labels: subsets, durations, points, watched
spans, classes without an example, and actions of which only the name is known.
Detections are written by `acmnet.data.detections.detection_files` as results JSON, with
their scores.

References
----------
Caba Heilbron et al., "ActivityNet: A Large-Scale Video Benchmark for Human Activity
Understanding", CVPR 2015: https://github.com/activitynet/ActivityNet
"""

import json
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format
from acmnet.data.labels.json_files.label_json import label_entry


def write(content: Content) -> str:
    """Return labels, or detections with their scores, as JSON."""
    if content.scores is None:
        values: dict[str, object] = {
            "version": "acmnet labels 1",
            "classes": list(content.class_names),
            "database": {video.id: label_entry(video) for video in content.videos},
        }
    else:
        results = {
            video.id: [
                {
                    "label": instance.label,
                    "score": score,
                    "segment": [instance.segment.start_s, instance.segment.end_s],
                }
                for instance, score in zip(
                    video.instances, content.scores[video.id], strict=True
                )
            ]
            for video in content.videos
        }
        values = {"version": "acmnet", "external_data": {}, "results": results}
    return json.dumps(values, ensure_ascii=False) + "\n"


FORMAT: Final = Format(
    name="json",
    title="ActivityNet JSON",
    suffixes=(".json",),
    holds=(
        *("names", "points", "points beside segments", "watched", "durations"),
        *("scores", "classes", "overlaps", "times before 0", "any video name"),
        "videos without marks",
    ),
    subsets=None,
    write=write,
)
