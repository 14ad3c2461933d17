"""The extractors that come with acmnet, made by name."""

import numpy as np
import pytest
import torch

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.extractors.i3d_choices import FLOW_WEIGHTS, RGB_WEIGHTS
from acmnet.extraction.flow.optical_flow import clamp_flow, flow_sequence
from acmnet.extraction.i3d import i3d_extractors
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.i3d_runner import I3DRunner
from acmnet.extraction.i3d.i3d_weights import load_i3d
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.extraction.weight_files import WeightsError


def drawn(n_frames, side=256):
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    picture = picture.repeat(8, axis=0).repeat(8, axis=1)
    return [np.roll(picture, 2 * i, axis=1) for i in range(n_frames)]


def test_motion_needs_no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path))
    extractor = make_extractor(ExtractionSettings("motion", stride_frames=8))
    features = np.concatenate(list(extractor.describe(drawn(40, extractor.frame_side))))
    # (40 - 16) // 8 + 1
    assert features.shape == (4, extractor.dimension)


@pytest.fixture
def networks(monkeypatch):
    """Give networks of random weights in place of the published ones' values.

    The flow weights are nowhere to be had for a test; what is tested is the plumbing.
    """
    made = {}
    for name, channels in ((RGB_WEIGHTS, 3), (FLOW_WEIGHTS, 2)):
        torch.manual_seed(channels)
        made[name] = I3D(channels).eval()
    monkeypatch.setattr(i3d_extractors, "load_i3d", made.__getitem__)
    monkeypatch.setattr(i3d_extractors, "weights_sha256", lambda name: f"sha of {name}")
    return made


def test_wide_snippets_have_twice_the_frames_around_the_same_middles(networks):
    settings = ExtractionSettings("i3d-rgb-wide", precision="fp32")
    extractor = make_extractor(settings)
    assert extractor.grid == make_extractor(ExtractionSettings("motion")).grid
    frames = drawn(43)
    features = np.concatenate(list(extractor.describe(iter(frames))))
    # (43 - 16) // 16 + 1 snippets, as of 16 frames
    assert features.shape == (2, extractor.dimension) == (2, 1024)
    runner = I3DRunner(networks[RGB_WEIGHTS], stream="rgb", precision="fp32")
    windows = ([frames[0]] * 8 + frames[:24], frames[8:40])
    for row, window in zip(features, windows, strict=True):
        [alone] = np.concatenate(list(runner.describe(window, 32, 16)))
        np.testing.assert_allclose(row, alone, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(("n_frames", "snippets"), [(1, 1), (16, 1), (31, 1), (32, 2)])
def test_wide_snippets_are_as_many_as_others(n_frames, snippets):
    settings = ExtractionSettings("i3d-rgb-wide", precision="fp32")
    blocks = make_extractor(settings).describe(drawn(n_frames))
    assert sum(map(len, blocks)) == snippets


def test_two_streams_stand_side_by_side(networks):
    settings = ExtractionSettings("i3d-two-stream", flow="dis", precision="fp32")
    extractor = make_extractor(settings)
    frames = drawn(17)
    features = np.concatenate(list(extractor.describe(iter(frames))))
    assert features.shape == (1, extractor.dimension) == (1, 2048)
    flows = [clamp_flow(field) for field in flow_sequence(frames, "dis")]
    for columns, stream, name, shown in (
        (slice(0, 1024), "rgb", RGB_WEIGHTS, frames),
        (slice(1024, 2048), "flow", FLOW_WEIGHTS, flows),
    ):
        runner = I3DRunner(networks[name], stream=stream, precision="fp32")
        alone = np.concatenate(list(runner.describe(iter(shown), 16, 16)))
        np.testing.assert_allclose(features[:, columns], alone, rtol=1e-4, atol=1e-5)
    assert extractor.versions[FLOW_WEIGHTS] == "sha of i3d-flow"
    assert "preview" in extractor.settings


def test_flow_weights_that_are_missing_are_not_made_up(monkeypatch, tmp_path):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"acmnet weights import i3d-flow"):
        load_i3d(FLOW_WEIGHTS)


def test_an_unknown_name_is_refused():
    meant = r"unknown extractor 'i3d'; did you mean 'i3d-rgb'\? give motion, i3d"
    with pytest.raises(ExtractorError, match=meant):
        make_extractor(ExtractionSettings("i3d"))
