"""The sets of docs/results.md, made from what others published."""

import collections
import csv
import gzip
import json

import av
import numpy as np
import pytest
from benchmarks.sets import shrec22, surveillance

from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.video_groups import read_groups
from acmnet.video.frames import FrameReader
from support.places import SHARED

SHREC = SHARED / "data" / "shrec22"


def recording(times, hand, speed):
    """Return a hand that keeps its shape while its wrist moves at a constant speed."""
    joints = hand[None] + times[:, None, None] * speed
    return shrec22.Recording(times - times[0], joints)


def test_a_hand_that_moves_as_a_whole():
    # a linear motion is interpolated exactly, whatever the clock: 3 s at 11 to 30 fps
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.033, 0.09, 60))
    hand = random.normal(size=(26, 3))
    speed = np.array([0.3, -0.2, 0.0])
    relative = hand - hand[0]
    size = np.linalg.norm(relative, axis=-1).mean()
    rows = shrec22.describe(recording(times, hand, speed))
    n_frames = int((times[-1] - times[0]) * 20) + 1
    assert rows.shape == ((n_frames - 16) // 5 + 1, 573)
    shape, still = (relative / size).ravel(), np.zeros(78)
    # a frame is 1/20 s; the mean of frames 0 to 15 is at frame 7.5
    wrist = (np.arange(0, 16, 2)[:, None] - 7.5) * speed / 20 / size
    expected = [
        shape,
        still,
        still,
        wrist.ravel(),
        abs(speed) / 20 / size,
        *[shape] * 4,
    ]
    np.testing.assert_allclose(
        rows, np.tile(np.concatenate(expected), (len(rows), 1)), atol=1e-12
    )


def test_columns_are_standardised_over_all_videos_and_cut_off():
    one, other = np.array([[0.0, 7.0], [1.0, 7.0]]), np.tile([0.0, 7.0], (98, 1))
    first, second = shrec22.standardised([one, other])
    # one value of 100 is 1: mean 0.01, deviation sqrt(0.0099), so 9.95 is cut to 5
    assert first[1].tolist() == [5.0, 0.0]
    np.testing.assert_allclose(second[0], [-0.1005, 0.0], atol=1e-4)
    assert (first.dtype, len(second)) == (np.float16, 98)


def published(folder, n_frames=40):
    """Write two sequences and their annotations as SHREC'22 publishes them."""
    folder.mkdir()
    for n, write in ((1, lambda p, t: p.write_text(t)), (2, zipped)):
        random = np.random.default_rng(n)
        lines = [
            ";".join(map(repr, (i, 5.0 + i / 16, *random.normal(size=78).tolist())))
            for i in range(n_frames)
        ]
        write(folder / f"{n}.txt", "\n".join(lines) + "\n")
    (folder / "annotations.txt").write_text("1;WAVE;8;16;ONE;20;32;\n2;ONE;4;36;\n")


def zipped(path, text):
    path.with_suffix(".txt.gz").write_bytes(gzip.compress(text.encode()))


def test_a_set_as_it_is_published(tmp_path):
    published(tmp_path / "raw")
    out = tmp_path / "made"
    assert (
        shrec22.make(tmp_path / "raw", tmp_path / "raw" / "annotations.txt", out) == 2
    )
    labels = read_annotations(out / "annotations.json")
    found = {
        video.id: [
            (x.label, x.segment.start_s, x.segment.end_s) for x in video.instances
        ]
        for video in labels.videos.values()
    }
    # frame i is i / 16 s after the first
    assert found == {
        "training_0001": [("WAVE", 0.5, 1.0), ("ONE", 1.25, 2.0)],
        "training_0002": [("ONE", 0.25, 2.25)],
    }
    store = open_store(out / "features")
    assert store.grid == shrec22.GRID
    # 39 / 16 s are 48.75 frames at 20 fps: 49 frames, so 7 snippets of 16 every 5
    assert {store.shape(video) for video in found} == {(7, 573)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("1.txt", "0;1.0;2.0\n", r"1\.txt, line 1: a frame must have 80 values, got 3"),
        ("1.txt", "", r"1\.txt has no frames; download it again"),
        (
            "annotations.txt",
            "1;WAVE;8\n",
            r"annotations\.txt, line 1: expected sequence",
        ),
        (
            "annotations.txt",
            "3;WAVE;8;9\n",
            r"raw has no 3\.txt .*which the annotations",
        ),
    ],
)
def test_published_files_that_cannot_be_used(tmp_path, name, content, message):
    published(tmp_path / "raw")
    (tmp_path / "raw" / name).write_text(content)
    with pytest.raises(shrec22.RawError, match=message):
        shrec22.make(tmp_path / "raw", tmp_path / "raw" / "annotations.txt", tmp_path)


