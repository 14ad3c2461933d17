"""Pose with the real networks, where they and the videos of the project are there."""

import json

import numpy as np
import pytest

from acmnet.data.tracks.person_points import PERSON_POINTS, PERSON_WITH_HANDS
from acmnet.data.tracks.track_files import read_tracks
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.keypoints.keypoint_features import n_columns
from acmnet.extraction.keypoints.signal_plan import plan_of
from acmnet.extraction.pose.hand_networks import HandNetworks
from acmnet.extraction.pose.pose_extractor import Pose, pose_layout
from acmnet.extraction.pose.pose_networks import PoseNetworks
from acmnet.extraction.pose.pose_tracker import PoseTracker
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.extraction.weight_files import WeightsError
from acmnet.video.frames import FrameReader
from support.places import SHARED

TWO_PEOPLE = SHARED / "data" / "videos" / "mmaction2_demo_skeleton.mp4"


@pytest.fixture(scope="module")
def networks():
    try:
        return PoseNetworks()
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture
def loaded(networks, monkeypatch):
    """Have the networks loaded once, because that takes seconds."""
    for room in ("acmnet.extraction.pose.pose_extractor", "acmnet.cli.verbs.pose"):
        monkeypatch.setattr(f"{room}.PoseNetworks", lambda: networks)


@pytest.fixture(scope="module")
def frames():
    if not TWO_PEOPLE.exists():
        pytest.skip(f"{TWO_PEOPLE} is absent")
    found = []
    for frame in FrameReader(TWO_PEOPLE, fps=25, short_side=480):
        found.append(frame)
        if len(found) == 6:
            break
    return found


def test_two_people_are_where_they_are_seen(networks, frames):
    tracks = PoseTracker(networks, 4, 25.0).tracks(iter(frames))
    assert tracks.seen().any(axis=2).sum(axis=1).tolist() == [2] * 6
    # read off the picture, 853 x 480, by eye
    wanted = {"nose": [(457, 135), (326, 148)], "left_ankle": [(460, 375), (365, 375)]}
    for name, places in wanted.items():
        found = tracks.positions[0, :, PERSON_POINTS.index(name)]
        for place in places:
            assert np.nanmin(np.linalg.norm(found - place, axis=1)) < 25, name


def test_a_mirrored_picture_has_mirrored_people(networks, frames):
    person, *_ = networks.find(frames[0])
    pose = networks.pose(frames[0], person)
    mirrored = np.ascontiguousarray(frames[0][:, ::-1])
    width = mirrored.shape[1]
    turned = person._replace(x=width - person.x, angle=-person.angle)
    other = networks.pose(mirrored, turned)
    left, right = (
        PERSON_POINTS.index(f"{side}_shoulder") for side in ("left", "right")
    )
    want = (width - pose.positions[left, 0], pose.positions[left, 1])
    np.testing.assert_allclose(other.positions[right], want, atol=8)


@pytest.mark.usefixtures("loaded")
def test_features_of_two_people_and_of_nobody(frames):
    settings = ExtractionSettings("pose", snippet_frames=4, stride_frames=2)
    extractor = make_extractor(settings)
    n = n_columns(plan_of(pose_layout()))
    assert extractor.dimension == n == 1382
    features = np.concatenate(list(extractor.describe(iter(frames))))
    # (6 - 4) // 2 + 1
    assert features.shape == (2, n)
    assert np.isfinite(features).all()
    assert features.any(axis=0).mean() > 0.5
    empty = [np.zeros_like(frames[0])] * 6
    nobody = np.concatenate(list(extractor.describe(iter(empty))))
    assert nobody.tolist() == [[0] * (n - 2) + [1, 1]] * 2


@pytest.mark.usefixtures("loaded")
def test_a_manifest_brings_the_layout_back():
    made = Pose(ExtractionSettings("pose", tracks=pose_layout(1)))
    manifest = {
        "extractor": "pose",
        "settings": json.loads(json.dumps(made.settings)),
        "grid": {"fps": 25.0, "snippet_frames": 16, "stride_frames": 16},
    }
    again = Pose(settings_of(manifest, "here"))
    assert again.layout == made.layout
    assert again.dimension == made.dimension < 1382


@pytest.mark.usefixtures("loaded")
def test_verb_writes_tracks_in_pixels_of_the_video(networks, frames, acmnet, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    out = tmp_path / "tracks"
    videos = [TWO_PEOPLE, tmp_path / "bad.mp4"]
    code, said, errors = acmnet("pose", *videos, "--out", out, "--fps", "2")
    assert code == 3
    assert "left out: bad" in errors
    assert "people in 100%, 2 at a time at most" in said
    tracks = read_tracks(out / f"{TWO_PEOPLE.stem}.npy")
    assert tracks.fps == 2
    assert tracks.points == PERSON_POINTS
    assert len(tracks.individuals) == 2
    first = PoseTracker(networks, 4, 25.0).tracks(iter(frames[:1]))
    # the video has 1080 rows, the frames 480
    scaled = np.sort(first.positions[0, :, 0, 0])[:2] * 1080 / 480
    found = np.sort(tracks.positions[0, :, 0, 0])
    np.testing.assert_allclose(found, scaled, atol=3)


@pytest.fixture(scope="module")
def hand_networks():
    try:
        return HandNetworks()
    except WeightsError as error:
        pytest.skip(str(error))


def test_hands_are_where_they_are_seen(networks, hand_networks, frames):
    tracks = PoseTracker(networks, 4, 25.0, hand_networks).tracks(iter(frames[:2]))
    assert tracks.points == PERSON_WITH_HANDS
    # read off the picture, 853 x 480, by eye: both hands of the man in black hang down
    for side, place in (("right", (421, 265)), ("left", (490, 263))):
        hand = [n for n, p in enumerate(tracks.points) if p.startswith(f"{side}_hand_")]
        middles = tracks.positions[0][:, hand].mean(axis=1)
        assert np.nanmin(np.linalg.norm(middles - place, axis=1)) < 15, side


def test_a_manifest_says_whether_hands_are_looked_at(
    networks, hand_networks, monkeypatch
):
    room = "acmnet.extraction.pose.pose_extractor"
    monkeypatch.setattr(f"{room}.PoseNetworks", lambda: networks)
    monkeypatch.setattr(f"{room}.HandNetworks", lambda: hand_networks)
    made = Pose(ExtractionSettings("pose", tracks=pose_layout(2, has_hands=True)))
    manifest = {
        "extractor": "pose",
        "settings": json.loads(json.dumps(made.settings)),
        "grid": {"fps": 25.0, "snippet_frames": 16, "stride_frames": 16},
    }
    again = Pose(settings_of(manifest, "here"))
    assert again.hands is hand_networks
    assert again.versions == made.versions != Pose(ExtractionSettings("pose")).versions
    assert Pose(ExtractionSettings("pose")).hands is None
