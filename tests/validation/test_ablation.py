"""Studies: what each row changes, what is trained once, and how rows are compared."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.network.acm_net import ACMNet, Branch
from acmnet.network.network_settings import ModelSettings
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.segments import Detections
from acmnet.show.figures import score_figures as studies_room
from acmnet.validation.ablation import AblationRequest, ablate, training_id
from acmnet.validation.ablation_studies import (
    Study,
    StudyError,
    Variant,
    study,
    study_names,
)
from acmnet.validation.ablation_table import (
    AGREEMENT,
    CLASSIFICATION,
    Ablation,
    AblationRow,
    sign_flip_test,
)
from acmnet.validation.cross_validation import cross_validate
from acmnet.validation.label_free_selection import agreement, rank_correlation
from acmnet.workers.worker_tasks import Workers
from support.commands import refused
from support.planted import plant

FEW = {"training.epochs": 2, "training.batch_size": 4, "student_training.epochs": 2}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Give labels and features whose folds have every class; read only."""
    size = WorldSettings(training_videos=36, dimension=16, snippets=(30, 60))
    return write_world(make_world(3, size), tmp_path_factory.mktemp("world"))


def requested(world, out, name, **changes):
    data = open_data(DataSource(*world, "training"))
    base = RunRequest(
        out=out,
        data=data,
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=FEW),
    )
    asked = AblationRequest(
        study=study(name), base=base, overrides=FEW, folds=2, seeds=(0, 1)
    )
    return dataclasses.replace(asked, **changes)


def only(asked, *names):
    kept = tuple(v for v in asked.study.variants if v.name in names)
    return dataclasses.replace(
        asked, study=dataclasses.replace(asked.study, variants=kept)
    )


# ---- what the studies say


@pytest.mark.parametrize("name", study_names())
def test_every_variant_is_a_setting_and_has_its_columns(name):
    found = study(name)
    assert found.full in {variant.name for variant in found.variants}
    for variant in found.variants:
        variant.settings("default", "corrected", {})
        assert len(variant.terms) == len(found.terms)
        assert len(variant.paper) in (0, len(found.tiou) + 1)
    names = [variant.name for variant in found.variants]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["III", "IV", "V"])
def test_terms_say_which_weights_are_on(name):
    """A term is on when its weight is not 0; "additional" is all three of them."""
    weights = {
        "instance": ["instance"],
        "context": ["context"],
        "background": ["background"],
        "additional": ["guide", "feature", "sparse"],
    }
    for variant in study(name).variants:
        loss = variant.settings("default", "corrected", {}).loss
        for term, is_on in zip(study(name).terms, variant.terms, strict=True):
            for weight in weights.get(term, [term]):
                assert (getattr(loss, f"{weight}_weight") > 0.0) == is_on


def test_the_papers_averages_are_those_of_its_rows():
    """Table VI has all seven thresholds: its Avg is their mean, to its rounding."""
    for variant in study("VI").variants:
        *each, average = variant.paper
        assert np.mean(each) == pytest.approx(average, abs=0.11)


def test_an_unknown_study_names_those_that_exist():
    with pytest.raises(StudyError, match="no table 'VII'; the tables are III, IV, V"):
        study("VII")


def test_without_attention_every_snippet_counts_as_instance():
    model = ACMNet(4, 2, ModelSettings(attention=False)).eval()
    output = model(torch.randn(2, 9, 4))
    assert (output.attention[..., Branch.INSTANCE] == 1.0).all()
    assert (output.attention.sum(dim=-1) == 1.0).all()
    same = output.branch_activation[:, Branch.INSTANCE]
    assert torch.equal(same, output.activation)
    output.video_logits.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert not model.attention.weight.grad.any()  # it learns nothing


# ---- the test of paired differences


def test_sign_flips_by_hand():
    """Of +-1 +-2 +-3, |sum| reaches 6 in 2 of 8 patterns; 4 (1+3, 4, 6) in 4 of 8."""
    assert sign_flip_test(np.array([1.0, 2.0, 3.0])) == 2 / 8
    assert sign_flip_test(np.array([-1.0, 2.0, 3.0])) == 4 / 8
    assert sign_flip_test(np.zeros(5)) == 1.0
    assert sign_flip_test(np.array([0.3])) == 1.0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6))
