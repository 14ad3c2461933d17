"""Diagnosis: by hand, against literal twins, on a real system's detections."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.data.labels.tables.arrow_labels import write_arrow_labels
from acmnet.evaluation.diagnosis.diagnosis import diagnose
from acmnet.evaluation.diagnosis.false_positives import KINDS
from acmnet.evaluation.diagnosis.sensitivity import characteristics, mean_ap
from acmnet.evaluation.reports import evaluate
from acmnet.segments import Segment
from support.commands import refused
from support.twins_diagnosis import (
    labels_of,
    literal_judged,
    literal_map,
    literal_misfits,
    literal_missed,
    literal_profile,
)
from support.twins_evaluation import Row
from support.worlds import file_of, truth_of


def kinds_of(diagnosis):
    """Return each ranked detection's kind at the first threshold, in words."""
    return [KINDS[i] for i in diagnosis.kinds[0]]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(("jump", 0, 10), "double detection", id="same again"),
        pytest.param(("run", 0, 10), "wrong label", id="of the other class"),
        pytest.param(("jump", 0, 5), "double detection", id="tIoU equal to alpha"),
        # 4.9 / 10 and 1 / 10, equal to the lower bound
        pytest.param(("jump", 0, 4.9), "localisation", id="below alpha"),
        pytest.param(("jump", 0, 1), "localisation", id="at 0.1"),
        pytest.param(("jump", 0, 0.9), "background", id="below 0.1"),
        pytest.param(("run", 0, 4.9), "confusion", id="other class, below alpha"),
        pytest.param(("run", 0, 0.9), "background", id="other class, below 0.1"),
        pytest.param(("jump", 50, 60), "background", id="where nothing is"),
        # [80, 90] is a run: 5 / 10; [85, 95] is no jump. Nearest of both: the run
        pytest.param(("jump", 80, 90), "wrong label", id="a jump on a run"),
    ],
)
def test_every_kind_by_hand(row, expected):
    truth = truth_of(a=[("jump", 0, 10), ("run", 80, 90)], b=[("run", 0, 1)])
    found = diagnose(truth, file_of(a=[("jump", 0, 10, 9), (*row, 1)]))
    assert sorted(kinds_of(found)) == sorted(["true positive", expected])
    assert found.profile.sum() == 2


def test_a_video_without_instances_is_background():
    truth = truth_of(a=[("jump", 0, 10)], b=[])
    found = diagnose(truth, file_of(a=[], b=[("jump", 0, 10, 1)]))
    assert kinds_of(found) == ["background"]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_classes_at_one_time_a_detection_is_judged_by_its_own(first):
    # as Diving and CliffDiving in THUMOS14; DETAD takes the first listed of the two
    both = [("dive", 0, 10), ("cliff dive", 0, 10)]
    truth = truth_of(a=both if first else both[::-1])
    rows = [("dive", 0, 10, 2), ("dive", 0, 10, 1)]
    found = diagnose(truth, file_of(a=rows))
    assert kinds_of(found) == ["true positive", "double detection"]


def test_profile_gains_and_normalised_gains_by_hand():
    # 2 jumps, 1 run, so 3 / 2 on average. Jumps ranked: background, true, and one that
    # lies 2G deep; AP = 1/2 * 1/2. Run: 11 background ahead of the true one, which is
    # 12th, so past 10G; AP = 1/12. mAP = (1/4 + 1/12) / 2 = 1/6.
    truth = truth_of(a=[("jump", 0, 10), ("jump", 20, 30), ("run", 40, 50)])
    jumps = [("jump", 60, 70, 9), ("jump", 0, 10, 8), ("jump", 0, 10, 7)]
    runs = [("run", 100 + i, 101 + i, 9 - i / 10) for i in range(11)]
    found = diagnose(truth, file_of(a=[*jumps, *runs, ("run", 40, 50, 1)]))
    assert found.report.average == pytest.approx(1 / 6)
    first, second = found.profile[0, 0], found.profile[0, 1]
    assert dict(zip(KINDS, first.tolist(), strict=True)) == {
        "true positive": 1,
        "double detection": 0,
        "wrong label": 0,
        "localisation": 0,
        "confusion": 0,
        "background": 2,
    }
    assert second.tolist() == [0, 1, 0, 0, 0, 1]
    assert found.profile[0, 9].tolist() == [0, 0, 0, 0, 0, 1]
    assert found.profile.sum() == 3 + 10
    # without background: jumps 1/2, run 1, so 3/4. The double detection costs nothing,
    # as it comes after the last true one.
    assert found.gain[0] == pytest.approx([0, 0, 0, 0, 3 / 4 - 1 / 6])
    # the top 10G has no true run. Jumps: found 1/2 * 3/2 = 3/4 with one false:
    # precision (3/4) / (7/4) = 3/7, AP 3/14, mAP_N 3/28; without background 1/4.
    assert found.gain_n[0] == pytest.approx([0, 0, 0, 0, 1 / 4 - 3 / 28])
    # over all: run 3/2 / (3/2 + 11) = 3/25, so mAP_N = (3/14 + 3/25) / 2
    assert found.map_n[0] == pytest.approx((3 / 14 + 3 / 25) / 2)
    # only one jump is missed: the run is found at a precision of 0.12, above 0.05
    assert found.missed[0] == pytest.approx(1 / 3)


