"""Phrases and the classes of Kinetics-400 that mean the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from acmnet.extraction.i3d.i3d import kinetics_classes
from acmnet.extraction.sentence_encoder import phrase_entry
from acmnet.inference.kinetics_zero_shot import KineticsClasses, Phrases
from acmnet.inference.phrase_classes import (
    LEAST_NEAREST,
    PhraseClasses,
    PhraseError,
    _classes_of,
    classes_of_phrases,
)
from support.commands import refused

WITH_A_CLASS = {
    "someone strums a guitar": {"strumming guitar"},
    "a person plays the piano": {"playing piano"},
    "two men arm wrestle": {"arm wrestling"},
    "someone throws a javelin": {"javelin throw"},
    "people shake hands": {"shaking hands"},
    "somebody brushes their teeth": {"brushing teeth"},
    "a couple dances salsa": {"salsa dancing"},
    "someone milks a cow": {"milking cow"},
    "a chef fries eggs": {"cooking egg", "scrambling eggs"},
    "a baby crawls": {"crawling baby"},
}
WITHOUT = (
    *("a person falls down", "billiards", "two people fight", "a dog eats"),
    *("a mouse grooms itself", "a car crash", "someone opens a door", "a rat rears"),
    *("somebody types on a keyboard", "a train arrives at the station"),
)


def similar(**near):
    """Return similarities to the 400 classes: 0.1, but for those that are named."""
    known = kinetics_classes()
    found = np.full(400, 0.1)
    for name, value in near.items():
        found[known.index(name.replace("_", " "))] = value
    return found


def test_weights_fall_with_the_similarity():
    near = similar(abseiling=0.9, archery=0.7, barbequing=0.6, bartending=0.59)
    found = _classes_of("climbing", near)
    assert found.names == ("abseiling", "archery", "barbequing")
    assert found.weights == pytest.approx((1.0, 0.5, 0.25))
    assert str(found) == "abseiling (1.00), archery (0.50), barbequing (0.25)"


def test_a_phrase_near_no_class_is_refused_with_the_nearest():
    near = similar(abseiling=LEAST_NEAREST - 0.001, archery=0.5)
    words = (
        r"'x' is near no class .* abseiling \(0\.70\), archery \(0\.50\), .* label ten"
    )
    with pytest.raises(PhraseError, match=words):
        _classes_of("x", near)


def test_a_phrase_has_the_weighted_sum_of_its_classes():
    phrase = PhraseClasses("up", ("abseiling", "archery"), (1.0, 0.5))
    cas = np.zeros((2, 400))
    cas[0, kinetics_classes().index("abseiling")] = 0.4
    cas[0, kinetics_classes().index("archery")] = 0.2
    names, by_snippet, video = Phrases((phrase,)).chosen(cas, cas[0])
    assert names == ("up",)
    assert by_snippet.tolist() == [[0.5], [0.0]]
    assert video.tolist() == [0.5]
    one = KineticsClasses(top=1).chosen(cas, cas[0])
    assert (one.names, one.cas.tolist()) == (("abseiling",), [[0.4], [0.0]])


def test_options_that_contradict_each_other(acmnet):
    query = ("localize", "a.mp4", "--query", "jumping")
    refused(acmnet(*query, "--kinetics"), "leave out --kinetics", code=2)
    refused(acmnet(*query, "--classes", "x"), "--kinetics, not --query", code=2)
    refused(acmnet(*query, "--run", "r"), "--kinetics or --query", code=2)


@pytest.fixture
def installed():
    if not phrase_entry().installed:
        pytest.skip("weights phrases are not installed")


@pytest.mark.usefixtures("installed")
def test_phrases_that_have_a_class_and_those_that_have_none():
    """They were written down before the least similarity was set."""
    for found in classes_of_phrases(list(WITH_A_CLASS)):
        assert found.names[0] in WITH_A_CLASS[found.phrase]
        assert found.weights[0] == 1.0
        assert all(0 < weight <= 1 for weight in found.weights)
    with pytest.raises(PhraseError, match="phrases must differ and not be blank"):
        classes_of_phrases(["a", " a "])
    for phrase in WITHOUT[:3]:
        with pytest.raises(PhraseError, match="near no class of Kinetics-400"):
            classes_of_phrases([phrase])


@pytest.mark.usefixtures("installed")
def test_localize_finds_what_a_phrase_describes(acmnet, shared_data, tmp_path):
    """Features of I3D are given, so that nothing is extracted here."""
    features = shared_data / "videos" / "v_ZNVhz7ctTq0_i3d_rgb_16f.npy"
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "f" / "dog.npy", np.load(features).astype(np.float32))
    manifest = {"fps": 30, "snippet_frames": 16, "stride_frames": 16}
    manifest |= {"dimension": 1024, "extractor": "i3d-rgb"}
    (tmp_path / "f" / "features.json").write_text(json.dumps(manifest))
    query = ("localize", "--features", tmp_path / "f", "--out", "found.json", "--query")
    code, _, err = acmnet(*query, "someone walks a dog", "--device", "cpu")
    if "weights i3d-rgb-kinetics400 are not" in err:
        pytest.skip("i3d-rgb-kinetics400 is not installed")
    assert code == 0, err
    assert "'someone walks a dog' is found by classes of Kinetics-400: walking" in err
    file = json.loads(Path("found.json").read_text())
    best = sorted(file["results"]["dog"], key=lambda x: -x["score"])[:3]
    assert {entry["label"] for entry in best} == {"someone walks a dog"}
    overlaps = []
    for start_s, end_s in (entry["segment"] for entry in best):
        both_s = min(end_s, 14.05) - max(start_s, 0.33)  # annotated
        overlaps.append(both_s / (max(end_s, 14.05) - min(start_s, 0.33)))
    assert max(overlaps) >= 0.5
    used = file["external_data"]["phrases"]["someone walks a dog"]
    assert used == {"walking the dog": 1.0}
