"""The demonstration, on fewer and shorter videos than `acmnet demo` draws."""

import json

import pytest

import acmnet
from acmnet.detections import read_detections
from acmnet.evaluation.reports import evaluate
from acmnet.pipeline.demo import DemoHooks, demo
from acmnet.scenes import SceneSettings


def test_the_demo_goes_the_whole_way(tmp_path):
    drawn, notes = [], []
    scenes = SceneSettings(training_videos=8, test_videos=6, video_s=(6.0, 8.0))
    hooks = DemoHooks(notes.append, on_drawn=lambda done, _: drawn.append(done))
    result = demo(tmp_path, scenes=scenes, hooks=hooks)
    assert drawn == list(range(1, 15))
    assert len(list((tmp_path / "scenes" / "videos").glob("*.mp4"))) == 14
    # what is told is what anyone can score from the files that are left
    labels = tmp_path / "scenes" / "labels.json"
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
