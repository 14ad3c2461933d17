"""Compose untrimmed surveillance videos of published two-second clips.

    python -m benchmarks.sets.surveillance --clips FOLDER --out data/surveillance

FOLDER is a copy of https://github.com/seymanurakti/fight-detection-surv-dataset (MIT
licence; Akti et al., "Vision-based Fight Detection from Surveillance Cameras", IPTA
2019). It holds 150 clips ``fight/*.mp4`` and 150 clips ``noFight/*.mp4``.

Each video is a row of clips, cut hard one after the other, scaled to one size at 25
frames a second. Runs of 1 to 4 clips with a fight stand between runs of 1 to 5 clips
without one; a video without any fight is one such run of 8 to 15 clips. Written are
``videos/*.mp4``, ``labels.csv`` (which videos hold a fight), ``annotations.json`` (from
when to when, for scoring only) and ``groups.csv``: videos of different groups share no
clip, so that cross-validation by group never scores a video of which a clip was seen.

The 40 videos that docs/results.md reports were composed in this way by others, who did
not publish which clips they drew. So this makes videos of the same kind, and figures on
them will differ from those of docs/results.md.
"""

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import av
import cv2
import numpy as np

from acmnet.files.file_access import write_json, write_text, written_whole
from acmnet.video.frames import Frame, FrameReader

LABEL: Final = "fight"
FOLDERS: Final = {True: "fight", False: "noFight"}
"""Where clips with and without a fight lie in the published folder."""
FPS: Final = 25
SIZE: Final = (384, 288)
"""Width and height of the composed videos, in pixels."""
FIGHT_SHARE: Final = 0.7
"""Share of the videos that hold a fight: 28 of 40."""
MOST_RUNS: Final = 3
"""Runs of fight clips in one video at most."""
FIGHT_CLIPS: Final = (1, 4)
"""Fewest and most clips of a run with a fight."""
CALM_CLIPS: Final = (1, 5)
"""Fewest and most clips of a run between fights."""
CALM_VIDEO_CLIPS: Final = (8, 15)
"""Fewest and most clips of a video without a fight."""


class ClipError(ValueError):
    """Clips of which no videos can be composed."""


class Plan(NamedTuple):
    """The clips of one composed video."""

    video: str
    group: int
    clips: tuple[tuple[Path, bool], ...]
    """Each clip's file and whether it shows a fight, in order of time."""


def plan(clips: Path, *, videos: int, groups: int, seed: int) -> list[Plan]:
    """Draw the clips of each video.

    Parameters
    ----------
    clips : Path
        The published folder.
    videos : int
        How many to compose, at least ``groups``.
    groups : int
        From 1. Clips are dealt to the groups first, in equal numbers.
    seed : int
        The same seed draws the same videos.

    Raises
    ------
    ClipError
        If a folder of clips is missing or has fewer clips than there are groups, or
        there are fewer videos than groups.
    """
    if not 1 <= groups <= videos:
        raise ClipError(f"groups must be from 1 to {videos} videos, got {groups}")
    random = np.random.default_rng(seed)
    dealt: dict[bool, list[list[Path]]] = {}
    for is_fight, folder in FOLDERS.items():
        found = sorted((clips / folder).glob("*.mp4"))
        if len(found) < groups:
            raise ClipError(
                f"{clips / folder} has {len(found)} clips (*.mp4), fewer than {groups} "
                "groups; name the folder that holds fight/ and noFight/"
            )
        order = [found[i] for i in random.permutation(len(found))]
        dealt[is_fight] = [order[group::groups] for group in range(groups)]
    plans = []
    for i in range(videos):
        group = i % groups
        # every group gets the same share of videos with a fight
        is_calm = (i // groups + 0.5) / -(-videos // groups) > FIGHT_SHARE
        kinds = _kinds(random, is_calm=is_calm)
        drawn = tuple(
            (dealt[kind][group][random.integers(len(dealt[kind][group]))], kind)
            for kind in kinds
        )
        plans.append(Plan(f"group{group}_{i // groups:03d}", group, drawn))
    return plans


def _kinds(random: np.random.Generator, *, is_calm: bool) -> list[bool]:
    """Return for each clip of one video whether it is to show a fight."""

    def run(is_fight: bool, fewest: int, most: int) -> list[bool]:
        return [is_fight] * int(random.integers(fewest, most + 1))

    if is_calm:
        return run(False, *CALM_VIDEO_CLIPS)
    kinds = run(False, *CALM_CLIPS)
    for _ in range(int(random.integers(1, MOST_RUNS + 1))):
        kinds += run(True, *FIGHT_CLIPS) + run(False, *CALM_CLIPS)
    return kinds


def compose(plans: Sequence[Plan], out: Path) -> None:
    """Write the videos, and the labels and segments that follow from their clips."""
    database: dict[str, object] = {}
    for one in plans:
        frames_of_clips = _encode(one, out / "videos" / f"{one.video}.mp4")
        database[one.video] = {
            "subset": "training",
            "duration": sum(frames_of_clips) / FPS,
            "annotations": [
                {"label": LABEL, "segment": list(segment)}
                for segment in _segments(one, frames_of_clips)
            ],
        }
    content = {"version": "composed", "taxonomy": [LABEL], "database": database}
    write_json(out / "annotations.json", content)
    has_fight = {one.video: any(kind for _, kind in one.clips) for one in plans}
    labels = [(f"{x}.mp4", LABEL if fight else "") for x, fight in has_fight.items()]
    write_text(out / "labels.csv", _csv([("video", "labels"), *labels]))
    groups = [(one.video, str(one.group)) for one in plans]
    write_text(out / "groups.csv", _csv([("video", "group"), *groups]))


def _encode(one: Plan, path: Path) -> list[int]:
    """Write one video; return how many frames each of its clips has."""
    counts = []
    with written_whole(path) as part, av.open(part, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for clip, _ in one.clips:
            n_frames = 0
            for pixels in _scaled(clip):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
                n_frames += 1
            counts.append(n_frames)
        container.mux(stream.encode(None))
    return counts


def _scaled(clip: Path) -> Iterator[Frame]:
    """Yield the frames of a clip at `FPS`, each of `SIZE`."""
    for pixels in FrameReader(clip, fps=FPS):
        yield cv2.resize(pixels, SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _segments(one: Plan, counts: Sequence[int]) -> Iterator[tuple[float, float]]:
    """Yield start and end in seconds of each run of clips that show a fight."""
    start: int | None = None
    at = 0
    for (_, is_fight), n_frames in zip(one.clips, counts, strict=True):
        if is_fight and start is None:
            start = at
        if not is_fight and start is not None:
            yield start / FPS, at / FPS
            start = None
        at += n_frames
    if start is not None:
        yield start / FPS, at / FPS


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def main() -> int:
    """Compose the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        plans = plan(
            given.clips, videos=given.videos, groups=given.groups, seed=given.seed
        )
        compose(plans, given.out)
    except (ValueError, OSError) as error:
        print(f"surveillance: {error}", file=sys.stderr)
        return 1
    print(f"{len(plans)} videos, labels, segments and groups: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