@pytest.mark.skipif(not SHREC.is_dir(), reason="the SHREC'22 sequences are not here")
def test_the_published_set_gives_the_features_of_the_results(tmp_path):
    raw, made = SHREC / "raw_training", SHREC / "training"
    assert shrec22.make(raw, raw / "annotations.txt", tmp_path) == 144
    ours, theirs = (
        json.loads((folder / "annotations.json").read_text())["database"]
        for folder in (tmp_path, made)
    )
    assert ours == theirs
    for video in ours:
        one = np.load(tmp_path / "features" / f"{video}.npy")
        other = np.load(made / "features" / f"{video}.npy")
        # a step of fp16 is 0.004 at 5 and 0.001 at 1
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4, err_msg=video)


@pytest.mark.skipif(not SHREC.is_dir(), reason="the SHREC'22 sequences are not here")
def test_a_round_of_recording_holds_every_gesture_nine_times(tmp_path):
    labels = read_annotations(SHREC / "training" / "annotations.json")
    shrec22.write_groups(tmp_path / "groups.csv", labels.videos)
    groups = read_groups(f"{tmp_path}/groups.csv", "", labels.videos)
    shown = collections.Counter(
        (groups.group_of[name], instance.label)
        for name, video in labels.videos.items()
        for instance in video.instances
    )
    assert len(shown) == 4 * 16
    assert set(shown.values()) == {9}


def clip(path, level):
    """Write half a second of one grey."""
    path.parent.mkdir(exist_ok=True)
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(12):
            pixels = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode(None))


@pytest.fixture
def clips(tmp_path):
    """Give four bright clips of a fight and four dark ones without."""
    for i in range(4):
        clip(tmp_path / "clips" / "fight" / f"fi{i}.mp4", 220)
        clip(tmp_path / "clips" / "noFight" / f"nofi{i}.mp4", 30)
    return tmp_path / "clips"


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    (tmp_path / "clips").mkdir()


def test_composed_videos_are_bright_where_a_fight_is_said(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(surveillance, "SIZE", (64, 48))
    plans = surveillance.plan(clips, videos=4, groups=2, seed=1)
    surveillance.compose(plans, tmp_path / "out")
    labels = read_annotations(tmp_path / "out" / "annotations.json")
    with (tmp_path / "out" / "labels.csv").open() as file:
        weak = {row["video"]: row["labels"] for row in csv.DictReader(file)}
    assert sorted(set(weak.values())) == ["", "fight"]
    for video in labels.videos.values():
        frames = list(
            FrameReader(tmp_path / "out" / "videos" / f"{video.id}.mp4", fps=25)
        )
        assert len(frames) == round(video.duration_s * 25)
        times = (np.arange(len(frames)) + 0.5) / 25
        said = np.zeros(len(frames), bool)
        for one in video.instances:
            said |= (times > one.segment.start_s) & (times < one.segment.end_s)
        assert [bool(x.mean() > 125) for x in frames] == said.tolist()
        assert bool(video.instances) == (weak[f"{video.id}.mp4"] == "fight")


def test_groups_share_no_clip_and_a_seed_draws_the_same_videos(clips):
    plans = surveillance.plan(clips, videos=20, groups=2, seed=3)
    used = [
        {path for one in plans if one.group == g for path, _ in one.clips}
        for g in (0, 1)
    ]
    assert not used[0] & used[1]
    assert plans == surveillance.plan(clips, videos=20, groups=2, seed=3)
    # 7 of 10 videos of each group hold a fight
    for group in (0, 1):
        own = [one for one in plans if one.group == group]
        assert sum(any(fight for _, fight in one.clips) for one in own) == 7


def test_clips_of_which_nothing_can_be_composed(clips):
    with pytest.raises(
        surveillance.ClipError, match=r"fight has 4 clips .* than 5 groups"
    ):
        surveillance.plan(clips, videos=8, groups=5, seed=0)
    with pytest.raises(
        surveillance.ClipError, match="groups must be from 1 to 3 videos, got 4"
    ):
        surveillance.plan(clips, videos=3, groups=4, seed=0)
