"""Extractors of one's own, and settings that are refused."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.tracks.track_layout import TrackLayout
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor import manifest_of
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.extractors.own_extractors import own_extractor, trusted_file
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.segments import SnippetGrid

OWN = """
import numpy as np
from acmnet.segments import SnippetGrid

class Brightness:
    grid = SnippetGrid(fps=10, snippet_frames=2, stride_frames=2)
    frame_side = 32
    dimension = 1
    streams = ("brightness",)
    versions = {"mine": "1"}
    settings = {"of": "mean"}

    def describe(self, frames):
        pair = []
        for frame in frames:
            pair.append(frame.mean())
            if len(pair) == 2:
                yield np.array([[sum(pair) / 2]], dtype=np.float32)
                pair = []

class Half:
    dimension = 1
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_backbone.py").write_text(OWN)
    yield
    sys.modules.pop("my_backbone", None)


@pytest.mark.usefixtures("own")
def test_one_class_in_the_working_directory_is_an_extractor():
    extractor = own_extractor("my_backbone:Brightness")
    frames = [np.full((32, 40, 3), value, np.uint8) for value in (1, 3, 10, 20)]
    blocks = np.concatenate(list(extractor.describe(frames)))
    assert blocks.tolist() == [[2.0], [15.0]]  # (1 + 3) / 2, (10 + 20) / 2
    manifest = manifest_of("my_backbone:Brightness", extractor)
    assert manifest.grid == SnippetGrid(10, 2, 2)
    assert manifest.extractor == "my_backbone:Brightness"
    assert manifest.settings == {"of": "mean"}


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere:Brightness", "'nowhere:Brightness': No module named 'nowhere'"),
        ("my_backbone:Dark", "my_backbone has no 'Dark'; it has np, SnippetGrid"),
        ("my_backbone:Half", "lacks grid, frame_side, streams, versions, settings"),
    ],
)
def test_what_is_no_extractor_is_refused(name, sentence):
    with pytest.raises(ExtractorError, match=sentence):
        own_extractor(name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fps": 0.0}, "fps must be above 0, got 0.0"),
        ({"fps": float("nan")}, "fps must be above 0, got nan"),
        ({"stride_frames": 0}, "stride_frames must be at least 1, got 0"),
        ({"crop": "left"}, "crop must be one of centre, ten; got 'left'"),
        ({"flow": "farneback"}, "flow must be one of default, mid, fast, dis; got"),
    ],
)
def test_settings_are_refused(change, sentence):
    with pytest.raises(ExtractorError, match=sentence):
        ExtractionSettings(**change)


def test_a_manifest_gives_its_settings_back():
    settings = ExtractionSettings("i3d-two-stream", 10.0, 8, 4, "fast", "ten", "fp32")
    manifest = FeatureManifest(
        grid=settings.grid,
        dimension=2048,
        extractor=settings.extractor,
        settings={"flow": "fast", "crop": "ten", "precision": "fp32", "other": 1},
    )
    assert settings_of(dataclasses.asdict(manifest), "run") == settings


@pytest.mark.parametrize(
    ("changes", "are"),
    [
        ({}, True),
        ({"least_cosine": 0.5}, True),  # says which precision is taken, no more
        ({"precision": "bf16"}, False),
        ({"peaks": (1.5,)}, False),
        ({"tracks": TrackLayout(("a", "b"), 1, 2)}, False),
        ({"extractor": "i3d-rgb+pose"}, False),
        ({"stride_frames": 8}, False),
    ],
)
def test_features_are_of_the_settings_that_made_them(changes, are):
    layout = TrackLayout(("nose", "tail"), 1, 2)
    settings = ExtractionSettings(
        "pose+i3d-rgb", precision="openvino-int8", peaks=(1.5, 2.25), tracks=layout
    )
    held = {"tracks": layout.to_json(), "crop": "centre", "precision": "openvino-int8"}
    manifest = FeatureManifest(
        grid=settings.grid,
        dimension=1,
        extractor=settings.extractor,
        settings=json.loads(json.dumps(held | {"peaks": [1.5, 2.25]})),
    )
    assert dataclasses.replace(settings, **changes).are_of(manifest) is are


def test_only_an_extractor_can_tell_what_no_setting_says():
    manifest = FeatureManifest(
        grid=SnippetGrid(25, 16, 16), dimension=1, extractor="motion"
    )
    settings = ExtractionSettings("motion")
    assert settings.are_of(manifest)
    flow_on_gpu = dataclasses.replace(manifest, settings={"flow_by": "torch"})
    assert not settings.are_of(flow_on_gpu)
    own = dataclasses.replace(manifest, extractor="mine:Class")
    assert not ExtractionSettings("mine:Class").are_of(own)


def test_features_of_unknown_origin_cannot_be_extracted_again():
    manifest = dataclasses.asdict(
        FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=4)
    )
    with pytest.raises(ExtractorError, match="run names no extractor of its features"):
        settings_of(manifest, "run")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"settings": None}, "run does not say how its features were extracted"),
        ({"settings": ["crop"]}, "run does not say how"),
        ({"settings": {"crop": "left"}}, "crop must be one of centre, ten"),
        ({"grid": [25, 16, 16]}, "run does not say how"),
        ({"grid": {"fps": 25}}, "run does not say how"),
        (
            {"grid": {"fps": "25", "snippet_frames": 16, "stride_frames": 16}},
            "run does",
        ),
        ({"extractor": ["os:abort"]}, "run: extractor must be text"),
    ],
)
def test_a_manifest_of_nonsense_is_refused(changes, sentence):
    manifest = FeatureManifest(
        grid=SnippetGrid(25, 16, 16), dimension=4, extractor="motion"
    )
    with pytest.raises(ExtractorError, match=sentence):
        settings_of(dataclasses.asdict(manifest) | changes, "run")


@pytest.mark.usefixtures("own")
def test_a_class_that_a_file_names_has_to_be_named_or_trusted(monkeypatch):
    name = "my_backbone:Brightness"
    manifest = FeatureManifest(grid=SnippetGrid(10, 2, 2), dimension=1, extractor=name)
    asked = dataclasses.asdict(manifest)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd() / "config"))
    assert trusted_file() == Path.cwd() / "config" / "acmnet" / "trusted_extractors"
    words = f"run asks for the extractor '{name}'.* give --extractor {name}, or add the"
    with pytest.raises(ExtractorError, match=words):
        settings_of(asked, "run")
    with pytest.raises(ExtractorError, match="not of 'motion'; leave --extractor out"):
        settings_of(asked, "run", "motion")
    assert make_extractor(settings_of(asked, "run", name)).dimension == 1
    trusted_file().parent.mkdir(parents=True)
    trusted_file().write_text(f"# mine\n {name} \n")
    trusted = settings_of(asked, "run")
    # what is only listed is not looked for in the working directory
    sys.modules.pop("my_backbone")
    sys.path.remove(str(Path.cwd()))
    with pytest.raises(ExtractorError, match="No module named 'my_backbone'"):
        make_extractor(trusted)
    sys.path.append(str(Path.cwd()))
    assert make_extractor(trusted).dimension == 1
    for other in ("os:abort", "my_backbone:Bright"):
        with pytest.raises(ExtractorError, match=f"'{other}', which is code that does"):
            settings_of(asked | {"extractor": other}, "run")
    with pytest.raises(ExtractorError, match="not of the form module:Class"):
        settings_of(asked | {"extractor": "os;x:abort()"}, "run")
