"""Shards of features: the bits of single files, also after kills and by two writers."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys

import fsspec
import numpy as np
import pytest

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_packing import pack
from acmnet.data.features.feature_shards import shard_name, shard_of
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.data.features.object_storage import Storage
from acmnet.data.features.stored_features import RECORDS
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(25, 16, 16)
SMALL = 1_000
"""Bytes of a shard, for a few videos in each."""


@pytest.fixture
def singles(tmp_path):
    """Write 13 videos, of fp16 and fp32, one of them with known cuts."""
    folder, rng = tmp_path / "singles", np.random.default_rng(0)
    for v in range(13):
        values = rng.normal(size=(rng.integers(1, 90), 6))
        kind = np.float32 if v % 5 == 2 else np.float16
        path = write_features(folder, f"vidéo {v}", values.astype(kind))
        if v == 3:
            record = {"cuts_s": [0.5, 2.0]}
            record["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            (folder / RECORDS).mkdir()
            (folder / RECORDS / f"{path.stem}.json").write_text(json.dumps(record))
    write_manifest(folder, FeatureManifest(grid=GRID, dimension=6, extractor="motion"))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("scheme", ["", "file://", "memory:/"])
def test_the_bits_are_those_of_single_files(singles, tmp_path, scheme):
    out = f"{scheme}{tmp_path}/packed"
    plain = open_store(singles)
    packed = pack(plain, out, shard_bytes=SMALL)
    assert (packed.videos, packed.there, packed.failures) == (13, 0, ())
    assert packed.shards > 3
    store = open_store(out)
    assert store.video_ids == plain.video_ids
    assert (store.grid, store.dimension) == (plain.grid, plain.dimension)
    assert store.manifest == plain.manifest
    assert store.total_bytes(store.video_ids) == plain.total_bytes(plain.video_ids)
    for video in plain.video_ids:
        values = plain.read_array(video)
        assert store.shape(video) == values.shape
        for read in (store.read_array(video), store.map(video).numpy()):
            assert read.dtype == values.dtype
            assert read.tobytes() == values.tobytes()
        assert store.cuts_s(video) == plain.cuts_s(video)
    assert store.cuts_s("vidéo 3") == (0.5, 2.0)
    assert len({store.stamp(video) for video in store.video_ids}) == 13
    again = pack(plain, out, shard_bytes=SMALL)
    assert (again.videos, again.shards, again.there) == (0, 0, 13)
    with pytest.raises(FeatureError, match=r"1 of 2 videos has no features.*'none'"):
        store.require(["vidéo 1", "none"])
    if "memory" in scheme:
        fsspec.filesystem("memory").rm(str(tmp_path), recursive=True)


def test_a_place_in_storage_is_listed_once(singles, tmp_path, monkeypatch):
    out = f"memory:/{tmp_path}/packed"
    listed, names = [], Storage.names
    monkeypatch.setattr(Storage, "names", lambda own: listed.append(1) or names(own))
    pack(open_store(singles), out)
    assert len(listed) == 2  # singles and out
    store = open_store(out)
    assert (len(listed), store.manifest is None) == (3, False)
    fsspec.filesystem("memory").rm(str(tmp_path), recursive=True)


KILLED = """
import os, pathlib, signal, sys
from acmnet.data.features.feature_packing import pack
from acmnet.data.features.feature_store import open_store
plain, out, n = sys.argv[1:]
write, left = pathlib.Path.write_bytes, [int(n)]
def write_half(path, content):
    left[0] -= 1
    if not left[0]:
        write(path, content[:200])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)
