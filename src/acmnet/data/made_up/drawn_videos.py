"""Draw a small set of untrimmed videos with known actions; a seed gives the same set.

The videos show the world of `acmnet.data.made_up.feature_world` as pictures. An actor
does one of six actions at a place, which two classes share. Before and after, the actor
stands or walks there (context). Other shots show other places, titles, crowds and
stills (background). So the label of a video can be guessed from the place, but only the
action tells when it happens.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final, NamedTuple

import av
import cv2
import numpy as np

from acmnet.data.made_up.drawn_pictures import (
    HEIGHT,
    REPETITIONS_PER_S,
    WIDTH,
    Actor,
    Camera,
    Crowd,
    Frame,
    draw_place,
)
from acmnet.files.file_access import make_folder, write_json, written_whole

CLASS_NAMES: Final = tuple(sorted(REPETITIONS_PER_S))
PLACES: Final = ("theatre", "gym", "street")
"""The place of classes 0 and 1, that of 2 and 3, and that of 4 and 5."""
BACKGROUNDS: Final = ("title", "landscape", "crowd", "still")
TRAINING: Final = "training"
TEST: Final = "test"
FPS: Final = 25

# not every build of ffmpeg has x264, because its licence is the GPL
_CODEC: Final = "libx264" if "libx264" in av.codecs_available else "mpeg4"
_QUALITY: Final = {"preset": "superfast", "crf": "31"}


@dataclasses.dataclass(frozen=True)
class SceneSettings:
    """How many videos are drawn, and how long they and their actions are."""

    training_videos: int = 36
    test_videos: int = 10
    video_s: tuple[float, float] = (15.0, 28.0)
    """Shortest and longest video in seconds. A video is longer if its actions need
    it."""
    instance_s: tuple[float, float] = (1.5, 5.0)
    """Shortest and longest action in seconds."""
    context_s: tuple[float, float] = (0.8, 2.5)
    """Shortest and longest context before and after an action, in seconds."""
    noise: float = 4.0
    """Standard deviation of the camera's noise, in grey levels from 0 to 255."""


class Shot(NamedTuple):
    """The part of a video between two cuts; frames count from the video's start."""

    place: str
    start_frame: int
    end_frame: int
    has_actor: bool = False
    action: str | None = None
    """The actor's action, from ``act_start_frame`` to ``act_end_frame``."""
    act_start_frame: int = 0
    act_end_frame: int = 0

    def later(self, frames: int) -> "Shot":
        """Return the same shot a number of frames later."""
        return self._replace(
            start_frame=self.start_frame + frames,
            end_frame=self.end_frame + frames,
            act_start_frame=self.act_start_frame + frames,
            act_end_frame=self.act_end_frame + frames,
        )


@dataclasses.dataclass(frozen=True)
class Script:
    """The plan of one video, before it is drawn."""

    video: str
    subset: str
    seed: tuple[int, ...]
    """Seed of the random details of the pictures."""
    shots: tuple[Shot, ...]

    @property
    def n_frames(self) -> int:
        """Number of frames of the video."""
        return self.shots[-1].end_frame

    @property
    def labels(self) -> tuple[str, ...]:
        """The actions that it shows, sorted."""
        return tuple(sorted({shot.action for shot in self.shots if shot.action}))

    def to_json(self) -> dict[str, object]:
        """Return the video's entry of an ActivityNet-style label file."""
        instances = [
            {
                "label": shot.action,
                "segment": [shot.act_start_frame / FPS, shot.act_end_frame / FPS],
            }
            for shot in self.shots
            if shot.action
        ]
        return {
            "subset": self.subset,
            "duration": self.n_frames / FPS,
            "annotations": instances,
        }


def plan_videos(
    seed: int = 0,
    settings: SceneSettings = SceneSettings(),  # noqa: B008, RUF100
) -> tuple[Script, ...]:
    """Return the plans of all videos of a seed, training videos before test videos.

    A subset of at least 7 videos has every class. Every seventh video shows no action.

    Examples
    --------
    >>> scripts = plan_videos(seed=0)
    >>> len(scripts), scripts[0].video, scripts[6].labels
    (46, 'training_000', ())
    """
    counts = {TRAINING: settings.training_videos, TEST: settings.test_videos}
    return tuple(
        Script(
            f"{subset}_{i:03d}", subset, (seed, n, i), _shots((seed, n, i), settings)
        )
        for n, (subset, count) in enumerate(counts.items())
        for i in range(count)
    )


