"""Take the pictures of the bench for docs/labelling.md.

    python -m benchmarks.bench_pictures OUT [--to docs/images]

It draws videos as `acmnet demo` does, names and marks some of them by what they show,
makes up what a model found and suggests, and takes pictures of the page in Chromium:
``bench.jpg``, a video with its timeline, and ``bench_names.jpg``, the grid of names.
"""

import argparse
import json
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from acmnet.cli.verbs.label import opened_bench
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.made_up.drawn_videos import SceneSettings, write_scenes
from acmnet.segments import Detections
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import BenchSite, ShownVideo
from acmnet.show.bench.rounds.round_plan import RoundPlan
from acmnet.show.bench.rounds.suggesting import SUGGESTIONS
from acmnet.show.bench.server.page_server import SiteServer
from benchmarks.round_by_keys import opened_bench_page

SCENES: Final = SceneSettings(training_videos=12, test_videos=0)
SIZE: Final = (1180, 800)
QUALITY: Final = 70
MARKED: Final = 4
"""So many videos have marks, and as many more have names."""
OFF_S: Final = 0.3
"""The made-up detections miss the true times by about this much."""


def main() -> None:
    """Draw the videos, open the bench on them, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--to", type=Path, default=Path("docs/images"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    if not (given.out / "labels.json").is_file():
        write_scenes(given.out, 0, SCENES)
    truth = read_annotations(given.out / "labels.json")
    site = marked_bench(given.out, truth)
    server = SiteServer(site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with opened_bench_page(server.address, given.chromium, SIZE) as page:
        marked = list(truth.videos)[MARKED:]
        take(page, given.to, next(x for x in marked if truth.videos[x].instances))
    server.shutdown()
    site.store.close()


def marked_bench(folder: Path, truth: Annotations) -> BenchSite:
    """Return a bench of the videos, with marks, detections and suggestions."""
    videos = list(truth.videos)
    files = [folder / "videos" / f"{video}.mp4" for video in videos]
    labels = folder / "bench" / "labels.json"
    shutil.rmtree(labels.parent, ignore_errors=True)
    site = opened_bench(
        title="labels.json",
        labels=labels,
        shown={video: ShownVideo() for video in videos},
        media=BenchMedia(files, folder / "seen"),
        plan=RoundPlan(features=folder / "features"),
        classes=list(truth.class_names),
        who="anna",
    )
    found = {video: found_in(truth, video) for video in videos}
    site.detections.show(1, DetectionFile.of(found))
    for i, video in enumerate(videos[: 2 * MARKED]):
        marks = list(marks_of(truth.videos[video], is_named=i >= MARKED))
        site.store.put({"who": "anna", "marks": marks})
    rest = [video for video in videos[MARKED:] if truth.videos[video].instances]
    suggestions = [suggestion(i, truth.videos[x]) for i, x in enumerate(rest, 1)]
    file = folder / SUGGESTIONS
    file.write_text(json.dumps({"suggestions": suggestions}))
    site.suggesting.look([], file)
    return site


def marks_of(video: Video, is_named: bool) -> Iterator[dict[str, Any]]:
    """Yield a video's names, or its segments and that all of it was watched."""
    own = {"video": video.id}
    if is_named:
        for i, name in enumerate(video.labels):
            yield own | {"id": f"{video.id}-{i}", "kind": "name", "label": name}
        return
    for i, one in enumerate(video.instances):
        times = {"start_s": one.segment.start_s, "end_s": one.segment.end_s}
        mark = {"id": f"{video.id}-{i}", "kind": "segment", "label": one.label}
        yield own | mark | times
    whole = {"label": None, "start_s": 0.0, "end_s": video.duration_s}
    yield own | {"id": f"{video.id}-w", "kind": "watched"} | whole


def found_in(truth: Annotations, video: str) -> Detections:
    """Return made-up detections: the true times, a little off, with some scores."""
    draw = random.Random(video)
    rows = [
        (
            max(one.segment.start_s + draw.uniform(-OFF_S, OFF_S), 0.0),
            one.segment.end_s + draw.uniform(0.1, OFF_S),
            draw.uniform(0.4, 0.95),
            truth.class_names.index(one.label),
        )
        for one in truth.videos[video].instances
    ]
    return Detections.of(truth.class_names, rows)


def suggestion(rank: int, video: Video) -> dict[str, Any]:
    """Return a suggestion as `acmnet suggest` writes it."""
    (one, *_) = video.instances
    why = f"{rank % 3 + 1} of 4 networks find {one.label!r}"
    span = {"label": one.label, "why": why, "start_s": one.segment.start_s}
    span |= {"end_s": one.segment.end_s}
    return {"rank": rank, "video": video.id, "why": why, "spans": [span]}


def take(page: Page, folder: Path, video: str) -> None:
    """Take both pictures, once the pictures of the videos are there."""
    page.click(f"#videos button:has-text('{video}')")
    page.wait_for_timeout(4000)
    for key in ("ArrowDown", "Enter", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_timeout(1500)
    picture = {"type": "jpeg", "quality": QUALITY}
    page.screenshot(path=folder / "bench.jpg", **picture)  # type: ignore[arg-type]
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+G")
    page.wait_for_timeout(8000)
    page.screenshot(path=folder / "bench_names.jpg", **picture)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
