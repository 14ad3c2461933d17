"""Hard cuts: found at the exact frame in drawn videos, and nowhere else; kept."""

import json

import cv2
import numpy as np
import pytest

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import write_manifest
from acmnet.data.features.feature_store import open_store
from acmnet.data.features.stored_features import RECORDS
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor import manifest_of
from acmnet.extraction.many_videos.records import finished
from acmnet.extraction.many_videos.shot_boundaries import ShotBoundaries
from acmnet.extraction.many_videos.video_task import VideoTask, extract_video
from acmnet.extraction.shipped_extractors import make_extractor
from support.movies import write_movie

FPS = 25


def scene(seed, n_frames, speed=0.0):
    """Return frames of a world of coloured patches, which slides by pixels a frame."""
    world = np.random.default_rng(seed).integers(0, 256, (9, 40, 3), dtype=np.uint8)
    wide = cv2.resize(world, (1600, 96), interpolation=cv2.INTER_CUBIC)
    starts = (np.arange(n_frames) * speed).astype(int)
    return [np.ascontiguousarray(wide[:, x : x + 160]) for x in starts]


def cuts_of(frames, fps=FPS):
    boundaries = ShotBoundaries(fps)
    passed = list(boundaries.watched(frames))
    assert all(a is b for a, b in zip(passed, frames, strict=True))
    return boundaries.cuts_s


def blend(before, after, n_frames):
    """Return frames that lead from one picture into another."""
    shares = np.linspace(0, 1, n_frames)
    return [np.uint8((1 - s) * before + s * after) for s in shares]


def test_cuts_are_found_at_their_first_frame():
    frames = scene(1, 30) + scene(2, 17, speed=3) + scene(3, 40, speed=6) + scene(4, 9)
    assert cuts_of(frames) == (30 / FPS, 47 / FPS, 87 / FPS)


def test_a_frame_that_is_held_is_looked_at_once():
    # 6.25 pictures a second, each shown for four frames
    pictures = scene(1, 6, speed=8) + scene(2, 6, speed=8)
    assert cuts_of([one for one in pictures for _ in range(4)]) == (24 / FPS,)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(scene(1, 60, speed=24), id="fast motion"),
        pytest.param(
            scene(1, 20) + blend(scene(1, 1)[0], scene(2, 1)[0], 16) + scene(2, 20),
            id="dissolve",
        ),
        pytest.param(
            blend(scene(1, 1)[0], np.zeros((96, 160, 3)), 12)
            + blend(np.zeros((96, 160, 3)), scene(2, 1)[0], 12),
            id="fade",
        ),
        pytest.param(
            scene(1, 20) + 2 * [np.full((96, 160, 3), 255, np.uint8)] + scene(1, 20),
            id="flash",
        ),
        pytest.param(
            scene(1, 20) + [np.uint8(one * 0.6) for one in scene(1, 20)], id="exposure"
        ),
        pytest.param(scene(1, 1), id="one frame"),
        pytest.param([], id="none"),
    ],
)
def test_what_is_no_cut(frames):
    assert cuts_of(frames) == ()


def extracted(directory, frames):
    """Extract a video in this process; return it, and the store of its features."""
    video, out = directory / "edited.mp4", directory / "features"
    write_movie(video, frames)
    (out / RECORDS).mkdir(parents=True, exist_ok=True)
    extractor = make_extractor(ExtractionSettings("motion"))
    write_manifest(out, manifest_of("motion", extractor))
    extract_video(VideoTask("edited", video), extractor, out, 60.0)
    return video, out


def test_an_extraction_keeps_the_cuts(tmp_path):
    video, out = extracted(tmp_path, scene(1, 25) + scene(2, 30, speed=2))
    assert open_store(out).cuts_s("edited") == (1.0,)
    # the next call finds the video finished, with its cuts
    assert finished(out, "edited", video).cuts_s == (1.0,)
    extracted(tmp_path, scene(1, 40, speed=2))
    assert finished(out, "edited", video).cuts_s == ()


def test_features_without_known_cuts_are_read_and_not_extracted_again(tmp_path):
    video, out = extracted(tmp_path, scene(1, 20))
    record = out / RECORDS / "edited.json"
    values = json.loads(record.read_text())
    assert values.pop("cuts_s") == []
    record.write_text(json.dumps(values))  # as earlier versions wrote it
    assert finished(out, "edited", video).cuts_s is None
    store = open_store(out)
    assert store.cuts_s("edited") is None
    assert len(store.read("edited"))
    record.write_text(json.dumps(values | {"cuts_s": [1.0, "2"]}))
    with pytest.raises(FeatureError, match=r"edited\.json: cuts_s must be a list of"):
        store.cuts_s("edited")
    assert finished(out, "edited", video) is None  # so it is extracted again


def test_frames_in_several_sizes_have_the_same_cuts():
    frames = scene(1, 20) + scene(2, 20)
    assert cuts_of([(one, one[::2, ::2]) for one in frames]) == (20 / FPS,)
