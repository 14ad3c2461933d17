"""The drawn videos: the same for a seed, true to their labels, and real files."""

import collections
import itertools
import re

import av
import cv2
import numpy as np
import pytest

from acmnet.data.label_files import read_annotations
from acmnet.data.made_up import drawn_pictures
from acmnet.data.made_up.drawn_videos import (
    BACKGROUNDS,
    CLASS_NAMES,
    FPS,
    HEIGHT,
    PLACES,
    TEST,
    TRAINING,
    WIDTH,
    SceneSettings,
    Script,
    Shot,
    plan_videos,
    render_video,
    write_scenes,
)

SMALL = SceneSettings(
    training_videos=7,
    test_videos=2,
    video_s=(5.0, 6.0),
    instance_s=(1.0, 1.5),
    context_s=(0.5, 0.7),
)
SEEDS = range(5)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder of a small set, and what was told while it was written."""
    directory = tmp_path_factory.mktemp("scenes")
    told = []
    paths = write_scenes(directory, 3, SMALL, on_video=lambda *x: told.append(x))
    assert paths == (directory / "labels.json", directory / "videos")
    return directory, told


def staged(action, seconds=4, act=(1, 3)):
    """Return a video of one shot, in which the actor acts between two seconds."""
    start, end = (second * FPS for second in act)
    shot = Shot(
        place=PLACES[0],
        start_frame=0,
        end_frame=seconds * FPS,
        has_actor=True,
        action=action,
        act_start_frame=start,
        act_end_frame=end,
    )
    return Script("a", TEST, (0, 0, 0), (shot,))


def motion(script):
    """Return each frame's mean change from the one before it, in grey levels."""
    gray = [
        cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(float)
        for frame in render_video(script, noise=0.0)
    ]
    return np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(gray)])


def test_a_seed_gives_the_same_pixels():
    one, same, other = (plan_videos(seed, SMALL)[0] for seed in (1, 1, 2))
    assert one == same != other
    frames = [np.stack(list(render_video(script))) for script in (one, same, other)]
    assert frames[0].shape == (one.n_frames, HEIGHT, WIDTH, 3)
    assert frames[0].dtype == np.uint8
    assert np.array_equal(frames[0], frames[1])
    n = min(len(frames[0]), len(frames[2]))
    assert not np.array_equal(frames[0][:n], frames[2][:n])


def test_noise_is_as_strong_as_it_says():
    # one still place, no flicker: frames differ from their mean by the noise, less a
    # little at grey levels near 0 that cannot fall below it
    script = Script(
        "a", TEST, (0, 0, 0), (Shot(place="still", start_frame=0, end_frame=50),)
    )
    quiet, noisy = (
        np.stack(list(render_video(script, noise))).astype(float) for noise in (0, 6)
    )
    grain = (noisy - quiet)[:, 40:80, 40:120]
    # rounding to whole levels adds 1/12 to the variance of 36
    assert grain.std() == pytest.approx(6.0, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("settings", [SceneSettings(), SMALL], ids=["large", "small"])
def test_shots_follow_one_another_and_instances_lie_within(seed, settings):
    for script in plan_videos(seed, settings):
        at = 0
        for shot in script.shots:
            assert shot.start_frame == at < shot.end_frame
            at = shot.end_frame
            assert shot.place in PLACES + BACKGROUNDS
            if shot.action:
                # context on both sides, so that instances never touch
                assert shot.start_frame < shot.act_start_frame
                assert shot.act_start_frame < shot.act_end_frame < shot.end_frame
                lasts_s = (shot.act_end_frame - shot.act_start_frame) / FPS
                shortest_s, longest_s = settings.instance_s
                assert shortest_s - 0.02 <= lasts_s <= longest_s + 0.02
        assert script.n_frames == at >= round(settings.video_s[0] * FPS)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_and_videos_without_any_are_in_both_subsets(seed):
    scripts = plan_videos(seed)
    for subset in (TRAINING, TEST):
        shown = [script.labels for script in scripts if script.subset == subset]
        assert {label for labels in shown for label in labels} == set(CLASS_NAMES)
        assert () in shown
        assert max(map(len, shown)) == 2


def test_two_classes_share_a_place_and_none_tells_an_action():
    shots = [shot for script in plan_videos() for shot in script.shots]
    places = collections.defaultdict(set)
    for shot in shots:
        if shot.action:
            places[shot.place].add(shot.action)
    assert sorted(len(actions) for actions in places.values()) == [2, 2, 2]
    idle = [s for s in shots if s.has_actor and not s.action]
    assert {shot.place for shot in idle} <= set(PLACES)
    assert idle


@pytest.mark.parametrize("action", CLASS_NAMES)
def test_an_action_moves_more_than_the_context_around_it(action, monkeypatch):
    # a camera at rest, and an actor who stands while not acting
    monkeypatch.setattr(drawn_pictures, "_WALK", 0.0)
    monkeypatch.setattr(drawn_pictures.Camera, "shoot", _from_the_tripod)
    moved = motion(staged(action))
    # 0.3 s of ramp lie around each border, half of them outside: 4 frames on each side
    within = np.median(moved[FPS + 5 : 3 * FPS - 5])
    # flicker alone changes what is around
    assert within > np.median(moved[: FPS - 5]) + 0.1
    assert within > np.median(moved[3 * FPS + 5 :]) + 0.1


@pytest.mark.parametrize("action", ["jump", None])
def test_the_actor_is_there_whether_acting_or_not(action):
    script = staged(action)
    empty = Script(
        "a",
        TEST,
        script.seed,
        (Shot(place=PLACES[0], start_frame=0, end_frame=4 * FPS),),
    )
    pairs = zip(render_video(script, 0), render_video(empty, 0), strict=True)
    for with_actor, without in pairs:
        differ = np.abs(with_actor.astype(int) - without).max(axis=2) > 30
        # a tall narrow person, 62 to 84 pixels high: some 1/6 as wide
        assert 300 < differ.sum() < 4000


def _from_the_tripod(_camera, place, _time_s):
    """Return a pen on the middle of a place."""
    top = left = drawn_pictures.MARGIN
    frame = place[0, 0, top : top + HEIGHT, left : left + WIDTH].copy()
    return drawn_pictures.Pen(frame, left, top)


def test_files_hold_what_was_drawn(written):
    directory, _ = written
    for script in plan_videos(3, SMALL):
        path = directory / "videos" / f"{script.video}.mp4"
        with av.open(path) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.pix_fmt == "yuv420p"
            assert stream.average_rate == FPS
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode()]
            duration_s = float(stream.duration * stream.time_base)
        assert len(frames) == script.n_frames
        assert duration_s == pytest.approx(script.n_frames / FPS)
    # the last video's frames are the drawn ones, in their order; H.264 smooths noise,
    # so compare with the picture without it, by eye's measure of 8 levels
    drawn = np.stack(list(render_video(script, SMALL.noise))).astype(float)
    assert np.abs(np.stack(frames) - drawn).mean() < 8


