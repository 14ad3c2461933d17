"""A process that learns a round, to be killed at work."""

import time
from pathlib import Path

from acmnet.show.bench.marks.bench_labels import KnownVideo, Labels
from acmnet.show.bench.marks.bench_mark import Mark
from acmnet.show.bench.rounds.learning import Learning, Method


def learn_until_killed(folder, words):
    """Begin a round that consists of one command, and wait."""
    at = {"who": "anna", "at": "2026-11-27T00:00:00Z"}
    mark = Mark(id="m1", video="a", kind="name", label="run", **at)
    labels = Labels(
        journal="j",
        revision=1,
        classes=("run",),
        videos={"a": KnownVideo(10.0)},
        marks=(mark,),
    )
    method = Method(lambda *_: [words], lambda *_: (0.0, ""))
    Learning(Path(folder), method, lambda _: None).start(labels)
    time.sleep(600)