def test_a_find_deep_down_is_a_miss():
    # one class: precision 1 / 20 = 0.05 is not above it, 1 / 19 is
    truth = truth_of(a=[("jump", 0, 10)])
    for n_false, missed in ((19, 1.0), (18, 0.0)):
        rows = [("jump", 100 + i, 101 + i, 9) for i in range(n_false)]
        found = diagnose(truth, file_of(a=[*rows, ("jump", 0, 10, 1)]))
        assert found.missed[0] == missed


@pytest.mark.parametrize(
    ("start", "end", "counts", "completeness", "purity"),
    [
        pytest.param(5, 35, [1, 0, 0], 1, 10 / 30, id="too long"),
        pytest.param(10, 40, [1, 0, 0], 1, 10 / 30, id="too long to one side"),
        pytest.param(12, 16, [0, 1, 0], 0.4, 1, id="too short"),
        pytest.param(10, 14, [0, 1, 0], 0.4, 1, id="too short from the start"),
        pytest.param(6, 14, [0, 0, 1], 0.4, 0.5, id="shifted"),
    ],
)
def test_misfits_by_hand(start, end, counts, completeness, purity):
    truth = truth_of(a=[("jump", 10, 20)])
    misfit = diagnose(truth, file_of(a=[("jump", start, end, 1)])).misfit
    assert misfit.counts.tolist() == [counts]
    assert misfit.completeness[0] == pytest.approx(completeness)
    assert misfit.purity[0] == pytest.approx(purity)


def test_misfits_after_ten_detections_an_instance_do_not_count():
    # of ten times as many detections as instances, the last is the tenth
    rows = [("jump", 50, 60, 20 - i) for i in range(9)]
    error = ("jump", 0, 5, 10)
    truth = truth_of(a=[("jump", 0, 12)])
    tenth = diagnose(truth, file_of(a=[*rows, error])).misfit
    eleventh = diagnose(truth, file_of(a=[*rows, ("jump", 60, 70, 11), error])).misfit
    assert tenth.counts.tolist() == [[0, 1, 0]]
    assert eleventh.counts.tolist() == [[0, 0, 0]]
    assert np.isnan(eleventh.purity).all()


def timed(instances, duration_s, **more):
    """Return annotations of video a with a duration, and of others without."""
    truth = truth_of(a=instances, **more)
    video = dataclasses.replace(truth.videos["a"], duration_s=duration_s)
    return dataclasses.replace(truth, videos={**truth.videos, "a": video})


def buckets_by(protocol, truth):
    """Return the characteristics by name under a protocol."""
    found = file_of(**{video: [] for video in truth.videos})
    ranking = evaluate(truth, found, protocol=protocol).ranking
    return {one.name: one for one in characteristics(ranking)}


def test_buckets_of_the_benchmarks():
    # lengths 3, 3.5, 18, 20 s of 100 s; two run, one jump, one dive
    rows = [("run", 0, 3), ("run", 10, 13.5), ("jump", 20, 38), ("dive", 50, 70)]
    thumos = buckets_by("thumos14", timed(rows, 100.0))
    assert thumos["length"].bucket.tolist() == [0, 1, 3, 4]
    assert thumos["coverage"].bucket.tolist() == [1, 1, 4, 4]
    assert thumos["instances"].bucket.tolist() == [1, 1, 0, 0]
    assert thumos["length"].spans == ("<=3", "3-6", "6-12", "12-18", ">18")
    assert thumos["coverage"].spans == ("<=2", "2-4", "4-6", "6-8", ">8")
    assert thumos["instances"].spans == ("1", "2-40", "41-80", ">80")
    truth = timed(rows, 20.0)
    videos = {"a": dataclasses.replace(truth.videos["a"], subset="validation")}
    activitynet = buckets_by("activitynet13", dataclasses.replace(truth, videos=videos))
    assert activitynet["length"].bucket.tolist() == [0, 0, 0, 0]
    # 0.15, 0.175, 0.9, 1
    assert activitynet["coverage"].bucket.tolist() == [0, 0, 4, 4]
    assert activitynet["length"].spans == ("<=30", "30-60", "60-120", "120-180", ">180")
    assert activitynet["instances"].spans == ("1", "2-4", "5-8", ">8")


