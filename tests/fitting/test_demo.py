"""The demonstration, on fewer and shorter videos than `acmnet demo` draws."""

import json

import numpy as np
import pytest

import acmnet
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.made_up.drawn_videos import SceneSettings
from acmnet.evaluation.reports import evaluate
from acmnet.fitting.demo import DemoHooks, demo
from support.browsing import drawn as bars_of


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory):
    """Return the directory of a demo on 8 videos, its result, what it told."""
    out, drawn = tmp_path_factory.mktemp("demo"), []
    scenes = SceneSettings(
        training_videos=6,
        test_videos=2,
        video_s=(4.0, 5.0),
        instance_s=(1.0, 2.0),
        context_s=(0.5, 1.0),
    )
    hooks = DemoHooks(on_drawn=lambda done, _: drawn.append(done))
    return out, demo(out, scenes=scenes, hooks=hooks), drawn


def test_the_demo_goes_the_whole_way(demonstrated):
    out, result, drawn = demonstrated
    assert drawn == list(range(1, 9))
    assert len(list((out / "scenes" / "videos").glob("*.mp4"))) == 8
    # what is told is what anyone can score from the files that are left
    labels = out / "scenes" / "labels.json"
    found = read_detections(result.run / "detections.json")
    again = evaluate(labels, found, subset="test", tiou=result.report.tiou)
    assert again.map == pytest.approx(result.report.map)
    scores = json.loads(result.scores.read_text())
    assert scores["model"]["map"] == result.report.map.tolist()
    assert scores["control"]["map"] == result.control.map.tolist()
    assert scores["chance"]["map"] == result.chance.tolist()
    assert acmnet.load(result.run).class_names == (
        "bow",
        "clap",
        "jump",
        "kick",
        "spin",
        "wave",
    )


def test_its_report_draws_its_detections_file(demonstrated, acmnet, opened):
    out, result, _ = demonstrated
    videos = out / "scenes" / "videos"
    assert acmnet("report", result.run, "--videos", videos, "--all")[0] == 0
    found = read_detections(result.run / "detections.json")
    page = opened(result.run / "report.html")
    labels = np.array(found.labels)
    for i, video in enumerate(found.video_ids):
        page.get_by_role("button", name=video, exact=True).first.click()
        own = found.video_index == i
        columns = (found.start_s, found.end_s, found.score)
        expected = zip(
            labels[found.label_index[own]].tolist(),
            *(column[own].tolist() for column in columns),
            strict=True,
        )
        assert bars_of(page) == sorted(map(list, expected))
        assert page.locator("#player").evaluate("(v) => v.src.startsWith('blob:')")
    assert len(found.video_ids) == 8
