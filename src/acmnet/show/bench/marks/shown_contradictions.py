"""Find marks that contradict each other, for the page to show; they stay stored."""

from typing import Any

from acmnet.data.labels.contradictions import contradictions
from acmnet.show.bench.marks.bench_labels import Labels, video_of


def problems_in(labels: Labels) -> list[dict[str, Any]]:
    """Return the first contradiction among the marks of each video that has one.

    Training refuses a label file that has one.

    Returns
    -------
    list of dict
        ``video``, and the ``sentence`` that the page shows.
    """
    found = []
    for name, marks in labels.of_video().items():
        video = video_of(name, marks, labels.videos[name], labels.classes)
        sentence = next(contradictions(video), None)
        if sentence is not None:
            found.append({"video": name, "sentence": sentence})
    return found