@settings(deadline=None, max_examples=50)
def test_sign_flips_equal_a_literal_count(values):
    extreme = 0
    for signs in itertools.product((1, -1), repeat=len(values)):
        total = sum(s * v for s, v in zip(signs, values, strict=True))
        extreme += abs(total) >= abs(sum(values))
    expected = extreme / 2 ** len(values)
    assert sign_flip_test(np.array(values, float)) == pytest.approx(expected)


def test_drawn_signs_come_near_the_exact_share():
    """20 equal differences: only 2 of 2^20 patterns are as extreme; the seen one is."""
    assert sign_flip_test(np.ones(20)) == pytest.approx(1 / 20_001, abs=2e-4)
    values = np.random.default_rng(0).normal(0.1, 1.0, 15)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=15)))
    exact = (abs(signs @ values) >= abs(values.sum()) - 1e-9).mean()
    assert sign_flip_test(values) == pytest.approx(exact, abs=0.015)


# ---- choosing without a true segment


def test_agreement_by_hand():
    """0 to 4 against 2 to 6 is 2 / 6 both ways; in w one training finds nothing: 0.

    The unsure detection is not asked, nor is the class that v does not carry.
    """
    names = ("jump", "run")
    one = {
        "v": Detections.of(names, [(0.0, 4.0, 0.9, 0), (8.0, 9.0, 0.4, 0)]),
        "w": Detections.of(names, [(0.0, 1.0, 0.5, 0)]),
    }
    other = {
        "v": Detections.of(names, [(2.0, 6.0, 0.2, 0), (0.0, 4.0, 0.9, 1)]),
        "w": Detections.of(names, []),
    }
    labels = {"v": ("jump",), "w": ("jump",)}
    expected = (2 / 6 + 2 / 6 + 0.0) / 3
    assert agreement(one, other, labels) == pytest.approx(expected)
    assert agreement(other, one, labels) == pytest.approx(expected)
    assert agreement({"v": one["v"]}, {"v": one["v"]}, {"v": ("jump",)}) == 1.0
    assert agreement(one, other, {"v": (), "w": ()}) == 0.0


def test_rank_correlation_by_hand():
    """Ranks 1 2 3 4 and 2 1 4 3 differ by 1 each: 1 - 6 * 4 / (4 * 15) = 0.6."""
    one, other = np.array([1.0, 5.0, 6.0, 9.0]), np.array([3.0, 2.0, 9.0, 8.0])
    assert rank_correlation(one, other) == pytest.approx(0.6)
    assert rank_correlation(one, -one) == pytest.approx(-1.0)
    assert rank_correlation(one, np.ones(4)) == 0.0


def rows_of(told, true):
    """Return a study of three variants with one training each."""
    rows = [
        AblationRow(
            variant=Variant(name),
            map=np.full((1, 1), x),
            averages=np.full((1, 1), x),
            chance=0.0,
            label_free={"criterion": np.full((1, 1), y)},
            seconds=1.0,
        )
        for name, x, y in zip("abc", true, told, strict=True)
    ]
    title = Study(
        name="t",
        title="title",
        terms=(),
        tiou=(0.5,),
        average_over=(0.5,),
        full="a",
        variants=tuple(r.variant for r in rows),
    )
    return Ablation(title, tuple(rows), {})


def test_the_choice_is_the_best_by_the_criterion():
    choice = rows_of(told=(0.2, 0.9, 0.3), true=(0.1, 0.4, 0.5)).choices()[0]
    assert choice[:4] == ("criterion", "b", 0.4, 0.5)
    assert choice.correlation == pytest.approx(0.5)  # ranks 1 3 2 and 1 2 3


def test_the_figures_show_the_rows(tmp_path, monkeypatch):
    kept = {}
    save = studies_room.save
    monkeypatch.setattr(
        studies_room,
        "save",
        lambda figure, path: (kept.update({path.name: figure}), save(figure, path))[1],
    )
    result = rows_of(told=(0.2, 0.9, 0.3), true=(0.1, 0.4, 0.5))
    studies_room.write_choice_figure(result, tmp_path / "choice")
    points = [line.get_xydata().tolist()[0] for line in kept["choice"].axes[0].lines]
    assert np.array(points) == pytest.approx(np.array([[20, 10], [90, 40], [30, 50]]))


# ---- trained and scored


