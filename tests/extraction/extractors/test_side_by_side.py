"""Several extractors side by side: equal to each alone, with one decoding for all."""

import contextlib
import dataclasses
import functools
import json
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import FeatureManifest, read_manifest
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor_names import ExtractorError, parts_of
from acmnet.extraction.i3d import i3d_extractors
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.records import ExtractionError, claim_store
from acmnet.extraction.many_videos.video_task import (
    VideoTask,
    VideoWorker,
    extract_video,
)
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.fitting.extracted_videos import extraction_of
from acmnet.segments import SnippetGrid
from acmnet.video import frames as frames_module
from acmnet.video.frames import FrameReader
from acmnet.workers.prefetching_threads import Belt, SharedItems
from support.commands import refused
from support.movies import write_movie

OWN = '''
import numpy as np
from acmnet.segments import SnippetGrid

class Bright:
    """Brightness of 16 frames; reads all of them first, and writes into them."""
    grid = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
    frame_side = 48
    dimension = 1
    streams = ("brightness",)
    versions = {"numpy": "mine"}
    settings = {"crop": "none"}

    def describe(self, frames):
        seen = []
        for frame in frames:
            seen.append(float(frame.mean()))
            frame[:] = 0
        for t in range(max((len(seen) - 16) // 16 + 1, 1)):
            yield np.array([[np.mean(seen[16 * t : 16 * t + 16])]])

class Other(Bright):
    grid = SnippetGrid(fps=10, snippet_frames=2, stride_frames=2)

class Files(Bright):
    def reader(self, path):
        raise AssertionError

class Wide(Bright):
    dimension = 2

class Short(Bright):
    def describe(self, frames):
        yield next(iter(super().describe(frames)))

class Broken(Bright):
    def describe(self, frames):
        next(iter(frames))
        raise KeyError("no weights")
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("mine.py").write_text(OWN)
    yield
    sys.modules.pop("mine", None)


@pytest.fixture
def random_i3d(monkeypatch):
    """Give I3D random weights: what is tested does not depend on their values."""
    torch.manual_seed(0)
    network = I3D(3).eval()
    monkeypatch.setattr(i3d_extractors, "load_i3d", lambda _: network)
    monkeypatch.setattr(i3d_extractors, "weights_sha256", lambda name: name)


def movie(path, n_frames=40, **how):
    """Draw a picture that moves, and encode it."""
    random = np.random.default_rng(n_frames)
    blocks = random.integers(0, 256, (30, 40, 3), np.uint8)
    picture = blocks.repeat(10, axis=0).repeat(10, axis=1)
    shown = [np.roll(picture, (i, 3 * i), axis=(0, 1)) for i in range(n_frames)]
    return write_movie(path, shown, **how)


def extracted(name, path, out):
    """Extract one video in this process; return its features."""
    Path(out, "extracted").mkdir(parents=True)
    settings = ExtractionSettings(name, precision="fp32")
    extract_video(VideoTask("v", path), make_extractor(settings), Path(out), 60.0)
    return np.load(Path(out, "v.npy"))


# -- the law: side by side is what each computes alone ---------------------------------


@pytest.mark.usefixtures("own", "random_i3d")
def test_columns_equal_those_of_each_extractor_alone(monkeypatch):
    names = ["motion", "mine:Bright", "i3d-rgb"]
    path = movie(Path("v.mp4"), n_frames=20, rotation=90)
    alone = [extracted(name, path, name) for name in names]
    opened = []
    real = frames_module.opened_video
    monkeypatch.setattr(
        frames_module, "opened_video", lambda *a: opened.append(a[0]) or real(*a)
    )
    together = extracted("+".join(names), path, "together")
    assert opened == [path]  # decoded once, for three extractors and three sizes
    assert together.shape == (1, 642 + 1 + 1024)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
    sides = {make_extractor(ExtractionSettings(name)).frame_side for name in names}
    assert len(sides) == 3


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("n_frames", "snippets"), [(5, 1), (90, 5)])
def test_videos_shorter_than_a_snippet_and_longer_than_what_may_wait(
    n_frames, snippets
):
    path = movie(Path("v.mp4"), n_frames=n_frames)
    alone = [extracted(name, path, name) for name in ("mine:Bright", "motion")]
    together = extracted("mine:Bright+motion", path, "together")
    assert len(together) == snippets
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("short_sides", [(64, 256), (240, None, 17)])
def test_frames_in_several_sizes_are_those_of_each_size(tmp_path, short_sides):
    path = movie(tmp_path / "v.mp4", n_frames=3, rotation=270)
    each = [list(FrameReader(path, short_side=side)) for side in short_sides]
    together = list(FrameReader(path).in_sizes(short_sides))
    assert len(together) == 3
    for sizes, alone in zip(together, zip(*each, strict=True), strict=True):
        for frame, expected in zip(sizes, alone, strict=True):
            np.testing.assert_array_equal(frame, expected)
    with pytest.raises(
        ValueError, match=r"short_side must be at least 1 pixel.* got 0"
    ):
        FrameReader(path).in_sizes((64, 0))


@pytest.mark.usefixtures("own", "random_i3d")
def test_the_manifest_says_which_columns_are_whose(tmp_path):
    name = "i3d-rgb+mine:Bright+motion"
    settings = ExtractionSettings(name, crop="ten", precision="fp32", stride_frames=16)
    worker = VideoWorker(lambda: make_extractor(settings), name, tmp_path, 60.0)
    manifest = worker(None).manifest
    assert manifest.columns == {"i3d-rgb": 1024, "mine:Bright": 1, "motion": 642}
    assert manifest.dimension == 1667
    assert manifest.streams == ("rgb", "brightness", "appearance", "motion")
    assert manifest.settings["crop"] == "ten"
    assert manifest.settings["mine:Bright"] == {"crop": "none"}
    assert manifest.versions["mine:Bright numpy"] == "mine"
    assert manifest.versions["numpy"] == np.__version__
    assert settings_of(dataclasses.asdict(manifest), "run", name) == settings


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "motion+",
            "'motion+' cannot stand side by side: a name beside a + is missing",
        ),
        ("motion+i3d-rgb+motion", "motion is named twice; name it once"),
        ("pose+keypoints", "both keypoints and pose describe points of individuals"),
    ],
)
def test_names_that_cannot_be_joined_are_refused(name, sentence):
    with pytest.raises(ExtractorError, match=re.escape(sentence)):
        ExtractionSettings(name)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("motion+resnet", "unknown extractor 'resnet'; give motion, i3d-rgb"),
        (
            "motion+mine:Other",
            "motion has 16 frames every 16 at 25 frames a second, mine:Other 2 frames "
            "every 2 at 10 frames a second; make them equal with --fps, --snippet-",
        ),
        ("motion+mine:Files", "mine:Files reads files itself (its method reader)"),
    ],
)
def test_extractors_that_do_not_fit_are_refused(name, sentence):
    with pytest.raises(ExtractorError, match=re.escape(sentence)):
        make_extractor(ExtractionSettings(name))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("Wide", FeatureError, "mine:Wide gave a block of shape (1, 1), it says its"),
        ("Short", FeatureError, "they gave motion 2, mine:Short 1; mend the class"),
        ("Broken", KeyError, "no weights"),
    ],
)
def test_what_one_extractor_does_wrong_is_told_and_ends_the_others(
    name, error, sentence
):
    path = movie(Path("v.mp4"))
    with pytest.raises(error, match=re.escape(sentence)):
        extracted(f"motion+mine:{name}", path, "out")
    assert not [t for t in threading.enumerate() if t.name == "acmnet-prefetch"]


@pytest.mark.usefixtures("own")
def test_each_class_that_only_a_file_names_has_to_be_trusted(monkeypatch):
    name = "motion+mine:Bright+os:abort"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd()))
    asked = dataclasses.asdict(
        FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=1, extractor=name)
    )
    Path("acmnet").mkdir()
    Path("acmnet/trusted_extractors").write_text("mine:Bright\n")
    words = f"run asks for the extractor 'os:abort'.*give --extractor {re.escape(name)}"
    with pytest.raises(ExtractorError, match=words):
        settings_of(asked, "run")
    Path("acmnet/trusted_extractors").write_text("os:abort\n")
    with pytest.raises(ExtractorError, match=r"extractor 'mine:Bright'.*add the line"):
        settings_of(asked, "run")
    with pytest.raises(ExtractorError, match=r"not of 'mine:Bright\+motion'"):
        settings_of(asked, "run", "mine:Bright+motion")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"motion": 641, "mine:B": 2}, "columns must have the sum 642, which is the"),
        ({"motion": "many"}, "motion must be a whole number from 1, got 'many'"),
        ([642], r"columns must be numbers by extractor, got \[642\]"),
    ],
)
def test_columns_of_nonsense_are_refused(tmp_path, columns, sentence):
    content = {"fps": 25, "snippet_frames": 16, "stride_frames": 16, "dimension": 642}
    text = json.dumps(content | {"columns": columns})
    (tmp_path / "features.json").write_text(text)
    with pytest.raises(FeatureError, match=f"features.json: .*{sentence}"):
        read_manifest(tmp_path)


def test_a_single_name_is_left_as_it_is():
    assert parts_of("i3d-rgb") == ("i3d-rgb",)


# -- one iteration for several readers -------------------------------------------------


@given(st.integers(0, 30), st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_every_reader_gets_every_item_whatever_the_others_do(n, wanted):
    shared = SharedItems(range(n), len(wanted), depth=3)

    def read(k):
        # one that wants fewer leaves early and must not block the others
        with contextlib.closing(shared.reader(k)) as items:
            yield from (item for _, item in zip(range(wanted[k]), items, strict=False))
        shared.leave(k)

    belts = [Belt(read(k), depth=0) for k in range(len(wanted))]
    got = [list(items) for items in [belt.started() for belt in belts]]
    for belt in belts:
        belt.stop()
    assert got == [list(range(min(n, w))) for w in wanted]


def test_a_reader_waits_for_one_that_is_slower():
    made = []
    shared = SharedItems((made.append(i) or i for i in range(50)), 2, depth=4)
    quick = Belt(shared.reader(0), depth=0)
    items, slow = quick.started(), shared.reader(1)
    for i in range(10):
        assert next(slow) == i
        time.sleep(0.002)
        assert len(made) <= i + 1 + 4
    shared.stop()
    got = list(items)
    quick.stop()
    assert len(got) >= 6  # the slow one is at most 4 ahead, too
    assert got == list(range(len(got)))


# -- the commands ----------------------------------------------------------------------


@pytest.mark.usefixtures("own")
def test_an_extraction_is_resumed_and_another_order_refused():
    out, name, turned = Path("out"), "motion+mine:Bright", "mine:Bright+motion"
    first, second = (
        VideoWorker(functools.partial(make_extractor, settings), x, out, 60.0)
        for x in (name, turned)
        for settings in [ExtractionSettings(x)]
    )
    (out / "extracted").mkdir(parents=True)
    claim_store(out, first(None).manifest)
    videos = {f"v{n}": movie(Path(f"v{n}.mp4"), n_frames=n) for n in (16, 33)}
    for video, path in videos.items():
        assert first(VideoTask(video, path.absolute())).n_snippets > 0
    before = {path.name: path.read_bytes() for path in out.glob("*.npy")}
    Path("out/v33.npy").unlink()
    settings = ExtractionSettings(name)
    summary = extract_videos(
        ExtractionRequest(videos=videos, out=out, settings=settings, workers=1)
    )
    assert (summary.done, summary.already) == (1, 1)
    assert before == {path.name: path.read_bytes() for path in out.glob("*.npy")}
    words = r"says extractor 'motion\+mine:Bright', this extraction has 'mine:Bright\+"
    with pytest.raises(ExtractionError, match=words):
        claim_store(out, second(None).manifest)


def test_fit_and_localize_take_a_sum(acmnet, tiny_scenes, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd()))
    Path("mine.py").write_text(OWN)
    Path("videos").mkdir()
    header, *rows = (tiny_scenes / "labels.csv").read_text().splitlines()
    names = list(dict.fromkeys(row.split(",")[0] for row in rows))[:4]
    for video in names:
        shutil.copy(tiny_scenes / "videos" / Path(video).with_suffix(".mp4"), "videos")
    own = [row for row in rows if row.split(",")[0] in names]
    Path("labels.csv").write_text("\n".join([header, *own]))
    name = "motion+mine:Bright"
    few = ["--profile", "corrected", "--training.epochs", 1, "--workers", 1]
    command = ["fit", "videos", "labels.csv", "--out", "run"]
    code, _, err = acmnet(*command, "--extractor", name, *few)
    assert code == 0, err
    assert extraction_of(Path("run"), name).extractor == name
    config = next(Path("run").rglob("config.json"))
    columns = json.loads(config.read_text())["training"]["manifest"]["columns"]
    assert columns == {"motion": 642, "mine:Bright": 1}
    given = ["--annotations", "labels.csv", "--features", "run/features"]
    code, out, err = acmnet("doctor", *given)
    assert code == 0, err
    assert "0 errors" in out
    video = min(Path("run/features").glob("*.npy")).stem
    localize = ["localize", f"videos/{video}.mp4", "--run", "run", "--out", "d.json"]
    words = "run asks for the extractor 'mine:Bright'", f"--extractor {name}"
    refused(acmnet(*localize), *words)
    code, _, err = acmnet(*localize, "--extractor", name, "--features", "f")
    assert code == 0, err
    known = np.load(f"run/features/{video}.npy")
    np.testing.assert_array_equal(np.load(f"f/{video}.npy"), known)
