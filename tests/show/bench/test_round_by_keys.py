"""A whole round at the bench, by keys alone: name, learn, correct, learn again."""

import json

import pytest
from benchmarks.round_by_keys import score, work

from acmnet.cli import main
from acmnet.cli.verbs.label import opened_bench
from acmnet.data.label_files import read_annotations
from acmnet.recipes import recipe
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import ShownVideo
from acmnet.show.bench.rounds.round_plan import RoundPlan
from support.drawn_mice import FPS, drawn_mice, write_deeplabcut, write_video_of
from support.serving import served

LENGTH_S = 16
CONTEXT_S = 4
"""So long before and after it acts a mouse turns, which names do not tell apart."""
RECORDINGS = 12
NAMED = 8
CORRECTED = 4
FEW = {"training.epochs": 20, "training.batch_size": 4, "training.round_share": 0.5}
OPTIONS = ("--profile", "corrected", "--training.epochs", "20")
OPTIONS += ("--training.batch-size", "4", "--training.round-share", "0.5")


@pytest.fixture
def mice(tmp_path):
    """Give a folder with videos, features of their tracks, and what happens in them."""
    database = {}
    for folder in ("videos", "tracks"):
        (tmp_path / folder).mkdir()
    for i in range(RECORDINGS):
        behaviour, name = ("spin", "chase")[i % 2], f"cage{i:02}"
        start_s = CONTEXT_S + (7 * i) % (LENGTH_S - 6 - 2 * CONTEXT_S + 1)
        tracks = drawn_mice(behaviour, start_s, i, LENGTH_S, CONTEXT_S)
        write_deeplabcut(tmp_path / "tracks" / f"{name}.csv", tracks)
        write_video_of(tmp_path / "videos" / f"{name}.mp4", tracks)
        segments = [{"label": behaviour, "segment": [start_s, start_s + 6]}]
        database[name] = {"duration": LENGTH_S, "annotations": segments}
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    given = ["--extractor", "keypoints", "--fps", str(FPS), "--workers", "1"]
    features = str(tmp_path / "features")
    main(["extract", str(tmp_path / "tracks"), "--out", features, *given])
    return tmp_path


def test_after_corrections_the_other_videos_are_scored_higher(mice, opened):
    """Extraction and the verb are left out, because they take longer than all else."""
    truth, labels = read_annotations(mice / "truth.json"), mice / "labels.json"
    files = {video: mice / "videos" / f"{video}.mp4" for video in truth.videos}
    settings = recipe("default", profile="corrected", overrides=FEW)
    site = opened_bench(
        title="labels.json",
        labels=labels,
        shown={video: ShownVideo() for video in files},
        media=BenchMedia(tuple(files.values()), mice / "seen"),
        plan=RoundPlan(features=mice / "features", options=OPTIONS, settings=settings),
        classes=list(truth.class_names),
        who="anna",
    )
    with served(site) as server:
        work(opened(server.address), truth, NAMED, CORRECTED)
        opened.close()
    site.store.close()
    rounds = labels.with_name("labels.bench") / "rounds"
    first, second = (score(rounds / f"{n:03}", truth, labels) for n in (1, 2))
    assert second > first + 10