def test_trainings_are_shared_and_rows_are_cross_validations(world, tmp_path):
    third = requested(world, tmp_path / "runs", "III")
    third = only(third, "no attention", "5")
    told = []
    result = ablate(third, lambda *update: told.append(update))
    assert told[0] == (0, 8, "0 were there")
    assert [done for done, _, _ in told] == list(range(9))
    full = third.run_of(third.study.variants[-1])
    tiou = (*third.study.average_over,)
    again = cross_validate(full, folds=2, seeds=(0, 1), tiou=tiou)
    row = result.rows[-1]
    for name in (CLASSIFICATION, AGREEMENT):
        assert row.label_free[name].shape == (2, 2)
        assert (row.label_free[name] >= 0.0).all()
    # with two seeds each agrees with the other as the other with it
    assert row.label_free[AGREEMENT][0] == pytest.approx(row.label_free[AGREEMENT][1])
    assert row.averages == pytest.approx(again.map.mean(axis=2))
    assert row.map == pytest.approx(again.by_seed()[:, [0, 2, 4, 6]])
    assert result.difference(row) == (0.0, 1.0)
    less, p = result.difference(result.rows[0])
    pairs = (result.rows[0].averages - row.averages).ravel()
    assert (less, p) == (pytest.approx(pairs.mean()), sign_flip_test(pairs))
    # table V's full row is table III's, and how one localises trains nothing
    fifth = only(requested(world, tmp_path / "runs", "V"), "6")
    ideas = only(requested(world, tmp_path / "runs", "ideas"), "as it is")
    soft = only(requested(world, tmp_path / "runs", "ideas"), "soft-NMS")
    soft = dataclasses.replace(
        soft, study=dataclasses.replace(soft.study, full="soft-NMS")
    )
    for asked in (fifth, ideas, soft):
        told.clear()
        ablate(asked, lambda *update: told.append(update))
        assert told == [(4, 4, "4 were there")]


def test_two_processes_train_what_one_does(world, tmp_path, monkeypatch):
    planted = plant(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    alone = requested(world, tmp_path / "one", "III", seeds=(0,))
    shared = requested(world, tmp_path / "two", "III", seeds=(0,), workers=Workers(2))
    one, two = (ablate(only(asked, "5")) for asked in (alone, shared))
    for first, second in zip(one.rows, two.rows, strict=True):
        assert first.averages == pytest.approx(second.averages, abs=1e-6)
    assert not planted.exists()


def test_a_students_training_depends_on_how_its_teachers_localise():
    weak, strong = recipe(profile="corrected"), recipe(profile="best")
    assert training_id(weak) != training_id(strong)
    for base, same in ((weak, True), (strong, False)):
        other = recipe(
            profile="best" if base is strong else "corrected",
            overrides={"localization.nms_tiou": 0.3},
        )
        assert (training_id(base) == training_id(other)) == same
    alone = recipe(profile="best", overrides={"teachers.proposal_weight": 0.0})
    assert training_id(alone) == training_id(strong)  # it is localised otherwise only


def test_the_command_writes_the_table_three_times(acmnet, world):
    labels, features = world
    few = [x for key, value in FEW.items() for x in (f"--{key}", value)]
    few += ["--profile", "corrected"]
    code, out, _ = acmnet(
        *("ablate", "V", "--annotations", labels, "--features", features),
        *("--subset", "training", "--out", "ab", "--folds", 2, "--seeds", 0, *few),
    )
    assert code == 0
    assert "1: " not in out  # nothing is on in row 1
    assert "6: gui fea spa" in out
    markdown = Path("ab/V.md").read_text()
    assert "| 6 | x | x | x |" in markdown
    assert "| 68.90 | 55.00 | 34.60 | 10.80 | 42.60 |" in markdown
    assert r"\begin{tabular}" in Path("ab/V.tex").read_text()
    assert {x.name for x in Path("ab").glob("V_choice.*")} == {
        *("V_choice.png", "V_choice.svg", "V_choice.pdf")
    }
    values = json.loads(Path("ab/V.json").read_text())
    assert [row["name"] for row in values["rows"]] == ["1", "2", "3", "4", "5", "6"]
    assert values["rows"][1]["changes"]["loss.sparse_weight"] == 0.0


def test_the_command_refuses(acmnet, world):
    given = ("--annotations", world[0], "--features", world[1])
    refused(acmnet("ablate", "VII", *given, "--out", "x"), "there is no table 'VII'")
    result = acmnet("ablate", "V", *given, "--out", "x", "--workers", 0)
    refused(result, "workers must be at least 1, got 0")
