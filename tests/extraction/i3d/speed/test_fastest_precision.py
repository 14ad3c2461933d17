import dataclasses
import importlib.util
import json

import pytest

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.i3d.i3d import I3DError
from acmnet.extraction.i3d.speed import fastest_precision, i3d_back_ends
from acmnet.extraction.i3d.speed.fastest_precision import machine_key, with_fastest
from acmnet.segments import SnippetGrid
from support.extractions import write_movie

AUTO = ExtractionSettings("i3d-rgb-wide+motion")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed"
)


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """Return a video that counts as long enough, and forget all measurements."""
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fastest_precision, "LEAST_VIDEO_S", 0.5)
    return {"a": write_movie(tmp_path / "a.mp4", n_frames=40)}


def remember(tmp_path, key=None, **by_name):
    """Write speeds and cosines by name of the back end, as an earlier call would."""
    content = {
        name.replace("_", " "): {"seconds": seconds, "cosine": cosine}
        for name, (seconds, cosine) in by_name.items()
    }
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / "i3d_speeds.json"
    path.write_text(json.dumps({key or machine_key(): content}))


SPEEDS = {
    "torch_fp32": (0.9, 1.0),
    "torch_bf16": (0.4, 0.9999),
    "OpenVINO_fp32": (0.5, 1.0),
    "OpenVINO_bf16": (0.3, 0.9998),
}


@pytest.mark.parametrize(
    ("least_cosine", "expected"), [(0.995, "openvino-bf16"), (0.99995, "openvino")]
)
def test_the_fastest_that_is_exact_enough(tmp_path, videos, least_cosine, expected):
    remember(tmp_path, **SPEEDS)
    notes = []
    asked = dataclasses.replace(AUTO, least_cosine=least_cosine)
    chosen = with_fastest(asked, videos, tmp_path / "new", notes.append)
    assert chosen == dataclasses.replace(asked, precision=expected)
    assert f"a cosine of at least {least_cosine:g}" in notes[0]


def test_features_that_exist_are_gone_on_with(tmp_path, videos):
    remember(tmp_path, **SPEEDS)
    store = tmp_path / "store"
    store.mkdir()
    own = {"precision": "openvino-int8", "crop": "centre", "peaks": [1.5, 2.0]}
    manifest = FeatureManifest(
        grid=SnippetGrid(25, 16, 16), dimension=3, extractor="i3d-rgb", settings=own
    )
    write_manifest(store, manifest)
    chosen = with_fastest(AUTO, videos, store, pytest.fail)
    assert (chosen.precision, chosen.peaks) == ("openvino-int8", (1.5, 2.0))
    # and so does whoever reads the manifest, such as localize
    read = settings_of(dataclasses.asdict(manifest), "features.json")
    assert (read.precision, read.peaks) == (chosen.precision, chosen.peaks)


@pytest.mark.parametrize(
    "options", [{"device": "cuda"}, {"is_alone": False}], ids=["GPU", "cluster"]
)
def test_elsewhere_it_is_bf16(tmp_path, videos, options):
    remember(tmp_path, **SPEEDS)
    chosen = with_fastest(AUTO, videos, tmp_path / "new", pytest.fail, **options)
    assert chosen.precision == "bf16"


def test_little_video_is_not_worth_it(tmp_path, videos, monkeypatch):
    remember(tmp_path, **SPEEDS)
    monkeypatch.setattr(fastest_precision, "LEAST_VIDEO_S", 1e6)
    chosen = with_fastest(AUTO, videos, tmp_path / "new", pytest.fail)
    assert chosen.precision == "bf16"


def test_what_was_asked_for_or_has_no_i3d_stays(tmp_path, videos):
    asked = dataclasses.replace(AUTO, precision="fp32")
    assert with_fastest(asked, videos, tmp_path, pytest.fail) is asked
    motion = with_fastest(ExtractionSettings("motion"), videos, tmp_path, pytest.fail)
    assert motion.precision == "bf16"


def test_measured_once_and_remembered(tmp_path, videos, monkeypatch):
    remember(tmp_path, key="another machine", **SPEEDS)
    calls = []

    def measured_speeds(snippets):
        calls.append(len(snippets))
        return {
            name.replace("_", " "): fastest_precision.Speed(*speed)
            for name, speed in SPEEDS.items()
        }

    monkeypatch.setattr(fastest_precision, "measured_speeds", measured_speeds)
    for _ in range(2):
        chosen = with_fastest(AUTO, videos, tmp_path / "new", [].append)
        assert chosen.precision == "openvino-bf16"
    assert len(calls) == 1
    kept = json.loads((tmp_path / "home" / "i3d_speeds.json").read_text())
    assert set(kept) == {"another machine", machine_key()}


def test_a_bound_that_nothing_can_meet_is_refused(tmp_path):
    with pytest.raises(ExtractorError, match="least_cosine must be above 0 and at mos"):
        ExtractionSettings("i3d-rgb", least_cosine=1.5)
    asked = ExtractionSettings("i3d-rgb", precision="openvino-int8")
    with pytest.raises(I3DError, match="set up on snippets of your videos, and none"):
        with_fastest(asked, {"a": tmp_path / "none.mp4"}, tmp_path, pytest.fail)


def test_the_work_of_a_snippet():
    # 55.6 billion, counted by hand for 16 frames (docs/performance.md)
    assert i3d_back_ends.work_of_a_snippet(16) == pytest.approx(55.6e9, rel=0.005)
    assert i3d_back_ends.matrix_rate("fp32") > 1e8
