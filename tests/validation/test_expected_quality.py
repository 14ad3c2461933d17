"""What a run should be worth, told without a true segment, and by ten reviews."""

import dataclasses
import json
import shutil

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.models.training_summary import shown_score
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Detections
from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.bench_mark import Proposal
from acmnet.show.bench.marks.mark_store import MarkStore
from acmnet.show.bench.reviewed_precision import (
    MARKS_FILE,
    Reviewed,
    precision_of_reviews,
)
from acmnet.validation import expected_quality
from acmnet.validation.expected_quality import (
    EXPECTATION_FILE,
    ExpectationError,
    expect,
    read_expectation,
    to_review,
)
from acmnet.validation.held_out_names import HELD_OUT
from acmnet.validation.label_free_selection import agreement
from support.runs import edit_config

NAMES = ("jump", "run")


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0, 1) | st.none())
def test_ten_stand_for_all_that_is_shown(scores, least):
    rows = [(i, i + 1, score, i % 2) for i, score in enumerate(scores)]
    results = {
        "a": Detections.of(NAMES, rows[::2]),
        "b": Detections.of(NAMES, rows[1::2]),
    }
    shown, chosen = to_review(results, least)
    kept = sorted((x for x in scores if least is None or x >= least), reverse=True)
    assert shown == len(kept)
    assert len(chosen) == len(set(chosen)) == min(len(kept), 10)
    # one of each tenth
    for i, one in enumerate(chosen):
        low, high = i * len(kept) / len(chosen), (i + 1) * len(kept) / len(chosen)
        assert one.score in kept[int(low) : int(np.ceil(high))]
    assert to_review(dict(reversed(results.items())), least) == (shown, chosen)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a short training of two stages without segments, and what it expects."""
    out = tmp_path_factory.mktemp("made")
    world = WorldSettings(training_videos=24, test_videos=2, dimension=16)
    labels, features = write_world(make_world(0, world), out / "world")
    few = {"training.epochs": 12, "teachers.count": 2, "student_training.epochs": 5}
    few |= {"training.batch_size": 8, "training.learning_rate": 3e-3}
    settings = recipe("default", profile="best", overrides=few | {"student.width": 16})
    data = open_data(DataSource(labels, features, "training"))
    bare = {
        k: dataclasses.replace(v, instances=())
        for k, v in data.annotations.videos.items()
    }
    annotations = dataclasses.replace(data.annotations, videos=bare)
    request = RunRequest(
        out=out / "run",
        data=dataclasses.replace(data, annotations=annotations),
        recipe="default",
        profile="best",
        settings=settings,
    )
    train_run(request)
    model = load(request.out)
    results = localize_videos(model, request.data)
    return request, model, results, expect(request, model, results)


def test_names_are_checked_on_videos_not_learned_from(made):
    request, model, results, expected = made
    labels = request.data.labels
    names = expected.names
    assert names.videos == len(labels)
    assert names.labels == sum(map(len, labels.values()))
    assert 0 < names.right <= min(names.named, names.labels)
    # guessing would be right as often as a class is carried at all
    chance = names.labels / (len(labels) * len(model.class_names))
    assert names.right / names.named > 1.5 * chance
    assert 0.0 < expected.agreement <= 1.0
    least = shown_score(request.out)
    assert expected.shown == sum((x.score >= least).sum() for x in results.values())
    told = " ".join(expected.sentences())
    assert f"It found {names.right} of {names.labels} labels" in told
    possible = len(labels) * len(model.class_names)
    assert f"{names.labels} of {possible} would be" in told
    assert f"overlaps by {expected.agreement:.0%} on average" in told


def test_videos_that_were_not_trained_on_are_reviewed_first(made, tmp_path):
    request, model, results, _ = made
    run = tmp_path / "run"
    shutil.copytree(request.out, run)
    (run / EXPECTATION_FILE).unlink()
    other = max(results.values(), key=lambda found: found.score.max(initial=0.0))
    again = expect(
        dataclasses.replace(request, out=run), model, results | {"a_new_one": other}
    )
    assert again.is_held_out
    assert {one.video for one in again.to_review} == {"a_new_one"}
    assert (
        "videos that the run was not trained on"
        in Reviewed(1, 1, 1, 9, True).sentence()
    )


def test_what_was_found_is_kept_and_its_trainings_are_not(made):
    request, model, results, expected = made
    assert not (request.out / HELD_OUT).exists()
    assert read_expectation(request.out) == expected
    before = (request.out / EXPECTATION_FILE).stat().st_mtime_ns
    assert expect(request, model, results) == expected
    assert (request.out / EXPECTATION_FILE).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (lambda names, _: names, "every video carries every label"),
        (
            lambda names, i: names[:1] if i else names[:2],
            "two videos or more; in only one: 'clap'.",
        ),
    ],
)
def test_where_names_cannot_be_checked_it_is_said(made, tmp_path, labels, why):
    request, model, results, _ = made
    names = request.data.annotations.class_names
    videos = {
        k: dataclasses.replace(v, labels=labels(names, i))
        for i, (k, v) in enumerate(request.data.annotations.videos.items())
    }
    annotations = dataclasses.replace(request.data.annotations, videos=videos)
    data = dataclasses.replace(request.data, annotations=annotations)
    few = {"training.epochs": 1}
    other = RunRequest(
        out=tmp_path / "run",
        data=data,
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=few),
    )
    alone = dataclasses.replace(model, networks=model.networks[:1], students=())
    (other.out / "checkpoint").parent.mkdir(parents=True)
    for path in request.out.rglob("*"):
        if path.is_file() and path.name != EXPECTATION_FILE:
            to = other.out / path.relative_to(request.out)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
    expected = expect(other, alone, results)
    assert expected.names is None
    assert expected.agreement is None  # a single network has none to agree with
    (only,) = expected.sentences()
    assert why in only


@pytest.fixture
def reviewed(made):
    """Save verdicts on what is to be looked at, in its order; forget them after."""
    request, _, _, expected = made
    labels, folder = request.out / MARKS_FILE, request.out / "marks.bench"
    rows = expected.to_review

    def proposal(_, known_id):
        one = rows[int(known_id)]
        return Proposal(known_id, *one[1:], 0)

    def save(verdicts, moved_s=0.0, further=()):
        labels.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        marks = []
        for i, (one, verdict) in enumerate(zip(rows, verdicts, strict=False)):
            length_s = one.end_s - one.start_s
            start_s = one.start_s + moved_s * length_s
            kind = "segment" if verdict == "accepted" else "watched"
            mark = {"id": f"m{i}", "video": one.video, "kind": kind, "from": str(i)}
            times = {"start_s": start_s, "end_s": start_s + length_s}
            marks.append(mark | times | {"label": one.label})
        videos = {video: KnownVideo() for video in request.data.labels}
        store = MarkStore(labels, folder, videos, (), proposal)
        store.put({"who": "anna", "marks": [*marks, *further]})
        store.close()
        return precision_of_reviews(request.out)

    yield save
    labels.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_ten_reviews_tell_the_precision(made, reviewed):
    request, _, _, expected = made
    n = len(expected.to_review)
    assert n == 10
    untouched = precision_of_reviews(request.out)
    assert (untouched.asked, untouched.looked_at) == (10, 0)
    assert "none is reviewed yet; accept or reject each" in untouched.sentence()
    some = reviewed(["accepted"] * 3 + ["rejected"])
    assert (some.looked_at, some.right) == (4, 3)
    assert some.sentence().startswith("4 of the 10 detections to review are reviewed")
    # what else a person reviews is no fair draw, and does not count
    video = next(iter(request.data.labels))
    added = {"id": "x", "video": video, "kind": "segment", "label": "jump"}
    added |= {"start_s": 0.0, "end_s": 0.5}
    verdicts = ["accepted"] * 7 + ["rejected"] * 3
    told = reviewed(verdicts, further=[added])
    assert (told.looked_at, told.right) == (10, 7)
    # by the formula: centre (7 + z²/2) / (10 + z²), z² = 3.8415
    low, high = told.interval()
    assert (low + high) / 2 == pytest.approx((7 + 1.92073) / (10 + 3.84146), abs=1e-5)
    assert "7 of the 10 detections that you reviewed are right" in told.sentence()
    assert (
        f"between 40% and 89% of all {expected.shown} shown ones are" in told.sentence()
    )
    assert "was trained on; expect less in other videos" in told.sentence()


def test_a_detection_that_had_to_be_moved_far_was_not_right(reviewed):
    # two intervals of one length, moved by a share m, overlap by (1 - m) / (1 + m)
    assert reviewed(["accepted"] * 10, moved_s=0.2).right == 10
    assert reviewed(["accepted"] * 10, moved_s=0.5).right == 0


def test_report_tells_the_precision(made, reviewed, acmnet):
    request = made[0]
    reviewed(["accepted"] * 10)
    source = request.data.source
    given = ["--annotations", source.annotations, "--features", source.features]
    where = ["--subset", "training", "--out", "page.html"]
    code, _, err = acmnet("report", request.out, *given, *where)
    assert code == 0
    assert "10 of the 10 detections that you reviewed are right" in err


def test_what_an_earlier_training_left_is_not_used(made, tmp_path):
    # cut short while it checked names; then trained anew with other settings
    request, model, results, expected = made
    run = tmp_path / "run"
    shutil.copytree(request.out, run)
    (run / EXPECTATION_FILE).unlink()
    few = {"training.epochs": 2}
    left = run / HELD_OUT / "earlier" / f"seed_{request.seed}" / "fold_0"
    settings = recipe("default", profile="corrected", overrides=few)
    longer = dataclasses.replace(request, settings=settings)
    train_run(dataclasses.replace(longer, out=left))
    again = expect(dataclasses.replace(request, out=run), model, results)
    assert again == expected
    assert not (run / HELD_OUT).exists()


def test_a_round_with_the_same_networks_does_not_compare_them_again(
    made, tmp_path, monkeypatch
):
    request, _, _, expected = made
    again = dataclasses.replace(request, begin_from=request.out, out=tmp_path / "again")
    train_run(again)
    model = load(again.out)
    results = localize_videos(model, again.data)
    compared = []

    def counted(*given):
        compared.append(given)
        return localize_videos(*given)

    monkeypatch.setattr(expected_quality, "localize_videos", counted)
    assert expect(again, model, results).agreement == expected.agreement
    assert compared == []
    # what they would say is the same, to the last bit
    (again.out / EXPECTATION_FILE).unlink()
    edit_config(again.out, lambda x: x["settings"]["localization"].pop("nms_tiou"))
    assert expect(again, model, results).agreement == expected.agreement
    assert len(compared) == len(model.networks) == 2


def test_networks_agree_by_videos_with_names_alone(made, tmp_path, monkeypatch):
    request, model, results, _ = made
    videos = request.data.annotations.videos
    bare = {k: dataclasses.replace(videos[k], labels=()) for k in sorted(videos)[::5]}
    annotations = dataclasses.replace(
        request.data.annotations, videos={**videos, **bare}
    )
    data = dataclasses.replace(request.data, annotations=annotations)
    request = dataclasses.replace(request, data=data, out=tmp_path / "run")
    shutil.copytree(made[0].out, request.out)
    (request.out / EXPECTATION_FILE).unlink()
    seen = []

    def noted(model, data):
        seen.append(set(data.annotations.videos))
        return localize_videos(model, data)

    monkeypatch.setattr(expected_quality, "localize_videos", noted)
    expected = expect(request, model, results)
    assert seen == [set(videos) - set(bare)] * 2
    found = [
        localize_videos(dataclasses.replace(model, networks=(x,), students=()), data)
        for x in model.networks
    ]
    assert expected.agreement == agreement(*found, data.labels)


def test_another_training_expects_anew_and_damage_is_refused(made, tmp_path):
    request, *_ = made
    content = json.loads((request.out / EXPECTATION_FILE).read_text())
    for path in request.out.rglob("*"):
        if path.is_file():
            to = tmp_path / path.relative_to(request.out)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
    other = tmp_path / EXPECTATION_FILE
    other.write_text(json.dumps(content | {"training": "of another"}))
    assert read_expectation(tmp_path) is None
    assert precision_of_reviews(tmp_path) is None
    for text in ("[]", "{}", json.dumps(content | {"to_review": [1]})):
        other.write_text(text)
        with pytest.raises(ExpectationError, match=r"json is damaged .* fit again"):
            read_expectation(tmp_path)
