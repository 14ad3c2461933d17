"""The feature store: what is read, what is refused, and how a refusal reads."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import (
    FeatureManifest,
    read_manifest,
    write_manifest,
)
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.segments import SnippetGrid
from support.places import SHARED

DATA = SHARED / "data"
GRID = SnippetGrid(fps=25.0, snippet_frames=16, stride_frames=16)
REQUIRED = {"fps": 25, "snippet_frames": 16, "stride_frames": 16, "dimension": 4}


def rows(n_snippets, dimension=4, dtype=np.float32):
    """Return 0, 1, 2, ... row by row: exact in fp16 too."""
    return np.arange(n_snippets * dimension, dtype=dtype).reshape(n_snippets, dimension)


def store_of(tmp_path, array, name="a"):
    """Return a store of dimension 4 with one array as NumPy itself writes it."""
    np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
    write_manifest(tmp_path, FeatureManifest(grid=GRID, dimension=4))
    return open_store(tmp_path)


def store_of_bytes(tmp_path, content, name="a.npy"):
    """Return a store of dimension 4 with one file of these bytes."""
    (tmp_path / name).write_bytes(content)
    write_manifest(tmp_path, FeatureManifest(grid=GRID, dimension=4))
    return open_store(tmp_path)


def npy_bytes(tmp_path, array):
    np.save(tmp_path / "spare.npy", array)
    content = (tmp_path / "spare.npy").read_bytes()
    (tmp_path / "spare.npy").unlink()
    return content


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        pytest.param("f2", torch.float16, id="fp16 is kept"),
        pytest.param("f4", torch.float32, id="fp32 is kept"),
        pytest.param("f8", torch.float32, id="fp64 becomes fp32"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
@pytest.mark.parametrize("n_snippets", [1, 3])
def test_read_and_map(tmp_path, stored, read, suffix, n_snippets):
    array = rows(n_snippets, dtype=stored)
    if suffix == ".npy":
        np.save(tmp_path / "a.npy", array)
    else:
        save_file({"anything": torch.from_numpy(array)}, tmp_path / "a.safetensors")
    store = open_store(tmp_path, grid=GRID)
    expected = torch.arange(4 * n_snippets).reshape(n_snippets, 4).to(read)
    for features in (store.read("a"), store.map("a")):
        assert features.dtype == read
        assert features.is_contiguous()
        assert torch.equal(features, expected)
    assert store.shape("a") == (n_snippets, 4)
    assert store.path("a") == tmp_path / f"a{suffix}"
    # fp64 is counted as the fp32 that it becomes
    assert store.total_bytes(["a", "a"]) == 2 * n_snippets * 4 * read.itemsize


def test_columns_stored_first_are_read_by_row(tmp_path):
    store = store_of(tmp_path, np.asfortranarray(rows(3)))
    for features in (store.read("a"), store.map("a")):
        assert features.is_contiguous()
        assert features[2].tolist() == [8.0, 9.0, 10.0, 11.0]


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_writing_to_a_mapped_tensor_leaves_the_file(tmp_path, suffix):
    if suffix == ".npy":
        write_features(tmp_path, "a", rows(2))
    else:
        save_file({"a": torch.from_numpy(rows(2))}, tmp_path / "a.safetensors")
    store = open_store(tmp_path, grid=GRID)
    store.map("a")[0, 0] = 99.0
    assert store.read("a")[0, 0] == 0.0


def test_safetensors_of_many_tensors_needs_the_name(tmp_path):
    other = torch.zeros(7)
    save_file(
        {"features": torch.from_numpy(rows(2)), "x": other}, tmp_path / "a.safetensors"
    )
    save_file({"y": other, "x": other + 1}, tmp_path / "b.safetensors")
    store = open_store(tmp_path, grid=GRID)
    assert store.shape("a") == (2, 4)
    with pytest.raises(
        FeatureError,
        match=r"b\.safetensors must hold one tensor, or one named 'features', got "
        r"\['x', 'y'\]; write the file again",
    ):
        store.read("b")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(
            rows(4)[:, 0],
            r"features of 'a' must have shape \(T, D\), got \(4,\) \(.*a\.npy\); write",
            id="one axis",
        ),
        pytest.param(
            np.zeros((1, 4, 4)), r"shape \(T, D\), got \(1, 4, 4\)", id="three axes"
        ),
        pytest.param(
            np.zeros((0, 4)),
            r"features of 'a' are an empty sequence, of shape \(0, 4\) \(.*\); extract",
            id="no snippet",
        ),
        pytest.param(
            np.zeros((3, 0)), r"an empty sequence, of shape \(3, 0\)", id="no column"
        ),
        pytest.param(
            rows(2, 3),
            r"features of 'a' have 3 columns, the manifest says 4 \(.*a\.npy\); were "
            r"they extracted with the same streams\?",
            id="another dimension",
        ),
        pytest.param(
            np.zeros((2, 4), np.int64),
            r"a\.npy holds int64; features are float16 or float32",
            id="whole numbers",
        ),
        pytest.param(
            np.zeros((2, 4), ">f4"), r"a\.npy holds >f4; features", id="byte order"
        ),
        pytest.param(
            np.array([[{}]], dtype=object),
            r"a\.npy holds object; features are float16 or float32 in native",
            id="pickled objects",
        ),
    ],
)
@pytest.mark.parametrize("method", ["read", "map", "shape"])
def test_arrays_refused_by_their_header(tmp_path, array, message, method):
    store = store_of(tmp_path, array)
    with pytest.raises(FeatureError, match=message):
        getattr(store, method)("a")


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_values_that_are_not_finite(tmp_path, value, said, dtype):
    array = rows(3, dtype=dtype)
    array[1, 2] = array[2, 0] = value
    store = store_of(tmp_path, array)
    with pytest.raises(
        FeatureError,
        match=rf"features of 'a' must be finite, got {said} in row 1, column 2 \(.*;",
    ):
        store.read("a")
    assert store.map("a").shape == (3, 4)  # mapped features are not looked at


def test_fp64_beyond_fp32(tmp_path):
    with pytest.raises(FeatureError, match=r"got inf in row 0, column 3"):
        store_of(tmp_path, np.array([[0.0, 1.0, 2.0, 1e39]])).read("a")


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        """Return what a careless loader would run."""
        return Path.touch, (self.path,)


def test_a_file_is_never_run(tmp_path):
    mark = tmp_path / "ran"
    store = store_of(tmp_path, np.array([[Bomb(mark)]], dtype=object))
    with pytest.raises(FeatureError, match="holds object"):
        store.read("a")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        pytest.param(0, r"a\.npy is empty; write the file again", id="0"),
        pytest.param(
            20, r"a\.npy is damaged: its header is cut off", id="cut in the header"
        ),
        pytest.param(140, r"damaged: it has 140 bytes, and", id="cut after it"),
        pytest.param(-1, r"damaged: it has 175 bytes, and", id="a byte missing"),
    ],
)
def test_cut_npy(tmp_path, keep, message):
    content = npy_bytes(tmp_path, rows(3))
    store = store_of_bytes(tmp_path, content[:keep])
    with pytest.raises(FeatureError, match=message):
        store.read("a")


def test_cut_safetensors(tmp_path):
    save_file({"a": torch.from_numpy(rows(3))}, tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    for keep in (0, 20, len(content) - 1):
        store = store_of_bytes(tmp_path, content[:keep], "a.safetensors")
        with pytest.raises(FeatureError, match=r"a\.safetensors could not be read: "):
            store.read("a")


def test_another_kind_of_file(tmp_path):
    store = store_of_bytes(tmp_path, b"PK\x03\x04 a zip")
    with pytest.raises(FeatureError, match=r"it starts with b'PK\\x03\\x04 a'; write"):
        store.read("a")


def test_a_damaged_header_is_refused_or_read(tmp_path):
    """Whatever one byte of the header becomes, nothing but `FeatureError` is raised."""
    content = npy_bytes(tmp_path, rows(3))
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[generator.integers(128)] = generator.choice(list(b"(){}',L \x00\xff9-"))
        store = store_of_bytes(tmp_path, bytes(damaged))
        try:
            store.shape("a")
        except FeatureError:
            refused += 1
    assert 0 < refused < 150  # the header's padding may change unharmed


def test_video_ids(tmp_path):
    for name in ("b", "a..b", "é 1", "-_x", "a.npy"):
        write_features(tmp_path, name, rows(1))
    (tmp_path / "._b.npy").write_bytes(b"left by macOS")
    (tmp_path / "notes.txt").touch()
    store = open_store(tmp_path, grid=GRID)
    assert store.video_ids == ("-_x", "a..b", "a.npy", "b", "é 1")
    assert all(store.shape(name) == (1, 4) for name in store.video_ids)


@pytest.mark.parametrize("video_id", ["", ".", "..", "../a", "a/b", "a\\b", "a\0"])
def test_ids_that_are_no_file_names(tmp_path, video_id):
    store = store_of(tmp_path, rows(1))
    message = r"a video id must be a file name without its suffix, got '.*'; it may"
    with pytest.raises(FeatureError, match=message):
        store.read(video_id)
    with pytest.raises(FeatureError, match=message):
        write_features(tmp_path, video_id, rows(1))
    assert sorted(os.listdir(tmp_path)) == ["a.npy", "features.json"]


def test_all_missing_videos_are_named_at_once(tmp_path):
    store = store_of(tmp_path, rows(1))
    store.require(["a", "a"])
    with pytest.raises(
        FeatureError,
        match=r"2 of 3 videos have no features in .*: 'c', 'b'; extract them, or check "
        r"the names \(it has 1 video, such as 'a'\)",
    ):
        store.require(["c", "a", "b", "c"])
    for method in (store.path, store.read, store.map, store.shape):
        with pytest.raises(FeatureError, match=r"1 of 1 video has no features"):
            method("b")


def test_many_missing_videos_are_counted(tmp_path):
    write_manifest(tmp_path, FeatureManifest(grid=GRID, dimension=4))
    store = open_store(tmp_path)
    with pytest.raises(
        FeatureError,
        match=r"23 of 23 .*: 'v0', .*, 'v19' and 3 more; .* \(it has 0 videos\)",
    ):
        store.require(f"v{i}" for i in range(23))


def test_open_with_a_manifest(tmp_path):
    manifest = FeatureManifest(
        grid=GRID,
        dimension=4,
        streams=("rgb",),
        extractor="i3d",
        versions={"torch": "2.4"},
    )
    write_manifest(tmp_path / "new", manifest)
    store = open_store(str(tmp_path / "new"), grid=SnippetGrid(25, 16, 16))
    assert store.manifest == manifest
    assert (store.grid, store.dimension, store.video_ids) == (GRID, 4, ())
    assert store.directory == tmp_path / "new"


def test_open_without_a_manifest_takes_the_first_dimension(tmp_path):
    write_features(tmp_path, "a", rows(1, 3))
    write_features(tmp_path, "b", rows(1, 5))
    store = open_store(tmp_path, grid=GRID)
    assert store.manifest is None
    assert (store.grid, store.dimension) == (GRID, 3)
    with pytest.raises(
        FeatureError, match=r"features of 'b' have 5 columns, those of others have 3 \("
    ):
        store.read("b")


def test_open_refuses_no_directory(tmp_path):
    with pytest.raises(FeatureError, match=r"gone does not exist; name the directory"):
        open_store(tmp_path / "gone", grid=GRID)
    (tmp_path / "file").touch()
    with pytest.raises(FeatureError, match=r"file is not a directory; name"):
        open_store(tmp_path / "file", grid=GRID)


def test_open_refuses_an_unknown_grid(tmp_path):
    write_features(tmp_path, "a", rows(1))
    with pytest.raises(
        FeatureError,
        match=r"has no features\.json, .*; give --fps, --snippet-frames and "
        r"--stride-frames or write features\.json",
    ):
        open_store(tmp_path)


def test_open_refuses_two_grids(tmp_path):
    write_manifest(tmp_path, FeatureManifest(grid=GRID, dimension=4))
    with pytest.raises(
        FeatureError,
        match=r"features\.json says SnippetGrid\(fps=25\.0, .*stride_frames=16\), but "
        r"SnippetGrid\(fps=30, .*stride_frames=8\) was given; leave the grid out",
    ):
        open_store(tmp_path, grid=SnippetGrid(30, 16, 8))


def test_one_odd_file_is_refused_and_not_all_others(tmp_path):
    for name, columns in (("a", 3), ("b", 4), ("c", 4)):
        np.save(tmp_path / f"{name}.npy", rows(2, columns))
    store = open_store(tmp_path, grid=GRID)
    assert store.shape("b") == (2, 4)
    with pytest.raises(FeatureError, match=r"'a' have 3 columns, those of others have"):
        store.shape("a")


@pytest.mark.parametrize("name", ["all.npz", "all.h5"])
def test_open_says_how_released_features_are_converted(tmp_path, name):
    (tmp_path / name).write_bytes(b"features")
    with pytest.raises(FeatureError, match=r"but all.*acmnet features other .* --out"):
        open_store(tmp_path, grid=GRID)
    with pytest.raises(FeatureError, match=rf"acmnet features other .*{name} --out"):
        open_store(tmp_path / name, grid=GRID)


def test_open_refuses_no_features(tmp_path):
    with pytest.raises(
        FeatureError, match=r"has no \.npy or \.safetensors file; name the directory"
    ):
        open_store(tmp_path, grid=GRID)


def test_open_refuses_two_files_of_a_video(tmp_path):
    write_features(tmp_path, "a", rows(1))
    save_file({"a": torch.from_numpy(rows(1))}, tmp_path / "a.safetensors")
    with pytest.raises(
        FeatureError, match=r"two files for video 'a': a\.npy and a\.safetensors; remov"
    ):
        open_store(tmp_path, grid=GRID)


def test_manifest_round_trip(tmp_path):
    manifest = FeatureManifest(
        grid=SnippetGrid(29.97, 16, 8),
        dimension=2048,
        streams=("rgb", "flow"),
        extractor="i3d",
        versions={"torch": "2.4"},
    )
    assert write_manifest(tmp_path, manifest) == tmp_path / "features.json"
    assert read_manifest(str(tmp_path)) == manifest
    assert os.listdir(tmp_path) == ["features.json"]  # nothing temporary is left


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({}, id="the required keys"),
        pytest.param({"snippet_frames": 16.0, "dimension": 4.0}, id="whole floats"),
        pytest.param({"made": "today"}, id="an unknown key"),
    ],
)
def test_manifest_is_accepted(tmp_path, extra):
    (tmp_path / "features.json").write_text(json.dumps({**REQUIRED, **extra}))
    assert read_manifest(tmp_path) == FeatureManifest(grid=GRID, dimension=4)


def without(key):
    return {name: value for name, value in REQUIRED.items() if name != key}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param('{"fps": ', r"is not valid JSON: Expecting value", id="malformed"),
        pytest.param(
            [25], r"must be a JSON object with fps, .*, got \[25\]", id="a list"
        ),
        pytest.param(
            without("fps"), r"fps must be a number above 0, got none; co", id="no fps"
        ),
        pytest.param(
            {**REQUIRED, "fps": "25"},
            r"fps must be .* above 0, got '25'",
            id="fps text",
        ),
        pytest.param(
            {**REQUIRED, "fps": True}, r"fps must be .*, got True", id="fps a truth"
        ),
        pytest.param(
            {**REQUIRED, "fps": 0}, r"fps must be positive .*, got 0\.0;", id="fps 0"
        ),
        pytest.param(
            {**REQUIRED, "fps": float("inf")},
            r"'fps' is Infinity, which is no finite",
            id="fps inf",
        ),
        pytest.param(
            {**REQUIRED, "fps": 10**400},
            r"'fps' is 1000.*, which is no fin",
            id="fps huge",
        ),
        pytest.param(
            without("snippet_frames"),
            r"snippet_frames must be a whole number from 1, got none;",
            id="no snippet_frames",
        ),
        pytest.param(
            {**REQUIRED, "stride_frames": 5.5},
            r"stride_frames must be a whole number from 1, got 5\.5;",
            id="half a frame",
        ),
        pytest.param(
            {**REQUIRED, "stride_frames": float("nan")},
            r"'stride_frames' is NaN, which is no finite number;",
            id="stride NaN",
        ),
        pytest.param(
            {**REQUIRED, "dimension": 0},
            r"dimension must be a whole number from 1, got 0;",
            id="dimension 0",
        ),
        pytest.param(
            {**REQUIRED, "dimension": True},
            r"dimension must be a whole number from 1, got True;",
            id="dimension a truth value",
        ),
        pytest.param(
            {**REQUIRED, "dimension": [4]},
            r"dimension must be a whole number from 1, got \[4\];",
            id="dimension a list",
        ),
        pytest.param(
            {**REQUIRED, "streams": "rgb"},
            r"streams must be a list of names, got 'rgb';",
            id="streams text",
        ),
        pytest.param(
            {**REQUIRED, "extractor": 3}, r"extractor must be text, got 3;", id="extr"
        ),
        pytest.param(
            {**REQUIRED, "versions": ["2"]},
            r"versions must be values by name, got \['2'\]; correct the file",
            id="versions a list",
        ),
    ],
)
def test_manifest_refusals(tmp_path, content, message):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "features.json").write_text(text)
    with pytest.raises(FeatureError, match=message) as caught:
        open_store(tmp_path)
    assert str(tmp_path / "features.json") in str(caught.value)


def test_missing_manifest(tmp_path):
    with pytest.raises(FeatureError, match=r"no manifest of features at .*json; ch"):
        read_manifest(tmp_path)


def test_a_manifest_of_no_dimension_cannot_be_made():
    with pytest.raises(FeatureError, match=r"dimension must be .* from 1, got 0$"):
        FeatureManifest(grid=GRID, dimension=0)


@pytest.mark.parametrize(
    ("features", "dtype"),
    [
        pytest.param(rows(2, dtype="f2"), torch.float16, id="fp16 array"),
        pytest.param(rows(2, dtype="f8"), torch.float32, id="fp64 array"),
        pytest.param(rows(4)[::-2], torch.float32, id="array read backwards"),
        pytest.param(np.broadcast_to(rows(1), (2, 4)), torch.float32, id="read-only"),
        pytest.param(torch.ones(2, 4).half(), torch.float16, id="fp16 tensor"),
        pytest.param(torch.ones(4, 2).T.requires_grad_(), torch.float32, id="a view"),
    ],
)
def test_write_then_read(tmp_path, features, dtype):
    path = write_features(tmp_path / "new", "a", features)
    assert path == tmp_path / "new" / "a.npy"
    read = open_store(tmp_path / "new", grid=GRID).read("a")
    assert read.dtype == dtype
    assert read.tolist() == features.tolist()
    assert os.listdir(tmp_path / "new") == ["a.npy"]  # nothing temporary is left


@pytest.mark.parametrize(
    ("features", "message"),
    [
        pytest.param(rows(2)[0], r"shape \(T, D\), got \(4,\)", id="one axis"),
        pytest.param(rows(0), r"an empty sequence, of shape \(0, 4\)", id="empty"),
        pytest.param(torch.zeros(2, 4).int(), r"holds torch\.int32; fea", id="int"),
        pytest.param(np.array([["a"]]), r"holds <U1; features are", id="text"),
        pytest.param(
            torch.zeros(2, 4).bfloat16(), r"holds torch\.bfloat16; fea", id="bfloat16"
        ),
        pytest.param(
            torch.tensor([[0.0, float("nan")]]),
            r"must be finite, got nan in row 0, column 1",
            id="NaN",
        ),
    ],
)
def test_write_refusals(tmp_path, features, message):
    with pytest.raises(FeatureError, match=message):
        write_features(tmp_path, "a", features)
    assert os.listdir(tmp_path) == []


def test_real_store():
    directory = DATA / "shrec22" / "training" / "features"
    if not directory.exists():
        pytest.skip(f"{directory} is not here")
    store = open_store(directory)
    assert store.grid == SnippetGrid(fps=20.0, snippet_frames=16, stride_frames=5)
    assert store.manifest is not None
    assert store.manifest.streams == ("hand skeleton",)
    assert len(store.video_ids) == 144
    shapes = [store.shape(video_id) for video_id in store.video_ids]
    assert {dimension for _, dimension in shapes} == {573}
    assert store.read("training_0001").shape == shapes[0]


def test_a_folder_of_videos_is_no_directory_of_features(tmp_path):
    (tmp_path / "a.MP4").touch()
    with pytest.raises(FeatureError, match=r"holds videos, not .*: acmnet extract /"):
        open_store(tmp_path)