def test_labels_in_a_table_fall_into_the_same_buckets(tmp_path):
    # how long b is is not known, so its instance is in no bucket of the coverage
    rows = [("run", 0, 3), ("run", 10, 13.5)]
    truth = timed(rows, 100.0, b=[("run", 1, 2)])
    path = tmp_path / "labels.parquet"
    write_arrow_labels(path, truth)
    expected = buckets_by("thumos14", truth)
    found = buckets_by("thumos14", read_annotations(path))
    assert expected["coverage"].bucket.tolist() == [1, 1, -1]
    for name, one in expected.items():
        assert found[name].bucket.tolist() == one.bucket.tolist()


def test_a_grid_is_told_in_seconds():
    # 9.6 s are 15 snippets of 0.64 s: M (6-12), not L (12-18)
    truth = truth_of(a=[("run", 0, 9.6)])
    one = buckets_by("thumos14-rounded", truth)["length"]
    assert one.buckets[one.bucket[0]] == "M"


def test_other_data_is_cut_in_fifths():
    rows = [
        ("run", 10 * i, 10 * i + length) for i, length in enumerate([1, 2, 3, 4, 5])
    ]
    one = buckets_by("custom", truth_of(a=rows))["length"]
    assert one.edges == (0, 1, 2, 3, 4, math.inf)
    assert one.bucket.tolist() == [0, 1, 2, 3, 4]
    equal = buckets_by("custom", truth_of(a=[("run", 0, 1), ("run", 3, 4)]))["length"]
    assert (equal.edges, equal.buckets, equal.spans) == (
        (0, math.inf),
        ("M",),
        ("all",),
    )


def test_coverage_needs_durations():
    truth = timed([("run", 0, 3)], 10.0, b=[("run", 0, 3)])
    found = diagnose(truth, file_of(a=[("run", 0, 3, 1)], b=[]))
    coverage = next(x for x in found.buckets if x.characteristic.name == "coverage")
    assert coverage.characteristic.bucket.tolist() == [0, -1]
    assert coverage.missed.tolist() == [[0.0]]  # that of b is not counted
    assert found.notes[0].startswith("1 of 2 instances is in videos whose duration")
    bare = diagnose(timed([("run", 0, 3)], None), file_of(a=[("run", 0, 3, 1)]))
    names = [x.characteristic.name for x in bare.buckets]
    assert names == ["length", "instances"]
    assert "no video's duration is known" in bare.notes[0]


def test_normalised_map_of_a_bucket_by_hand():
    # runs of 3 s (found second) and 4 s (found third), after a false one, and a jump
    # of 4 s (found first): 3 instances, 2 classes, so 3/2 on average.
    # 3 s: run only; 1 false, found 1 * 3/2: (3/2) / (5/2) = 3/5.
    # 4 s: jump 1; run the same 3/5, as the true one of 3 s does not count: mean 4/5.
    truth = truth_of(a=[("run", 0, 3), ("run", 10, 14), ("jump", 20, 24)])
    runs = [("run", 50, 60, 9), ("run", 0, 3, 8), ("run", 10, 14, 7)]
    found = diagnose(truth, file_of(a=[*runs, ("jump", 20, 24, 1)]))
    length = found.buckets[0]
    assert length.characteristic.spans == ("<=3", ">3")
    assert length.map_n[0] == pytest.approx([3 / 5, 4 / 5])
    assert length.missed[0].tolist() == [0, 0]


