"""Which times of a label file training is given."""

import dataclasses
import re

import pytest

from acmnet.data.labels.annotations import (
    BENCH,
    Annotations,
    Instance,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.data.labels.marks import (
    VideoMarks,
    content_sentence,
    given_marks,
    held_marks,
    marks_sha256,
    supervision_note,
)
from acmnet.limits import LARGEST_SECONDS
from acmnet.segments import Segment

FIGHT = Instance("fight", Segment(2.0, 5.0))
POINT = Point("run", 7.0)
SPAN = WatchedSpan(None, Segment(0.0, 9.0))


def labels(**of_a):
    """Return labels of a video "a" with marks and a video "b" without any."""
    plain = Video(id="b", subset=None, duration_s=9.0, labels=("fight",), instances=())
    marked = dataclasses.replace(plain, id="a", labels=("fight", "run"), **of_a)
    return Annotations("labels.json", {"a": marked, "b": plain}, ("fight", "run"))


@pytest.mark.parametrize(
    ("supervision", "expected"),
    [
        ("names", None),
        ("points", VideoMarks(points=(POINT,))),
        ("segments", VideoMarks(segments=(FIGHT,), watched=(SPAN,))),
        ("all", VideoMarks((FIGHT,), (POINT,), (SPAN,))),
    ],
)
def test_times_are_given_only_when_asked_for(supervision, expected):
    everything = labels(instances=(FIGHT,), points=(POINT,), watched=(SPAN,))
    found = given_marks(everything, supervision)
    assert found == ({} if expected is None else {"a": expected})


def test_videos_without_such_marks_are_not_listed():
    assert given_marks(labels(points=(POINT,)), "segments") == {}
    assert given_marks(labels(instances=(FIGHT,)), "points") == {}


def test_that_videos_without_an_action_were_watched_is_known_from_their_names():
    """Naming at the bench was a training with times where it named videos as empty."""
    named = labels()
    empty = Video(
        id="c", subset=None, duration_s=9.0, labels=(), instances=(), watched=(SPAN,)
    )
    videos = {**named.videos, "c": empty}
    nothing = dataclasses.replace(named, videos=videos)
    assert given_marks(nothing, "all") == {}
    assert held_marks(nothing) == {"c": VideoMarks(watched=(SPAN,))}
    assert supervision_note(nothing, "all") == (
        "only videos without an action are marked as watched in labels.json, which "
        "says no more than names do, so training is given names alone"
    )
    assert content_sentence(nothing) == "3 names, 0.1 min watched"
    marked = labels(points=(POINT,)).videos["a"]
    both = dataclasses.replace(named, videos={**videos, "a": marked})
    assert sorted(given_marks(both, "all")) == ["a", "c"]


def test_another_word_is_refused():
    message = "supervision must be names, points, segments or all, got 'times'"
    with pytest.raises(ValueError, match=re.escape(message)):
        given_marks(labels(), "times")


def test_the_digest_tells_marks_apart_but_not_their_order():
    later = Point("run", 8.0)
    one = {"a": VideoMarks(points=(POINT, later)), "b": VideoMarks(watched=(SPAN,))}
    same = {"b": VideoMarks(watched=(SPAN,)), "a": VideoMarks(points=(later, POINT))}
    moved = {**one, "a": VideoMarks(points=(later, Point("run", 7.5)))}
    assert marks_sha256(one) == marks_sha256(same)
    assert len({marks_sha256(x) for x in (one, moved, {"a": one["a"]}, {})}) == 4


ALL_KINDS = {"instances": (FIGHT,), "points": (POINT, POINT), "watched": (SPAN,)}
LATER = WatchedSpan("run", Segment(6.0, 12.0))  # 3 s of it watched already
WHOLE = WatchedSpan(None, Segment(0.0, LARGEST_SECONDS))


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({}, "3 names"),
        (ALL_KINDS, "3 names, 2 points, 1 segment, 0.1 min watched"),  # 9 s
        ({"watched": (LATER, SPAN)}, "3 names, 0.2 min watched"),  # 12 s
        ({"watched": (WHOLE,)}, "3 names, 1 whole video watched"),
    ],
)
def test_what_a_file_holds(marks, expected):
    assert content_sentence(labels(**marks)) == expected


@pytest.mark.parametrize(
    ("marks", "supervision", "expected"),
    [
        ({}, "names", None),
        ({"instances": (FIGHT,)}, "names", None),  # as benchmarks have them
        (
            ALL_KINDS,
            "names",
            "labels.json holds 2 points, 1 segment and 0.1 min watched, of which "
            "nothing is learned here; --supervision all learns from them",
        ),
        (
            ALL_KINDS,
            "points",
            "training is given names and 2 points of labels.json (supervision: points)",
        ),
        (
            ALL_KINDS,
            "segments",
            "training is given names, 1 segment and 0.1 min watched of "
            "labels.json (supervision: segments)",
        ),
        (
            {"points": (POINT,)},
            "segments",
            "labels.json holds no segments or watched spans, so training is given "
            "names alone",
        ),
    ],
)
def test_the_user_is_told_what_training_is_given(marks, supervision, expected):
    assert supervision_note(labels(**marks), supervision) == expected


def test_a_file_of_the_bench_tells_that_its_segments_teach_nothing():
    benched = dataclasses.replace(labels(instances=(FIGHT,)), made_by=BENCH)
    assert supervision_note(benched, "names") == (
        "labels.json holds 1 segment, of which nothing is learned here; "
        "--supervision all learns from them"
    )
