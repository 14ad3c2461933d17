"""A process that stores marks as they arrive, to be killed at work."""

from pathlib import Path

from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.mark_store import MarkStore


def serve_marks(folder, connection):
    """Store a point for each id m0, m1, ..., and send the id back once it is kept."""
    path = Path(folder)
    videos = {"a": KnownVideo(1e6)}
    store = MarkStore(path / "labels.json", path / "labels.bench", videos)
    connection.send("open")
    while True:
        known_id = connection.recv()
        one = {"id": known_id, "video": "a", "kind": "point", "label": "run"}
        time_s = float(known_id.removeprefix("m"))
        store.put({"who": "anna", "marks": [one | {"start_s": time_s}]})
        connection.send(known_id)