def test_labels_say_when_and_the_csv_only_what(written):
    directory, _ = written
    truth = read_annotations(directory / "labels.json")
    assert truth.class_names == CLASS_NAMES
    scripts = {script.video: script for script in plan_videos(3, SMALL)}
    assert list(truth.videos) == list(scripts)
    for video in truth.videos.values():
        assert video.duration_s == scripts[video.id].n_frames / FPS
        acts = [shot for shot in scripts[video.id].shots if shot.action]
        assert [instance.label for instance in video.instances] == [
            shot.action for shot in acts
        ]
        for instance, shot in zip(video.instances, acts, strict=True):
            assert instance.segment.start_s == shot.act_start_frame / FPS
            assert instance.segment.end_s == shot.act_end_frame / FPS
    weak = read_annotations(directory / "labels.csv")
    training = truth.subset(TRAINING).videos
    assert {v.id: v.labels for v in weak.videos.values()} == {
        v.id: v.labels for v in training.values()
    }
    assert not any(video.instances for video in weak.videos.values())
    assert re.search(r"^training_006,$", (directory / "labels.csv").read_text(), re.M)


def test_nothing_is_left_over_and_everything_is_told(written):
    directory, told = written
    assert told == [(done, 9) for done in range(1, 10)]
    videos = [script.video for script in plan_videos(3, SMALL)]
    names = {path.name for path in directory.rglob("*") if path.is_file()}
    assert names == {"labels.json", "labels.csv", *(f"{v}.mp4" for v in videos)}
    # small enough to be made in a moment
    assert all(path.stat().st_size < 60_000 for path in directory.rglob("*.mp4"))


def test_writing_again_gives_the_same_labels(written, tmp_path):
    directory, _ = written
    small = SceneSettings(**{**vars(SMALL), "test_videos": 0, "training_videos": 1})
    for _ in range(2):
        write_scenes(tmp_path, 3, small)
    line = (directory / "labels.csv").read_text().splitlines()[1]
    assert (tmp_path / "labels.csv").read_text().splitlines() == ["video,labels", line]


def test_an_interruption_leaves_no_labels_and_no_half_a_video(tmp_path):
    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(tmp_path, 3, SMALL, on_video=interrupt)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} == {".mp4"}
    for path in written:
        with av.open(path) as container:
            assert next(container.decode(video=0)).width == WIDTH
