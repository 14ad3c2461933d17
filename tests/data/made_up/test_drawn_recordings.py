"""Made-up long recordings: what their label file says, and the verb that draws them."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.label_files import read_annotations
from acmnet.data.made_up.drawn_recordings import (
    CLASSES,
    draw_recordings,
    write_recordings,
)
from acmnet.data.made_up.simulation_settings import SimulationError
from acmnet.data.made_up.video_simulator import GRID
from support.commands import refused


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_recording_holds_twenty_short_actions_that_do_not_overlap(seed):
    database = draw_recordings(2, seed)["database"]
    for recording in database.values():
        segments = [one["segment"] for one in recording["annotations"]]
        lengths = [end - start for start, end in segments]
        assert len(segments) == 20
        assert 0.99 <= min(lengths) <= max(lengths) <= 3.01  # rounded to 0.01 s
        assert segments[0][0] >= 0.0
        assert segments[-1][1] <= recording["duration"]
        for (_, end), (start, _) in itertools.pairwise(segments):
            assert start >= end - 0.011
        # 1,800 snippets of 16 frames at 25 a second
        assert recording["duration"] == pytest.approx(1800 * 16 / 25)


def test_most_classes_occur_in_most_recordings():
    database = draw_recordings(60, seed=0)["database"].values()
    carried = [{one["label"] for one in x["annotations"]} for x in database]
    share = [np.mean([name in own for own in carried]) for name in CLASSES]
    assert len(CLASSES) == 8
    assert np.mean(np.array(share) > 0.5) >= 0.75
    assert share[0] > 0.95 > share[-1]
    subsets = [x["subset"] for x in database]
    assert subsets.count("training") == subsets.count("test") == 30


@pytest.mark.parametrize("each", [1, 4, 7])
def test_each_class_is_missing_from_its_share_of_recordings(each):
    drawn = draw_recordings(200, seed=1, classes_each=each)["database"].values()
    carried = [{one["label"] for one in x["annotations"]} for x in drawn]
    assert max(map(len, carried)) == each
    share = [np.mean([name in own for own in carried]) for name in CLASSES]
    # a class that may occur can still be missing by chance, the rarest most often
    assert max(share) < each / 8 + 0.1
    assert share[0] == pytest.approx(each / 8, abs=0.1)
    for own in drawn:
        assert len(own["annotations"]) == 20


@pytest.mark.parametrize("each", [0, 9])
def test_classes_that_do_not_exist_cannot_be_drawn(each):
    with pytest.raises(SimulationError, match=f"from 1 to 8, got {each}"):
        draw_recordings(2, seed=0, classes_each=each)


def test_a_recording_is_the_same_among_more(tmp_path):
    few, many = (draw_recordings(n, seed=3)["database"] for n in (2, 5))
    assert few == {name: many[name] for name in few}
    path = write_recordings(tmp_path, 5, seed=3)
    assert read_annotations(path).class_names == CLASSES
    assert write_recordings(tmp_path, 5, seed=3) == path
    with pytest.raises(SimulationError, match="holds other recordings than the 4 of"):
        write_recordings(tmp_path, 4, seed=3)
    with pytest.raises(SimulationError, match="a whole number from 2, got 1"):
        write_recordings(tmp_path / "one", 1, seed=3)
    assert not (tmp_path / "one").exists()


def test_simulate_draws_recordings(acmnet, tmp_path):
    out = tmp_path / "out"
    code, said, _ = acmnet(
        "simulate", "--recordings", "2", "--dimension", "2", "--out", out
    )
    assert code == 0
    assert "2 videos drawn" in said
    written = np.load(out / "features" / "recording_001.npy")
    assert written.shape == (1800, 2)
    labels = json.loads((out / "annotations.json").read_text())
    assert set(labels["database"]) == {"recording_001", "recording_002"}
    assert GRID.span_s(1800) == labels["database"]["recording_001"]["duration"]


@pytest.mark.parametrize(
    "options", [(), ("--annotations", "gt.json", "--recordings", "2")]
)
def test_simulate_takes_one_source_of_annotations(acmnet, tmp_path, options):
    result = acmnet("simulate", *options, "--out", tmp_path / "out")
    refused(result, "give either --annotations or --recordings", code=2)


def test_classes_each_needs_recordings(acmnet, tmp_path):
    options = ("--annotations", "gt.json", "--classes-each", "4")
    result = acmnet("simulate", *options, "--out", tmp_path)
    refused(result, "--classes-each is for --recordings alone", code=2)
