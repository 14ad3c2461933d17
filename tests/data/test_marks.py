"""Which times of a label file training is given."""

import dataclasses
import re

import pytest

from acmnet.data.annotations import Annotations, Instance, Point, Video, WatchedSpan
from acmnet.data.marks import VideoMarks, given_marks, marks_sha256
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
