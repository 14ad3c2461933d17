"""What is said of names in held-out videos: the verdict, and what would help."""

import dataclasses
import json

import numpy as np
import pytest

from acmnet.validation.held_out_names import (
    ClassNaming,
    Confusion,
    HeldOutNames,
    confusions,
)


def names_of(named, right, labels=20, **further):
    return HeldOutNames(
        videos=12, labels=labels, named=named, right=right, classes=4, **further
    )


@pytest.mark.parametrize(
    ("named", "right", "says"),
    [
        (20, 16, "That is good enough"),  # 2 * 16 / 40 = 0.8
        (20, 15, "That is usable with review"),
        (20, 10, "That is usable with review"),  # 0.5
        (21, 10, "That is not good enough yet"),
        (0, 0, "That is not good enough yet"),
        (48, 20, "Naming every action everywhere is no worse, so add videos"),
        (24, 10, "is no worse"),
        (23, 10, "That is not good enough yet"),
    ],
)
def test_the_verdict_follows_precision_and_recall(named, right, says):
    (told,) = names_of(named, right).sentences(joins_networks=False)
    assert says in told
    assert f"It found {right} of 20 labels, and {right} of the {named}" in told
    assert "by naming every action everywhere, 20 of 48 would be" in told


def test_naming_one_action_everywhere_is_not_good_enough():
    naming = ClassNaming("nod", 8, 8, 2, 2)
    names = HeldOutNames(
        videos=10, labels=8, named=10, right=8, classes=1, each=(naming,)
    )
    told, advice = names.sentences(joins_networks=False)
    assert "by naming every action everywhere, 8 of 10 would be" in told
    assert "is no worse" in told
    assert "mark every action in three or more videos" in told
    assert "and in 2 of the 2 that do not" in advice


def test_more_videos_are_asked_for_where_there_are_few():
    each = (
        ClassNaming("nod", 9, 4),  # under half, few videos
        ClassNaming("bow", 10, 4),  # under half, but enough videos
        ClassNaming("run", 4, 2),  # half
        ClassNaming("sit", 1, 0),
    )
    _, *advice = names_of(20, 10, each=each).sentences(joins_networks=False)
    assert advice == [
        "More videos of 'sit' would help: 'sit' was named in 0 of the 1 held-out video "
        "that shows it.",
        "'bow' was named in 4 of the 10 held-out videos that show it: these features "
        "say little of it; try another extractor or, with tracks, more points.",
        "More videos of 'nod' would help: 'nod' was named in 4 of the 9 held-out "
        "videos that show it.",
    ]


def test_a_class_that_is_named_everywhere_is_spoken_of():
    few, many = ClassNaming("nod", 4, 3, 11, 7), ClassNaming("bow", 12, 10, 20, 11)
    right = ClassNaming("run", 12, 10, 20, 10)
    _, *advice = names_of(20, 8, each=(right, few, many)).sentences(
        joins_networks=False
    )
    assert advice == [
        "More videos of 'nod' would help: 'nod' was named in 3 of the 4 held-out "
        "videos that show it, and in 7 of the 11 that do not.",
        "'bow' was named in 10 of the 12 held-out videos that show it, and in 11 of "
        "the 20 that do not: these features do not tell it from what else happens; "
        "try another extractor or, with tracks, more points.",
    ]
    # the other class says it already
    pair = Confusion("run", "bow", 12, 8)
    told = names_of(20, 8, each=(many,), confused=(pair,)).sentences(
        joins_networks=False
    )
    assert [line.startswith("These features do not tell 'run'") for line in told] == [
        *(False, True)
    ]


@pytest.mark.parametrize("right", [15, 16])
def test_names_that_are_not_good_enough_come_with_advice(right):
    each = (ClassNaming("nod", 4, 3, 11, 0), ClassNaming("bow", 4, 3, 11, 1))
    _, *advice = names_of(20, right, each=each).sentences(joins_networks=False)
    is_good = right == 16
    assert [line[:20] for line in advice] == (
        [] if is_good else ["More videos of 'bow'"]
    )


def test_three_classes_at_most_are_spoken_of():
    each = tuple(ClassNaming(f"c{i}", 10, i) for i in range(5))
    told = names_of(20, 10, each=each).sentences(joins_networks=False)
    assert [line[:4] for line in told[1:]] == ["'c0'", "'c1'", "'c2'"]


def test_a_class_that_is_taken_for_another_is_named():
    carries = np.zeros((10, 3), dtype=bool)
    carries[:6, 0] = carries[4:10, 1] = True  # 4 with the first alone
    is_named = carries.copy()
    is_named[:2, 1] = True  # half of those 4
    is_named[6, 0] = True  # 1 of the 4 with the second alone
    assert confusions(is_named, carries, "abc") == (Confusion("a", "b", 4, 2),)
    is_named[:1, 1] = False
    assert confusions(is_named, carries, "abc") == ()
    _, told = names_of(9, 9, confused=(Confusion("a", "b", 4, 2),)).sentences(
        joins_networks=False
    )
    assert told == (
        "These features do not tell 'a' from 'b': 'b' was named in 2 of the 4 held-out "
        "videos that show 'a' without it. Check the labels of both, join them, or try "
        "another extractor or, with tracks, more points."
    )


def test_nothing_is_said_of_two_videos():
    carries = np.array([[1, 0], [1, 0]], dtype=bool)
    assert confusions(~carries, carries, "ab") == ()


def test_segments_and_groups_are_told():
    names = names_of(20, 20, average_map=0.424, by_group=True, parts=2)
    told, segments = names.sentences(joins_networks=True)
    assert (
        "learned from half of the videos and named the actions of the rest (all "
        in (told)
    )
    assert "twice over" in told
    assert "joins several networks" in told
    assert "--groups" not in told
    assert "average mAP was 42%" in segments


def test_what_is_kept_is_read_back():
    names = names_of(
        *(3, 2),
        each=(ClassNaming("a", 3, 2),),
        confused=(Confusion("a", "b", 4, 2),),
        average_map=0.25,
    )
    kept = json.loads(json.dumps(dataclasses.asdict(names)))
    assert HeldOutNames.from_json(kept) == names
    older = {"videos": 12, "labels": 20, "named": 3, "right": 2, "classes": 4}
    assert HeldOutNames.from_json(older) == names_of(3, 2)