times = st.tuples(st.integers(0, 12), st.integers(1, 8)).map(lambda x: (x[0], sum(x)))
instances = st.tuples(st.sampled_from(["jump", "run"]), times)
rows = st.tuples(st.sampled_from(["jump", "run"]), times, st.integers(0, 5))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(instances, max_size=4), min_size=2, max_size=2).filter(any),
    st.lists(st.lists(rows, max_size=12), min_size=2, max_size=2),
    st.sampled_from([0.1, 0.3, 0.5, 0.7]),
)
def test_equals_the_literal_twin(true, detected, alpha):
    truth = {v: [(x, *t) for x, t in own] for v, own in zip("ab", true, strict=True)}
    known = labels_of(truth)
    results = {
        v: [Row(x, *t, s) for x, t, s in own if x in known]
        for v, own in zip("ab", detected, strict=True)
    }
    found = diagnose(truth_of(**truth), file_of(**results), tiou=(alpha,))
    judged = literal_judged(truth, results, alpha)
    assert kinds_of(found) == [x.kind for own in judged.values() for x in own]
    for got, expected in zip(
        found.profile[0], literal_profile(truth, judged), strict=True
    ):
        assert got.tolist() == [expected.get(kind, 0) for kind in KINDS]
    plain = literal_map(truth, judged)
    deep = literal_map(truth, judged, deep=10, normal=True)
    assert found.report.average == pytest.approx(plain)
    for k, kind in enumerate(KINDS[1:]):
        gain = literal_map(truth, judged, gone=kind) - plain
        assert found.gain[0, k] == pytest.approx(gain, abs=1e-12)
        gain_n = literal_map(truth, judged, gone=kind, deep=10, normal=True) - deep
        assert found.gain_n[0, k] == pytest.approx(gain_n, abs=1e-12)
    assert found.misfit.counts[0].tolist() == literal_misfits(truth, judged)
    assert found.map_n[0] == pytest.approx(literal_map(truth, judged, normal=True))
    missed = literal_missed(truth, judged)
    order = [(v, i) for v in truth for i in range(len(truth[v]))]
    for one in found.buckets:
        for b in range(len(one.characteristic.buckets)):
            in_bucket = one.characteristic.bucket == b
            chosen = {x for x, own in zip(order, in_bucket, strict=True) if own}
            if not chosen:
                assert math.isnan(one.map_n[0, b])
                assert math.isnan(one.missed[0, b])
                continue
            share = len(chosen & missed) / len(chosen)
            assert one.missed[0, b] == pytest.approx(share)
            map_n = literal_map(truth, judged, normal=True, chosen=chosen)
            assert one.map_n[0, b] == pytest.approx(map_n)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(instances, min_size=1, max_size=4), st.lists(rows, min_size=1, max_size=12)
)
def test_laws(true, detected):
    truth = truth_of(a=[(x, *t) for x, t in true])
    found_file = file_of(a=[(x, *t, s) for x, t, s in detected])
    found = diagnose(truth, found_file, tiou=(0.3, 0.5))
    shares = found.shares[~np.isnan(found.shares).any(axis=2)]
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)))
    # to remove a false detection never lowers a precision
    assert found.gain.min() >= -1e-12
    assert found.gain_n.min() >= -1e-12
    # and without any of them a class's AP is its recall
    ranking = found.report.ranking
    nothing = np.zeros_like(ranking.is_true)
    best = mean_ap(
        ranking, ranking.is_true, nothing, ranking.n_instances, is_normalized=False
    )
    label = ranking.located.group % ranking.n_classes
    recalls = [
        np.bincount(label[own], minlength=ranking.n_classes) / ranking.n_instances
        for own in ranking.is_true
    ]
    assert best == pytest.approx(np.mean(recalls, axis=1))
    assert (best >= found.report.map + found.gain.max(axis=1) - 1e-12).all()
    # what is higher at one threshold is no double detection or wrong label at the next
    near = np.isin(found.kinds, (0, 1, 2)).sum(axis=1)
    assert near[1] <= near[0]


def test_without_detections_everything_is_missed():
    found = diagnose(truth_of(a=[("run", 0, 3)]), file_of(a=[]))
    assert found.missed.tolist() == [1.0]
    assert not found.profile.any()
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert values["false_positives"]["top_10g_shares"] == [[None] * 6]
    assert values["localisation"]["completeness"] == [None]


def test_what_a_protocol_forgives_is_of_no_kind():
    # by the 2014 kit a false detection that touches an Ambiguous one is not counted
    names = ("run", "Ambiguous")
    own = (Instance("run", Segment(0, 10)), Instance("Ambiguous", Segment(40, 50)))
    truth = Annotations(
        "x.json",
        {
            "a": Video(
                id="a", subset="test", duration_s=None, labels=names, instances=own
            )
        },
        names,
    )
    rows = [("run", 45, 60, 3), ("run", 0, 10, 2), ("run", 70, 80, 1)]
    found = diagnose(truth, file_of(a=rows), protocol="thumos14-2014")
    assert found.kinds.tolist() == [[-1, 0, 5]]
    assert found.profile[0].sum(axis=1).tolist() == [0, 1, 1] + [0] * 7
    assert found.map_n.tolist() == [1.0]


