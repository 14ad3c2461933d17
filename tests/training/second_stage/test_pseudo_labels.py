"""What a student learns from its teachers: instances, targets, losses."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.localization.from_activations import localize_activations
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.network_settings import StudentSettings
from acmnet.network.student import Student
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage.marked_snippets import WatchedStretch
from acmnet.training.second_stage.pseudo_labels import (
    StudentTask,
    boundary_loss,
    focal_loss,
    pseudo_labels,
)
from acmnet.training.second_stage.second_stage_settings import PseudoLabelSettings
from acmnet.training.second_stage.snippet_targets import (
    PseudoInstance,
    PseudoLabels,
    TargetsOfVideos,
    targets_of,
)

GRID = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
PLAIN = LocalizationSettings(
    activation_scale="softmax",
    activation_thresholds=(0.5,),
    attention_thresholds=(),
    activation_video_weight=0.0,
)


def said_of(*columns):
    """Return what teachers say of a video, from the CAS of its classes."""
    cas = np.array(columns, dtype=np.float32).T
    cas = np.concatenate((cas, 1 - cas.sum(axis=1, keepdims=True)), axis=1)
    attention = np.tile(np.array([[0.2, 0.3, 0.5]], np.float32), (len(cas), 1))
    return VideoActivations(
        instance_cas=cas,
        attention=attention,
        video_scores=cas.mean(axis=0),
        n_snippets=len(cas),
        grid=GRID,
        class_names=tuple(f"class {c}" for c in range(len(columns))),
    )


ONE = [0] * 4 + [0.9] * 4 + [0] * 8 + [0.7] * 4 + [0] * 4
NOTHING = [0.0] * len(ONE)


def labels_of(said, carried, most_snippets=0, **changes):
    settings = PseudoLabelSettings(**changes)
    return pseudo_labels(said, carried, PLAIN, settings, most_snippets)


@pytest.mark.parametrize(("most", "weights"), [(0, 2), (8, 2), (7, 1), (1, 1)])
def test_instances_beyond_the_most_snippets_teach_nothing(most, weights):
    # two instances of four snippets each, the first one surer
    found = labels_of(said_of(ONE, NOTHING), [0], most).instances
    assert [x.weight > 0 for x in found] == [True, weights == 2]
    assert [x[:3] for x in found] == [
        x[:3] for x in labels_of(said_of(ONE, NOTHING), [0]).instances
    ]
    # the snippets of the second one are not taught as background either
    targets = targets_of(
        PseudoLabels(found, ()), torch.arange(len(ONE)), 2, central_share=0.5
    )
    assert bool(targets.label_weight[16:20, 0].any()) == (weights == 2)
    assert targets.label_weight[5:7, 0].all()
    assert targets.label_weight[10:14, 0].all()
    assert bool(targets.distance_weight[17:19].any()) == (weights == 2)


def test_confident_detections_become_instances():
    # CAS rises past 0.5 between the middles of snippets 3 and 4 and falls past it
    # between 7 and 8: about [4, 8) s, which is snippets 3.5 to 7.5 by their middles
    found = labels_of(said_of(ONE, NOTHING), [0])
    assert found.unplaced == ()
    first, second = sorted(found.instances, key=lambda x: x.start)
    assert (first.start, first.end) == pytest.approx((3.5, 7.5), abs=0.1)
    assert (second.start, second.end) == pytest.approx((15.5, 19.5), abs=0.3)
    assert first.weight == 1.0
    assert 0.5 < second.weight < 1.0


def test_the_best_score_of_each_class_is_kept():
    said = said_of(ONE, NOTHING)
    found = localize_activations(said, PLAIN)
    assert labels_of(said, [0, 1]).best_scores == (
        found.score[found.class_index == 0].max(),
    )


def test_a_lesser_detection_does_not():
    found = labels_of(said_of(ONE, NOTHING), [0], relative_score=0.95)
    assert [x.weight for x in found.instances] == [1.0]


def test_classes_that_the_video_does_not_carry_are_not_looked_for():
    found = labels_of(said_of(NOTHING, ONE), [0])
    assert found == PseudoLabels((), (0,))
    assert labels_of(said_of(ONE, NOTHING), []) == PseudoLabels((), ())


def test_targets_of_an_instance():
    # [2, 8] in snippets: its middle 5, and within 0.5 * 3 of it snippets 4, 5, 6;
    # 2, 3, 7 and 8 are inside and teach nothing; all others are background
    labels = PseudoLabels((PseudoInstance(1, 2.0, 8.0, 0.8),), ())
    found = targets_of(labels, torch.arange(10.0), 2, 0.5)
    assert found.label[:, 1].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert found.label[:, 0].tolist() == [0] * 10
    assert found.label_weight[:, 1].tolist() == pytest.approx(
        [1, 1, 0, 0, 0.8, 0.8, 0.8, 0, 0, 1]
    )
    assert found.label_weight[:, 0].tolist() == [1] * 10
    assert found.distance_weight.tolist() == pytest.approx(
        [0] * 4 + [0.8] * 3 + [0] * 3
    )
    assert found.distance[4:7].tolist() == [[2, 4], [3, 3], [4, 2]]


def test_an_instance_between_two_middles_takes_the_nearest():
    labels = PseudoLabels((PseudoInstance(0, 3.3, 3.5, 1.0),), ())
    found = targets_of(labels, torch.arange(6.0), 1, 0.6)
    assert found.label[:, 0].tolist() == [0, 0, 0, 1, 0, 0]
    # snippet 3's middle lies before the instance: it starts here at the earliest
    assert found.distance[3].tolist() == pytest.approx([0.0, 0.5])


def test_an_instance_outside_of_the_stretch_is_not_in_it():
    labels = PseudoLabels((PseudoInstance(0, 3.0, 5.0, 1.0),), ())
    found = targets_of(labels, torch.arange(20.0, 26.0), 1, 0.6)
    assert found.label.sum() == 0
    assert found.label_weight.sum() == 6


def test_the_surer_of_two_is_regressed_and_a_class_without_a_place_teaches_nothing():
    sure, other = PseudoInstance(0, 0.0, 4.0, 1.0), PseudoInstance(1, 1.0, 5.0, 0.6)
    for pair in ((sure, other), (other, sure)):
        found = targets_of(PseudoLabels(pair, (2,)), torch.arange(6.0), 3, 1.0)
        assert found.distance[2].tolist() == [2, 2]
        assert found.distance[5].tolist() == [4, 0]
        assert found.label[2].tolist() == [1, 1, 0]
        assert found.label_weight[:, 2].tolist() == [0] * 6


extents = ("unknown", "estimated", "marked")  # the better it is known, the later


def is_taught(x, t, centre):
    """Return whether snippet t of 40 is near the middle of an instance."""
    away = [abs(u - (x.start + x.end) / 2) for u in range(40)]
    reach = 0.0 if x.extent == "unknown" else centre * (x.end - x.start) / 2
    if any(a <= reach for a in away):
        return away[t] <= reach
    return away[t] == min(away) <= 0.5


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 120),
            st.integers(2, 80),
            st.integers(0, 8),
            st.sampled_from(extents),
        ),
        max_size=5,
    ),
    st.sets(st.integers(0, 2)),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 9))),
    st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_targets_equal_a_literal_twin(rows, unplaced, stretches, eighths):
    # times in quarters and shares in eighths: no rounding anywhere
    centre = eighths / 8
    instances = tuple(
        PseudoInstance(c, a / 4, (a + n) / 4, w / 8, extent)
        for c, a, n, w, extent in rows
    )
    absent = tuple(WatchedStretch(c, a, a + n) for c, a, n in stretches)
    labels = PseudoLabels(instances, tuple(unplaced), absent=absent)
    found = targets_of(labels, torch.arange(40.0), 3, centre, 5.0)
    for t in range(40):
        placed = []
        for c in range(3):
            near, is_edge = [], False
            for i, x in enumerate(instances):
                if x.class_index != c:
                    continue
                is_near = is_taught(x, t, centre)
                is_edge |= x.start <= t <= x.end and not is_near
                if is_near:
                    near.append((extents.index(x.extent), x.weight))
                    if x.extent != "unknown" and x.weight:
                        placed.append((*near[-1], i))
            is_watched = any(
                x.class_index == c and x.start <= t <= x.end for x in absent
            )
            weight = float(is_watched or c not in unplaced)
            if near:
                weight = max(near)[1]
            elif is_edge:
                weight = 0.0
            assert float(found.label[t, c]) == bool(near)
            assert float(found.label_weight[t, c]) == weight
        if not placed:
            assert float(found.distance_weight[t]) == 0.0
            continue
        x = instances[max(placed)[2]]
        assert float(found.distance_weight[t]) == x.weight * (
            5.0 if x.extent == "marked" else 1.0
        )
        expected = [max(t - x.start, 0.0), max(x.end - t, 0.0)]
        assert found.distance[t].tolist() == expected


def test_focal_loss_by_hand():
    # p = sigmoid(0) = 1/2 of a positive: -log(1/2) * (1/2)^2
    assert float(focal_loss(torch.tensor(0.0), torch.tensor(1.0))) == pytest.approx(
        math.log(2) / 4
    )
    # p = sigmoid(log 3) = 3/4 of a negative: -log(1/4) * (3/4)^2
    found = focal_loss(torch.tensor(math.log(3)), torch.tensor(0.0))
    assert float(found) == pytest.approx(math.log(4) * 9 / 16)


def test_boundary_loss_by_hand():
    # [-1, 3] against [-2, 2] around a snippet: overlap 1 + 2, union 2 + 3
    found = boundary_loss(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 2.0]))
    assert float(found) == pytest.approx(1 - 3 / 5)
    same = torch.tensor([1.0, 3.0])
    assert float(boundary_loss(same, same)) == 0.0


@pytest.fixture
def task_in(tmp_path):
    """Give a function that makes the task of three videos in a number format."""
    write_manifest(tmp_path, FeatureManifest(grid=GRID, dimension=4))
    random = np.random.default_rng(0)
    for name, length in (("a", 12), ("b", 20), ("c", 7)):
        write_features(
            tmp_path, name, random.random((length, 4), np.float32).astype(np.float16)
        )
    labels = {"a": ("x",), "b": (), "c": ("x",)}
    dataset = WeakDataset(open_store(tmp_path), labels, ("x",))
    found = {
        "a": PseudoLabels((PseudoInstance(0, 2.0, 7.0, 1.0),), ()),
        "b": PseudoLabels((), ()),
        "c": PseudoLabels((PseudoInstance(0, 1.0, 3.0, 0.5),), ()),
    }
    return functools.partial(
        StudentTask, dataset, found, central_share=0.6, snippets=10
    )


@pytest.fixture
def task(task_in):
    return task_in(precision="fp32")


def test_targets_that_are_made_once_are_those_of_each_piece():
    instance = PseudoInstance(2, 2.0, 7.0, 1.0)
    labels = [
        PseudoLabels((instance, PseudoInstance(0, 5.0, 9.0, 0.5)), (3,)),
        PseudoLabels((), ()),
        PseudoLabels(
            (PseudoInstance(1, 3.3, 3.5, 1.0),),
            (),
            absent=(WatchedStretch(1, 0.0, 4.0),),
        ),
    ]
    lengths = torch.tensor([12, 5, 8])
    device = torch.device("cpu")
    made = TargetsOfVideos(labels, lengths, 5, 0.6, 2.0, device=device)
    for video, first in ((0, 0), (0, 4), (1, 1), (2, 2)):
        position = torch.arange(first, first + 4)
        found = made.of(torch.tensor([video]), position.unsqueeze(0))
        expected = targets_of(labels[video], position.float(), 5, 0.6, 2.0)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one[0], other)


def test_losses_are_one_column_a_video_whatever_the_batch(task):
    network = Student(4, 1, StudentSettings(width=4, dropout=0.0)).eval()
    index = torch.tensor([0, 2, 4])  # the first pieces of a and b, and c

    def losses(part):
        generator = torch.Generator().manual_seed(1)
        return task.losses(network, task.draw(index, part, generator)).detach()

    whole = losses(slice(None))
    assert whole.shape == (3, 3)
    torch.testing.assert_close(whole[0], whole[1] + whole[2])
    assert float(whole[2, 1]) == 0.0  # no boundary in a video without an instance
    assert float(whole[1, 1]) > 0.0  # which is background all over
    for i in range(3):
        torch.testing.assert_close(losses(slice(i, i + 1)), whole[:, i : i + 1])


def test_in_bf16_the_losses_are_those_of_fp32_within_rounding(task_in, monkeypatch):
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: True)
    torch.manual_seed(0)
    network = Student(4, 1, StudentSettings(width=4, dropout=0.0)).train()
    index, found = torch.arange(5), []
    for precision in ("fp32", "bf16"):
        task = task_in(precision=precision)
        drawn = task.draw(index, slice(None), torch.Generator().manual_seed(1))
        losses = task.losses(network, drawn)
        weights = list(network.parameters())
        found.append((losses, torch.autograd.grad(losses[0].sum(), weights)))
    (losses, gradients), (in_bf16, narrow) = found
    assert in_bf16.dtype == torch.float32
    assert not torch.equal(losses, in_bf16)
    torch.testing.assert_close(in_bf16, losses, rtol=0.02, atol=0.02)
    for one, other in zip(gradients, narrow, strict=True):
        assert (one - other).norm() <= 0.05 * one.norm()


def test_an_epoch_draws_as_many_pieces_as_cover_each_video(task):
    # pieces of at most 10 snippets: two for 12 and for 20 snippets, one for 7
    assert task.video_ids == ("a", "a", "b", "b", "c")
    network = Student(4, 1, StudentSettings(width=4, dropout=0.0)).eval()
    generator = torch.Generator().manual_seed(1)
    index = torch.tensor([2, 3])
    of_b = task.losses(network, task.draw(index, slice(None), generator)).detach()
    assert of_b[2].tolist() == [0.0, 0.0]  # b has no instance, so no boundary
