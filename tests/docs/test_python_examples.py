"""The Python calls, as docs/python.md shows them: its blocks run as they stand."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import acmnet
from support.places import ROOT

TEXT = (ROOT / "docs/python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_the_examples_run_as_they_stand(tiny_scenes, capsys):
    shutil.copytree(tiny_scenes / "videos", "videos")
    shutil.copy(tiny_scenes / "labels.csv", "labels.csv")
    scope = {"__name__": "__main__"}
    for block in BLOCKS:
        if block.startswith("# my_backbone.py"):
            Path("my_backbone.py").write_text(block)
        exec(compile(block, "docs/python.md", "exec"), scope)
    told = capsys.readouterr().out
    assert re.search(r"^jump: \d+\.\d to \d+\.\d s, 0\.\d+$", told, re.M)
    assert "('jump', 'run') [('jump',), ('run',)," in told
    assert "1 of 1 video has no features in runs/arrays/features: 'video_9'" in told
    assert re.search(r"^6 \{\}$", told, re.M)
    assert Path("runs/mine/detections.json").exists()
    notes = []
    acmnet.fit(
        *("videos", "labels.csv", "runs/nothing"),
        extractor="my_backbone:Brightness",
        profile="corrected",
        overrides={
            "training.epochs": 1,
            "localization.activation_thresholds": (0.99,),
            "localization.attention_thresholds": (0.99,),
        },
        on_note=notes.append,
    )
    (said,) = (note for note in notes if "nothing was found in 6 videos" in note)
    assert "What to try: train longer" in said


GRID = acmnet.SnippetGrid(25, 16, 16)
ROWS = np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("features", "labels", "words"),
    [
        ({}, {}, "there are no features to train on"),
        ({"a": ROWS}, {}, "1 video has no labels; give an empty list .*: 'a'"),
        ({"a": ROWS}, {"a": ["x"], "b": []}, "1 video has no features; .*: 'b'"),
        (
            {"a": ROWS},
            {"a": "run"},
            r"must be a list of names, got 'run'; give \['run'",
        ),
        ({"a": ROWS + np.nan}, {"a": ["x"]}, "finite"),
        ({"a": ROWS[0]}, {"a": ["x"]}, "a.npy"),
    ],
)
def test_arrays_that_cannot_be_meant_are_refused(features, labels, words):
    with pytest.raises(ValueError, match=words):
        acmnet.train("r", features, labels, GRID)