def test_a_strict_protocol_takes_no_equal_tiou():
    truth = truth_of(a=[("run", 0, 10)])
    strict = file_of(a=[("run", 0, 5, 1)])
    for name, kind in (("thumos14-2014", "localisation"), ("custom", "true positive")):
        assert kinds_of(diagnose(truth, strict, protocol=name)) == [kind]


def test_a_threshold_in_the_background_is_refused():
    with pytest.raises(ValueError, match=r"at least 0\.1 .* got 0\.05"):
        diagnose(truth_of(a=[("run", 0, 3)]), file_of(a=[]), tiou=(0.05, 0.5))


def test_a_real_system(shared_data):
    folder = shared_data / "thumos14"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    found = diagnose(
        folder / "gt_212.json",
        folder / "stpn_detections.json",
        protocol="thumos14",
        tiou=(0.3, 0.5),
    )
    assert found.report.map == pytest.approx([0.3470, 0.1770], abs=5e-5)
    # the kinds of all detections are those of an evaluation: as many true ones
    true = found.report.ranking.is_true.sum(axis=1)
    assert (found.kinds == 0).sum(axis=1).tolist() == true.tolist()
    # 3311 instances, of which every class has as many first G detections
    assert found.profile[:, 0].sum(axis=1).tolist() == [3311, 3311]
    assert found.total_shares.sum(axis=1) == pytest.approx([1, 1])
    # STPN's boundaries are bad: nothing costs as much at 0.5
    assert KINDS[1 + int(found.gain[1].argmax())] == "localisation"
    # the misses over the buckets of one characteristic are all misses
    for one in found.buckets:
        sizes = one.characteristic.counts
        assert sizes.sum() == 3311
        assert (one.missed * sizes).sum(axis=1) / 3311 == pytest.approx(found.missed)


@pytest.fixture
def files(tmp_path):
    """Give a ground truth and detections as files."""
    truth = {
        "a": {
            "subset": "test",
            "duration": 100.0,
            "annotations": [
                {"label": "run", "segment": [0, 10]},
                {"label": "run", "segment": [20, 30]},
            ],
        }
    }
    rows = [
        {"label": "run", "score": 3, "segment": [0, 40]},
        {"label": "run", "score": 2, "segment": [20, 30]},
        {"label": "walk", "score": 1, "segment": [20, 30]},
    ]
    (tmp_path / "gt.json").write_text(json.dumps({"database": truth}))
    (tmp_path / "found.json").write_text(json.dumps({"results": {"a": rows}}))
    return "--ground-truth", "gt.json", "--detections", "found.json"


def test_the_verb(acmnet, files, tmp_path):
    code, out, err = acmnet("diagnose", *files, "--json", "d.json", "--figures", "out")
    assert code == 0, err
    # ranked localisation, true: AP = 1/2 * 1/2; without the first 1/2, so 25 points
    line = next(x for x in out.splitlines() if "localisation  " in x)
    assert line.split() == ["localisation", "50.0", *["-"] * 9, "50.0", "25.0"]
    assert "1 localisation error at tIoU 0.5: 100 % too long" in out
    assert "dropped 1 detection: label without ground truth" in err
    values = json.loads((tmp_path / "d.json").read_text())
    assert values["protocol"] == "custom"
    assert len(values["ground_truth_sha256"]) == 64
    assert values["false_positives"]["map_gain"]["localisation"]["average"] == 0.25
    assert values["missed"] == [0.5]
    assert set(values["characteristics"]) == {"length", "coverage", "instances"}
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(written) == 15
    assert (tmp_path / "out" / "gains.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "gains.pdf").read_bytes().startswith(b"%PDF")
    # no date, so the same numbers give the same file
    assert b"dc:date" not in (tmp_path / "out" / "gains.svg").read_bytes()


def test_the_verb_with_several_thresholds(acmnet, files):
    code, out, _ = acmnet("diagnose", *files, "--tiou", "0.2,0.5")
    assert code == 0
    # at 0.2, [0, 40] finds an instance (1/4), of equal tIoUs that with the nearer
    # boundary, [0, 10]; both are found, nothing is false: mAP 1 and 1/4
    assert "mAP 62.50 % at tIoU 0.2, 0.5" in out
    assert "no localisation errors at tIoU 0.2" in out


def test_what_the_verb_refuses(acmnet, files):
    refused(acmnet("diagnose", *files, "--tiou", "0.05"), "at least 0.1", "0.05")
    refused(acmnet("diagnose", *files, "--protocol", "thumos"), "no protocol 'thumos'")
    refused(
        acmnet("diagnose", *files, "--figures", "gt.json"), "folder", "gt.json", code=2
    )