pathlib.Path.write_bytes = write_half
pack(open_store(plain), out, shard_bytes=1_000)
store = open_store(out)
print(sum(store.read_array(video).nbytes for video in store.video_ids))
"""


def packing(singles, out, killed_at=0):
    """Start a process that packs and then reads everything."""
    command = [sys.executable, "-c", KILLED, str(singles), str(out), str(killed_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_packing_goes_on_and_two_at_once_do_no_harm(singles, tmp_path):
    whole = tmp_path / "whole"
    pack(open_store(singles), whole, shard_bytes=SMALL)
    killed = packing(singles, tmp_path / "killed", killed_at=3)
    both = [packing(singles, tmp_path / "both") for _ in range(2)]
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    halves = contents(tmp_path / "killed")
    rest = [name for name in halves if name.endswith(".part")]
    assert len(rest) == 1
    assert 1 < len(halves) < len(contents(whole))
    assert set(open_store(tmp_path / "killed").files) < set(open_store(whole).files)
    pack(open_store(singles), tmp_path / "killed", shard_bytes=SMALL)
    after = contents(tmp_path / "killed")
    after.pop(rest[0])
    assert after == contents(whole)
    read = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert contents(tmp_path / "both") == contents(whole)
    assert read[0] == read[1] != "0\n"


def test_new_videos_are_added(singles, tmp_path):
    few = tmp_path / "few"
    shutil.copytree(singles, few)
    for path in list(few.glob("*1*.npy")):
        path.unlink()
    pack(open_store(few), tmp_path / "out")
    assert pack(open_store(singles), tmp_path / "out").videos == 4
    store, plain = open_store(tmp_path / "out"), open_store(singles)
    assert store.video_ids == plain.video_ids
    for video in plain.video_ids:
        values = plain.read_array(video)
        assert store.read_array(video).tobytes() == values.tobytes()


def test_what_cannot_be_read_is_left_out(singles, tmp_path):
    (singles / "vidéo 4.npy").write_bytes(b"no features")
    packed = pack(open_store(singles), tmp_path / "out")
    assert packed.videos == 12
    assert "vidéo 4.npy is no .npy file" in packed.failures[0]
    assert "vidéo 4" not in open_store(tmp_path / "out").files


def damaged_digest(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def another_shard(path):
    content = shard_of({"vidéo 0": np.ones((2, 6), np.float16)}, {})
    (path.parent / shard_name(content)).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damaged_digest, "SHA-256 of video 'vidéo 9' is another one; remove the shard"),
        (lambda path: path.write_bytes(b"\xff" * 20), "its header is cut off"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "takes .* bytes, and"),
        (another_shard, "have different features of video 'vidéo 0'"),
        (
            lambda path: write_features(path.parent, "x", np.ones((1, 6), np.float16)),
            "has shards and files of single videos, such as x.npy",
        ),
    ],
)
def test_damaged_shards_are_told(singles, tmp_path, damage, says):
    out = tmp_path / "out"
    pack(open_store(singles), out)
    damage(next(out.glob("shard-*")))
    with pytest.raises(FeatureError, match=says):
        _ = [open_store(out).read_array(video) for video in open_store(out).files]


def test_other_places_are_told(singles, tmp_path):
    pack(open_store(singles), tmp_path / "out")
    write_manifest(singles, FeatureManifest(grid=GRID, dimension=6, extractor="i3d"))
    with pytest.raises(FeatureError, match=r"of another kind.*name another place"):
        pack(open_store(singles), tmp_path / "out")
    with pytest.raises(FeatureError, match=r"memory://nowhere has no features; name"):
        open_store("memory://nowhere")
    with pytest.raises(FeatureError, match=r"nosuch://x.*Protocol not known: nosuch"):
        open_store("nosuch://x")


def test_a_run_trains_and_finds_the_same_from_object_storage(
    acmnet, tiny_world, tmp_path
):
    labels, features = map(str, tiny_world)
    address = f"memory:/{tmp_path}/packed"
    assert acmnet("pack", features, address)[0] == 0
    found = []
    for name, place in (("plain", features), ("packed", address)):
        data = ("--annotations", labels, "--features", place)
        run = tmp_path / name
        options = ("--profile", "corrected", "--training.epochs", "2")
        code, out, err = acmnet("train", *data, *options, "--out", str(run))
        assert code == 0, err
        assert f" --features {place} --out " in out
        code, _, err = acmnet(
            *("localize", "--run", str(run), *data),
            *("--out", str(tmp_path / f"{name}.json")),
        )
        assert code == 0, err
        found.append(json.loads((tmp_path / f"{name}.json").read_text())["results"])
        assert acmnet("check", *data)[0] == 0
        assert acmnet("doctor", *data)[0] in (0, 1)
    assert found[0] == found[1]
    assert any(found[0].values())
