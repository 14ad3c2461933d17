"""The pose networks' files: taken from a wheel, compared, and nothing else."""

import hashlib
import sys
import zipfile

import pytest

from acmnet.cli.options.extractor_options import ExtractorOptions
from acmnet.cli.terminal.app import UsageError
from acmnet.data.tracks.person_points import BODY_AND_HANDS
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.keypoints.keypoint_request import KeypointRequest
from acmnet.extraction.pose import pose_weights
from acmnet.extraction.pose.pose_weights import (
    MEMBERS,
    hand_network_files,
    install_pose,
    pose_entry,
    pose_network_files,
    pose_sha256,
)
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.extraction.weight_files import WeightsError
from support.commands import refused


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def wheel(folder, contents):
    path = folder / "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(MEMBERS[name][0], content)
        archive.writestr("mediapipe/__init__.py", "raise SystemExit")
    return path


def admit(monkeypatch, contents):
    """Make the digests of made-up networks the known ones."""
    for name, content in contents.items():
        sha256 = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(pose_weights.MEMBERS, name, (MEMBERS[name][0], sha256))


def test_install_takes_only_the_networks(tmp_path, monkeypatch, home):
    contents = {name: name.encode() for name in MEMBERS}
    admit(monkeypatch, contents)
    assert not pose_entry().installed
    folder = install_pose(wheel(tmp_path, contents))
    assert folder == home / "weights" / "pose"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == contents
    assert pose_entry().installed
    files = (*pose_network_files(), *hand_network_files())
    assert [path.name for path in files] == list(contents)


def test_weights_of_before_hands_still_serve_for_people(tmp_path, monkeypatch):
    contents = {name: name.encode() for name in MEMBERS}
    admit(monkeypatch, contents)
    install_pose(wheel(tmp_path, contents))
    for path in hand_network_files():
        path.unlink()
    assert len(pose_network_files()) == 2
    assert not pose_entry().installed
    with pytest.raises(WeightsError, match="run: acmnet weights install pose"):
        hand_network_files()


def test_features_of_people_state_the_digest_of_before_hands():
    # the digest in the manifests of features that were extracted before 2026-11-27
    want = "".join(MEMBERS[name][1] for name in list(MEMBERS)[:2])
    assert pose_sha256() == hashlib.sha256(want.encode()).hexdigest()
    assert pose_sha256(MEMBERS) != pose_sha256()


def test_an_installed_network_that_changed_is_refused(tmp_path, monkeypatch):
    contents = {name: name.encode() for name in MEMBERS}
    admit(monkeypatch, contents)
    folder = install_pose(wheel(tmp_path, contents))
    (folder / "pose_detection.tflite").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"is not the published file; run: acmnet"):
        pose_network_files()


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({}, "holds no mediapipe/modules/pose_detection/pose_detection.tflite; give"),
        ({"pose_detection.tflite": b"x"}, "is not the published one: its SHA-256 is"),
    ],
)
def test_another_wheel_is_refused(tmp_path, home, contents, words):
    with pytest.raises(WeightsError, match=words):
        install_pose(wheel(tmp_path, contents))
    assert not home.exists()


def test_a_damaged_wheel_is_refused(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"PK no archive")
    for name in ("a.whl", "absent.whl"):
        with pytest.raises(WeightsError, match=f"{name}.* could not be read"):
            install_pose(tmp_path / name)


def test_pip_that_finds_nothing(tmp_path, monkeypatch, home):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    words = r"could not fetch mediapipe==0\.10\.21 \(.*; fetch the wheel .* --source"
    with pytest.raises(WeightsError, match=words):
        install_pose()
    assert not home.exists()


def test_verbs_without_weights_say_what_to_type(acmnet, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    words = "weights pose are not installed; run: acmnet weights install pose"
    refused(acmnet("pose", tmp_path / "a.mp4", "--out", tmp_path / "t"), words)
    with pytest.raises(WeightsError, match=words):
        make_extractor(ExtractionSettings("pose"))
    code, out, _ = acmnet("weights", "list")
    assert code == 0
    assert "pose                 not installed" in out


def test_options_of_tracks_that_pose_has(tmp_path):
    settings = ExtractorOptions("pose", individuals=2).settings(tmp_path)
    assert settings.tracks.n_individuals == 2
    assert settings.tracks.are_pooled
    assert ExtractorOptions("pose").settings(tmp_path).tracks is None
    with_hands = ExtractorOptions("i3d-rgb+pose", hands=True).settings(tmp_path).tracks
    assert with_hands.points == BODY_AND_HANDS
    for other in ("motion", "keypoints", "auto"):
        with pytest.raises(UsageError, match="--hands is for --extractor pose"):
            ExtractorOptions(other, hands=True).settings(tmp_path)
    with pytest.raises(UsageError, match="--individuals is for --extractor keypoints "):
        ExtractorOptions("motion", individuals=2).settings(tmp_path)
    with pytest.raises(UsageError, match="--points is for --extractor keypoints"):
        ExtractorOptions("pose", points=["nose"]).settings(tmp_path)
    for option in (True, False):
        with pytest.raises(UsageError, match="--directions is for --extractor keyp"):
            ExtractorOptions("motion", directions=option).settings(tmp_path)
    assert ExtractorOptions("keypoints", directions=False).settings(
        tmp_path
    ) == KeypointRequest(directions=False)


def test_without_openvino_it_is_said_what_to_install(tmp_path, monkeypatch):
    contents = {name: name.encode() for name in MEMBERS}
    admit(monkeypatch, contents)
    install_pose(wheel(tmp_path, contents))
    monkeypatch.setitem(sys.modules, "openvino", None)
    words = r"pose needs OpenVINO, .*; run: pip install 'acmnet\[openvino\]'"
    with pytest.raises(WeightsError, match=words):
        make_extractor(ExtractionSettings("pose"))


def test_unknown_weights_are_told_all_names(acmnet):
    words = "no weights are called 'poses'; did you mean 'pose'? known are "
    refused(acmnet("weights", "install", "poses"), f"{words}i3d-rgb-kinetics400, i3d-")
