"""Marks that contradict each other: they are stored, and the page tells of them."""

from typing import Any

from acmnet.data.contradictions import contradictions
from acmnet.show.bench.bench_labels import Labels, video_of


def problems_in(labels: Labels) -> list[dict[str, Any]]:
    """Return the contradictions among marks, as the page shows them.

    Training refuses a label file that has one.

    Returns
    -------
    list of dict
        ``video``; ``ids``, the points and names of the class that the sentence is
        about; ``sentence``.
    """
    found = []
    for name, marks in labels.of_video().items():
        video = video_of(name, marks, labels.videos[name], labels.classes)
        for sentence in contradictions(video):
            ids = [
                x.id
                for x in marks
                if x.kind in ("point", "name") and f"class {x.label!r}" in sentence
            ]
            found.append({"video": name, "ids": ids, "sentence": sentence})
    return found
