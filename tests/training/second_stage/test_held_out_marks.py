"""Marks dealt into parts, and how well proposals find those that were held out."""

import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.second_stage.held_out_marks import (
    UNIFORM_SHARE,
    gain,
    log_densities,
    parts,
)
from acmnet.training.second_stage.snippet_targets import PseudoInstance

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3)
SETS = st.dictionaries(NAMES, st.frozensets(st.integers(0, 3), max_size=3), min_size=7)


def marks_of(classes):
    return SnippetMarks(tuple(MarkedInstance(c, 2.0, 5.0) for c in sorted(classes)))


@given(SETS, st.integers(2, 4))
def test_parts_hold_each_video_once_and_are_of_one_size(classes, count):
    found = parts({video: marks_of(own) for video, own in classes.items()}, count)
    if sum(map(bool, classes.values())) < 8:
        assert found is None
        return
    assert len(found) == count
    assert sorted(video for part in found for video in part) == sorted(classes)
    sizes = [len(part) for part in found]
    assert max(sizes) - min(sizes) <= 1


def test_neighbours_stay_together_and_each_part_has_every_class():
    videos = {f"{name}_{i}": {c} for c, name in enumerate("rj") for i in range(6)}
    marks = {video: marks_of(own) for video, own in videos.items()}
    watched = SnippetMarks(watched=(WatchedStretch(0, 0.0, 9.0),))
    marks |= {f"x_{i}": watched for i in range(2)}
    one, other = parts(marks, 2)
    assert one == {*(f"{name}_{i}" for name in "rj" for i in range(3)), "x_0"}
    assert other == {*(f"{name}_{i}" for name in "rj" for i in (3, 4, 5)), "x_1"}
    thirds = [{f"{name}_{i}" for name in "rj" for i in (k, k + 1)} for k in (0, 2, 4)]
    assert [part - {"x_0", "x_1"} for part in parts(marks, 3)] == thirds


@pytest.mark.parametrize("kind", ["points", "segments"])
@pytest.mark.parametrize(
    "other", [(28.0, 52.0), (34.0, 46.0), (25.0, 45.0), (30.0, 40.0), (60.0, 80.0)]
)
def test_no_proposal_is_denser_at_the_marks_than_the_action_itself(kind, other):
    places = np.linspace(30.01, 49.99, 40)
    marks = SnippetMarks((MarkedInstance(0, 30.0, 50.0),))
    if kind == "points":
        marks = SnippetMarks(points=tuple(MarkedPoint(0, x) for x in places))

    def density(start, end):
        return np.mean(log_densities(marks, [PseudoInstance(0, start, end, 1.0)], 200))

    assert density(*other) < density(30.0, 50.0)
    expected = UNIFORM_SHARE + (1.0 - UNIFORM_SHARE) * 200 / 20
    assert density(30.0, 50.0) == pytest.approx(math.log(expected))


def test_surer_proposals_count_more_and_those_of_other_classes_not_at_all():
    marks = SnippetMarks(points=(MarkedPoint(1, 10.0), MarkedPoint(2, 10.0)))
    right, wrong = PseudoInstance(1, 5.0, 15.0, 3.0), PseudoInstance(1, 50.0, 60.0, 1.0)
    found = log_densities(marks, [right, wrong, right._replace(class_index=0)], 100)
    expected = UNIFORM_SHARE + (1.0 - UNIFORM_SHARE) * 100 * 0.75 / 10
    assert found == pytest.approx([math.log(expected), 0.0])


def test_a_gain_that_few_videos_make_is_not_clear():
    names = {video: [0.0] for video in "abcdefgh"} | {"nothing marked": []}
    one = names | {"a": [5.0]}
    assert gain(names, one).videos == 8
    assert gain(names, one).errors == pytest.approx(1.0)
    assert not gain(names, one).is_clear
    many = names | {video: [1.0 + 0.1 * i] for i, video in enumerate("abcdefg")}
    assert gain(names, many).is_clear
    assert not gain(many, names).is_clear
    assert not gain(names, names).is_clear  # nothing gained, with no error at all
    assert gain(names, many).of_marks == pytest.approx(math.exp(9.1 / 8))
