"""Features of public releases: every layout is read, and nothing in a file is run."""

import json
import pickle

import h5py
import numpy as np
import pytest

from acmnet.data.features.feature_store import open_store
from acmnet.data.releases.collected_features import collect
from acmnet.data.releases.object_arrays import read_objects
from acmnet.data.releases.release_files import by_video, parts_in_files, read_video
from acmnet.data.releases.release_table import RELEASES, release_named
from acmnet.segments import SnippetGrid
from support.commands import refused

ROWS = {"a": 5, "b": 7}


def made(rows, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


FEATURES = {video: made(n, 2048, n) for video, n in ROWS.items()}


def per_video(folder):
    (folder / "train").mkdir()
    (folder / "test").mkdir()
    np.save(folder / "train" / "a.npy", FEATURES["a"])
    np.save(folder / "test" / "b.npy", FEATURES["b"])


def stream_folders(folder):
    for place, columns in (("rgb", slice(1024)), ("flow", slice(1024, None))):
        for video, x in FEATURES.items():
            (folder / "train" / place).mkdir(parents=True, exist_ok=True)
            np.save(folder / "train" / place / f"{video}.npy", x[:, columns])


def stream_suffixes(folder):
    """Lay out as CMCS: an archive for each stream and video, of ten crops."""
    offsets = np.linspace(-1, 1, 10)[:, None, None].astype(np.float32)
    for video, x in FEATURES.items():
        for stream, columns in (("rgb", slice(1024)), ("flow", slice(1024, None))):
            np.savez(
                folder / f"{video}-{stream}.npz",
                feature=x[None, :, columns] + offsets,
                frame_cnt=99,
                video_name=video,
            )


def joint(folder):
    entries = np.empty(2, object)
    entries[:] = [FEATURES["b"], FEATURES["a"]]
    np.save(folder / "T-I3D-JOINTFeatures.npy", entries, allow_pickle=True)
    (folder / "T-Annotations").mkdir()
    np.save(folder / "T-Annotations" / "videoname.npy", np.array([b"b", b"a"]))
    np.save(folder / "T-Annotations" / "segments.npy", np.zeros((3, 2)))


def hdf5(folder):
    with h5py.File(folder / "x.h5", "w") as file:
        file["a"] = FEATURES["a"]
        file["b/c3d_features"] = FEATURES["b"]


def one_npz(folder):
    np.savez(folder / "x.npz", **FEATURES)


@pytest.mark.parametrize(
    "layout", [per_video, stream_folders, stream_suffixes, joint, hdf5, one_npz]
)
def test_every_layout_gives_the_same_features(layout, tmp_path):
    layout(tmp_path)
    videos = by_video(parts_in_files(tmp_path))
    assert list(videos) == ["a", "b"]
    for video, streams in videos.items():
        assert np.allclose(read_video(streams), FEATURES[video], atol=1e-6)


def test_object_arrays_of_python_2_are_read(tmp_path):
    """NumPy of Python 2 wrote an L after numbers of the header."""
    entries = np.empty(1, object)
    entries[0] = made(3, 4)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1L,), }"
    header += b" " * (117 - len(header)) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "x.npy").write_bytes(start + pickle.dumps(entries, 3))
    (found,) = read_objects(tmp_path / "x.npy")
    assert (found == entries[0]).all()


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("where", ["features", "names"])
def test_no_code_in_a_pickle_is_run(where, tmp_path, acmnet):
    joint(tmp_path)
    names = {
        "features": tmp_path / "T-I3D-JOINTFeatures.npy",
        "names": tmp_path / "T-Annotations" / "videoname.npy",
    }
    evil = np.empty(2, object)
    evil[:] = [Evil(tmp_path / "written"), b"a"]
    np.save(names[where], evil, allow_pickle=True)
    result = acmnet("features", "w-talc", tmp_path, "--out", tmp_path / "f")
    refused(result, f"{names[where]} cannot be read (it asks for", "only arrays are")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "cannot be read"),
        (lambda content: content[:130] + b"\0\xff" * 40, "cannot be read"),
        (lambda content: content[:90] + b"\0\xff" * 40, "JOINTFeatures.npy is damaged"),
        (lambda content: content[:6], "JOINTFeatures.npy"),
        (lambda _: b"", "JOINTFeatures.npy"),
    ],
    ids=["truncated", "overwritten", "wrong-header", "no-header", "empty"],
)
def test_damaged_arrays_are_refused(damage, words, tmp_path, acmnet):
    joint(tmp_path)
    path = tmp_path / "T-I3D-JOINTFeatures.npy"
    path.write_bytes(damage(path.read_bytes()))
    refused(acmnet("features", "w-talc", tmp_path, "--out", tmp_path / "f"), words)
    assert not (tmp_path / "f" / "features.json").exists()


def labels(folder, durations):
    database = {
        video: {"subset": "x", "duration": duration, "annotations": [{"label": "jump"}]}
        for video, duration in durations.items()
    }
    path = folder / "labels.json"
    path.write_text(json.dumps({"database": database}))
    return path