def _shots(seed: tuple[int, ...], settings: SceneSettings) -> tuple[Shot, ...]:
    """Return shots with actions, and with background that fills the video's length."""
    random = np.random.default_rng((*seed, 0))

    def frames(span_s: tuple[float, float]) -> int:
        return round(float(random.uniform(*span_s)) * FPS)

    length = frames(settings.video_s)
    acted: list[Shot] = []
    classes = _classes(random, seed[-1])
    for k in range(int(random.integers(2, 5)) if classes else 0):
        c = classes[k % len(classes)]
        before, act = frames(settings.context_s), frames(settings.instance_s)
        lasts = before + act + frames(settings.context_s)
        used = sum(shot.end_frame for shot in acted) + lasts
        if k >= len(classes) and used > 0.8 * length:
            break
        acted.append(
            Shot(
                place=PLACES[c // 2],
                start_frame=0,
                end_frame=lasts,
                has_actor=True,
                action=CLASS_NAMES[c],
                act_start_frame=before,
                act_end_frame=before + act,
            )
        )
        length = max(length, used + FPS)
    if not classes:
        acted.append(
            Shot(
                place=str(random.choice(PLACES)),
                start_frame=0,
                end_frame=length // 3,
                has_actor=True,
            )
        )
    return _joined(random, acted, length)


def _classes(random: np.random.Generator, i: int) -> list[int]:
    """Return the classes of video ``i``: one class in turn, and sometimes a second."""
    n = len(CLASS_NAMES)
    turn = i % (n + 1)
    if turn == n:
        return []
    other = (turn + 1 + int(random.integers(n - 1))) % n
    return [turn, other] if i % 3 == 0 else [turn]


def _joined(
    random: np.random.Generator, acted: Sequence[Shot], length: int
) -> tuple[Shot, ...]:
    """Return shots in sequence, with background before, between and after them."""
    shares = random.uniform(0.5, 1.5, size=len(acted) + 1)
    spare = length - sum(shot.end_frame for shot in acted)
    cuts = np.rint(np.cumsum(shares) / shares.sum() * spare).astype(int)
    kinds = random.permutation(BACKGROUNDS * 2)
    shots: list[Shot] = []
    at = 0
    for k, lasts in enumerate(np.diff(cuts, prepend=0)):
        for shot in (
            Shot(place=str(kinds[k]), start_frame=0, end_frame=int(lasts)),
            *acted[k : k + 1],
        ):
            if shot.end_frame:
                shots.append(shot.later(at))
                at += shot.end_frame
    return tuple(shots)


def render_video(script: Script, noise: float = 4.0) -> Iterator[Frame]:
    """Yield the frames of a video, drawn one after another.

    Parameters
    ----------
    script : Script
        A plan of `plan_videos`.
    noise : float
        Standard deviation of the camera's noise, in grey levels from 0 to 255.

    Examples
    --------
    >>> next(render_video(plan_videos(seed=0)[0])).shape
    (120, 160, 3)
    """
    random = np.random.default_rng((*script.seed, 1))
    actor, flicker = Actor(random), float(random.uniform(0, 4))
    grain = np.rint(random.normal(scale=noise, size=(2 * HEIGHT, 2 * WIDTH, 3)))
    lighter, darker = (np.clip(x, 0, 255).astype(np.uint8) for x in (grain, -grain))
    names = sorted({shot.place for shot in script.shots})
    places = {name: draw_place(random, name) for name in names}
    for shot in script.shots:
        camera, crowd = Camera(random, shot.place), Crowd(random)
        actor.enter(random)
        for i in range(shot.start_frame, shot.end_frame):
            time_s = (i - shot.start_frame) / FPS
            pen = camera.shoot(places[shot.place], time_s)
            if shot.place == "crowd":
                crowd.draw(pen, time_s)
            if shot.action:
                before_s = (shot.act_start_frame - i) / FPS
                after_s = (i + 1 - shot.act_end_frame) / FPS
                actor.act(pen, shot.action, before_s, after_s)
            elif shot.has_actor:
                actor.idle(pen, time_s)
            y, x = int(random.integers(HEIGHT)), int(random.integers(WIDTH))
            window = slice(y, y + HEIGHT), slice(x, x + WIDTH)
            light = np.full(4, round(flicker * float(random.uniform(-1, 1))), float)
            frame = cv2.subtract(cv2.add(pen.frame, lighter[window]), darker[window])
            yield np.asarray(cv2.add(frame, light), dtype=np.uint8)


def write_scenes(
    directory: str | Path,
    seed: int,
    settings: SceneSettings,
    *,
    on_video: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Path, Path]:
    """Draw all videos and write ``videos/``, ``labels.json`` and ``labels.csv``.

    Parameters
    ----------
    directory : str or Path
        The folder to write to; it is made if it is missing.
    seed : int
        Seed of everything that is drawn, from 0.
    settings : SceneSettings
        How many videos are drawn, and how long they are.
    on_video : callable
        Called after each video with the number of videos written and of all videos.

    Returns
    -------
    labels, videos : Path
        The path of ``labels.json``, which has the true segments of both subsets for
        scoring, and of the folder with the files ``<video>.mp4``. ``labels.csv`` beside
        them has what a user would write: the training videos with the actions that
        each shows.
    """
    directory = Path(directory)
    videos = directory / "videos"
    make_folder(videos)
    scripts = plan_videos(seed, settings)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(_encode, s, videos, settings.noise) for s in scripts]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                on_video(done, len(jobs))
        finally:
            pool.shutdown(cancel_futures=True)
    labels = directory / "labels.json"
    content = {
        "version": "acmnet scenes",
        "taxonomy": list(CLASS_NAMES),
        "database": {script.video: script.to_json() for script in scripts},
    }
    write_json(labels, content)
    rows = [(s.video, "|".join(s.labels)) for s in scripts if s.subset == TRAINING]
    with (
        written_whole(directory / "labels.csv") as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows([("video", "labels"), *rows])
    return labels, videos


def _encode(script: Script, videos: Path, noise: float) -> None:
    """Draw one video and write its file."""
    path = videos / f"{script.video}.mp4"
    with written_whole(path) as part, av.open(part, "w", format="mp4") as container:
        stream = container.add_stream(_CODEC, rate=FPS, options=dict(_QUALITY))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for pixels in render_video(script, noise):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