def test_the_verb_writes_features_with_the_grid_of_the_release(acmnet, tmp_path):
    source = tmp_path / "r"
    source.mkdir()
    stream_folders(source)
    file = labels(tmp_path, {"a": 5 * 0.64, "b": 7 * 0.64})
    out = tmp_path / "f"
    command = ("features", "i3d", source, "--out", out, "--annotations", file)
    code, said, err = acmnet(*command)
    assert (code, said) == (0, f"2 videos with 2048 columns: {out}\n"), err
    assert "rows" not in err
    store = open_store(out)
    assert (store.grid, store.dimension) == (SnippetGrid(25.0, 16, 16), 2048)
    assert store.manifest.streams == ("rgb", "flow")
    assert (store.read_array("b") == FEATURES["b"]).all()


def test_videos_are_named_as_in_the_labels_and_their_rows_compared(acmnet, tmp_path):
    with h5py.File(tmp_path / "tsp.h5", "w") as file:
        for video, rows in (("v_x", 100), ("v_y", 60), ("v_z", 100)):
            file[video] = made(rows, 512)
    seconds = 100 * 16 / 15
    file = labels(tmp_path, dict.fromkeys("xyz", seconds))
    command = ("features", "tsp", tmp_path / "tsp.h5", "--annotations", file)
    code, _, err = acmnet(*command, "--out", tmp_path / "f")
    assert code == 0
    words = "1 of 3 videos has another number of rows: 'y' has 60 rows, and its 106.667"
    assert words in err
    assert open_store(tmp_path / "f").video_ids == ("x", "y", "z")
    file = labels(tmp_path, dict.fromkeys("xyz", 2 * seconds))
    wrong = acmnet(*command, "--out", tmp_path / "g")
    refused(
        wrong, "3 of 3 videos have other numbers of rows", "0.50 times", "--fps 7.5"
    )


def test_what_does_not_fit_the_release_is_named(acmnet, tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    np.save(folder / "a.npy", made(3, 2048))
    np.save(folder / "b.npy", made(3, 1024))
    np.save(folder / "c.npy", np.zeros((3, 2048), int))
    np.save(folder / "d.npy", made(3, 2048)[:, :, None, None])
    np.save(folder / "e-rgb.npy", made(3, 1024))
    np.save(folder / "f-rgb.npy", made(3, 1024))
    np.save(folder / "f-flow.npy", made(4, 1024))
    (folder / "g.npy").write_bytes(b"no array")
    out = tmp_path / "f"
    code, said, err = acmnet("features", "i3d", folder, "--out", out)
    assert (code, "1 video with 2048 columns" in said) == (3, True)
    for words in (
        "'b' has 1024 columns, the release 'i3d' has 2048",
        "c.npy holds int64, and features are floating-point",
        "d.npy has the shape (3, 2048, 1, 1); features are one row",
        "e-rgb.npy: flow of this video is missing beside it",
        "f-rgb.npy has 3 rows and",
        "g.npy is no .npy file",
    ):
        assert words in err
    for words, *command in (
        ("there is no release 'i4d'; known are i3d, w-talc,", "i4d", folder),
        ("'other' need their grid: --fps", "other", folder),
        ("there is no file or folder", "i3d", tmp_path / "no"),
        ("states its grid", "i3d", folder, "--fps", 2, "--snippet-frames", 1),
    ):
        if len(command) > 2:
            command += ["--stride-frames", 1]
        refused(acmnet("features", *command, "--out", out), words)


def test_other_features_and_another_frame_rate(acmnet, tmp_path):
    np.savez(tmp_path / "x.npz", a=made(4, 3), b=made(5, 3))
    grid = ("--fps", 10, "--snippet-frames", 8, "--stride-frames", 4)
    out = tmp_path / "f"
    code, _, err = acmnet("features", "other", tmp_path / "x.npz", "--out", out, *grid)
    assert (code, open_store(out).grid) == (0, SnippetGrid(10.0, 8, 4)), err
    np.save(tmp_path / "v.npy", made(9, 2048))
    file = (tmp_path / "v.npy", "--out", tmp_path / "g", "--fps", 29.97)
    assert acmnet("features", "i3d-stride4", *file)[0] == 0
    assert open_store(tmp_path / "g").grid == SnippetGrid(29.97, 16, 4)


def test_a_video_that_is_there_twice_and_links_to_other_files(acmnet, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / "r" / folder).mkdir(parents=True)
        np.save(tmp_path / "r" / folder / "a.npy", made(3, 2048))
    twice = acmnet("features", "i3d", tmp_path / "r", "--out", tmp_path / "f")
    refused(twice, "video 'a' is there twice")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/a")
    linked = acmnet("features", "tsp", tmp_path / "x.h5", "--out", tmp_path / "f")
    refused(linked, "a lies in another file")


def test_the_docs_list_every_release_with_its_grid():
    from support.places import ROOT

    text = (ROOT / "docs" / "own-features.md").read_text()
    for one in RELEASES:
        assert f"| `{one.name}` |" in text
        if one.grid:
            grid = f"{one.grid.fps:g} / {one.grid.snippet_frames} / "
            assert f"{grid}{one.grid.stride_frames}" in text


def test_progress_also_counts_a_video_that_is_left_out(tmp_path):
    source, seen = tmp_path / "source", []
    source.mkdir()
    np.save(source / "a.npy", FEATURES["a"])
    (source / "b.npy").write_bytes(b"damaged")
    done = collect(
        source,
        release_named("i3d", None, None),
        tmp_path / "out",
        on_video=lambda *counts: seen.append(counts),
    )
    assert (done.videos, len(done.left_out)) == (1, 1)
    assert seen == [(1, 2), (2, 2)]
