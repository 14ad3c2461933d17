"""Files of features: what a header may claim, and content that changed since."""

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from acmnet.data.features import feature_files
from acmnet.data.features.feature_files import (
    FeatureError,
    map_values,
    read_header,
    read_values,
    refuse_infinite,
)
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store
from acmnet.files.file_access import write_json
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(fps=25.0, snippet_frames=16, stride_frames=16)
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)
STORED = VALUES.tobytes()


def npy(header, values=STORED, version=(1, 0)):
    """Return the bytes of an .npy file with a header as it is given."""
    text = (header if isinstance(header, str) else repr(header)).encode("latin-1")
    text += b" " * (-len(text) % 64)
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + values


def header(**changed):
    return {"descr": "<f4", "fortran_order": False, "shape": (3, 4)} | changed


DAMAGED = {
    "negative": (npy(header(shape=(-3, -4))), r"says the shape \(-3, -4\)"),
    "2^63": (npy(header(shape=(2**63, 4))), r"says the shape \(9223372036854775808, 4"),
    "2^62": (npy(header(shape=(2**62, 4))), r"it has \d+ bytes, and \(4611.*\) of flo"),
    "truth": (npy(header(shape=(True, 12))), r"says the shape \(True, 12\)"),
    "a list": (npy(header(shape=[3, 4])), r"says the shape \[3, 4\]"),
    "a float": (npy(header(shape=(3.0, 4))), r"says the shape \(3.0, 4\)"),
    "digits": (npy(repr(header()).replace("3", "9" * 2000)), "its header says the s"),
    "commas": (npy(repr(header()).replace("3", "9, " * 999)), "its header is no"),
    "no shape": (npy({"descr": "<f4"}), "its header is no .npy header"),
    "a set": (npy("{1, 2}"), "its header is no .npy header"),
    "code": (npy("__import__('os').abort()"), "its header is no .npy header"),
    "brackets": (npy("(" * 5000), "its header is (no .npy header|nested too deep)"),
    "minus": (npy("-" * 9000 + "1"), "its header is (no .npy header|nested too deep)"),
    "no order": (npy(header(fortran_order=0)), "its header says the shape"),
    "objects": (npy(header(descr="|O")), "holds object; features are float16"),
    "no dtype": (npy(header(descr="zz9")), "holds 'zz9'; features are float16"),
    "wide dtype": (npy(header(descr="U" + "9" * 99)), "holds 'U999.*; features are"),
    "records": (npy(header(descr=[("a", "<f4")])), "holds object; features are"),
    "version": (npy(header(), version=(9, 1)), r"version \(9, 1\) of .npy is not kno"),
    "version 0": (npy(header(), version=(0, 0)), r"version \(0, 0\) of .npy is not k"),
    "long header": (
        npy(" " * 10_001, version=(2, 0)),
        "its header claims 10,048 bytes",
    ),
    "endless header": (
        b"\x93NUMPY\2\0" + b"\xff" * 99,
        "its header claims 4,294,967,295 bytes",
    ),
    "trailing byte": (npy(header()) + b"\0", r"it has \d+ bytes, and \(3, 4\) of f"),
    "trailing file": (npy(header()) * 2, r"it has \d+ bytes, and \(3, 4\) of f"),
    "missing byte": (npy(header())[:-1], r"it has \d+ bytes, and \(3, 4\) of f"),
    "only magic": (b"\x93NUMPY", r"version \(\) of .npy is not known"),
    "latin": (npy("\xff" * 20, version=(3, 0)), "its header is no"),
}


@pytest.mark.parametrize("read", [read_header, read_values, map_values])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_header_that_cannot_be_meant(tmp_path, name, read):
    """Negative, boolean and endless shapes were tracebacks; trailing bytes passed."""
    content, says = DAMAGED[name]
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(FeatureError, match=says) as refusal:
        read(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("read", [read_header, read_values, map_values])
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkfifo, "is a pipe, not a file"),
        (os.mkdir, "is a directory; name"),
        (lambda path: os.symlink("/dev/zero", path), "is a socket or device"),
    ],
)
def test_what_is_no_file_is_not_waited_for(tmp_path, suffix, make, says, read):
    path = tmp_path / f"a{suffix}"
    make(path)
    with pytest.raises(FeatureError, match=says):
        read(path)


@pytest.mark.parametrize("read", [read_header, read_values])
@pytest.mark.parametrize(
    "start", [b"\xff" * 8, struct.pack("<Q", 2**40), struct.pack("<Q", 99) + b"{" * 99]
)
def test_a_safetensors_header_that_cannot_be_meant(tmp_path, start, read):
    path = tmp_path / "a.safetensors"
    path.write_bytes(start + b"[" * 100)
    with pytest.raises(FeatureError, match=r"a\.safetensors could not be read: "):
        read(path)


def test_a_sparse_file_beyond_memory_is_refused(tmp_path):
    rows = 2**58
    path = tmp_path / "a.npy"
    start = npy(header(shape=(rows, 4)), b"")
    path.write_bytes(start)
    try:
        os.truncate(path, len(start) + rows * 16)
    except OSError:
        rows = 2**38  # file systems have a largest file: 4 TiB fits into all
        start = npy(header(shape=(rows, 4)), b"")
        path.write_bytes(start)
        os.truncate(path, len(start) + rows * 16)
    with pytest.raises(FeatureError, match="does not fit into memory; leave the vid"):
        read_values(path)


@pytest.mark.parametrize(
    "spelt",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }",
        '{"shape": (3, 4), "fortran_order": False, "descr": "float32"}',
    ],
)
def test_headers_of_other_writers_are_read(tmp_path, spelt):
    path = tmp_path / "a.npy"
    path.write_bytes(npy(spelt))
    assert read_header(path).shape == (3, 4)
    assert read_values(path)[0].tolist() == VALUES.tolist()


def outcome(read):
    """Return what is read; None where it is refused, in one sentence."""
    try:
        return read()
    except FeatureError as refusal:
        return None if "\n" not in str(refusal) else str(refusal)


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_whatever_is_changed_is_read_or_refused_in_a_sentence(tmp_path_factory, data):
    """Both ways to read agree, and nothing but `FeatureError` is raised."""
    folder = tmp_path_factory.getbasetemp()
    suffix = data.draw(st.sampled_from([".npy", ".safetensors"]))
    path = folder / f"fuzzed{suffix}"
    if suffix == ".npy":
        np.save(path, VALUES)
    else:
        save_file({"a": torch.from_numpy(VALUES)}, path)
    content = bytearray(path.read_bytes())
    end = len(content) - VALUES.nbytes
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, end - 1))
        new = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"-", b"9" * 30, b"(("])
        )
        content[place : place + data.draw(st.integers(0, 2))] = new
    path.write_bytes(content)
    from_header = outcome(lambda: read_header(path).shape)
    assert from_header == outcome(lambda: tuple(read_values(path)[0].shape))
    assert not isinstance(from_header, str)


def extracted(folder):
    """Return a store of one video, with the record that an extraction leaves."""
    np.save(folder / "a.npy", VALUES)
    write_manifest(folder, FeatureManifest(grid=GRID, dimension=4, extractor="mine"))
    digest = hashlib.sha256((folder / "a.npy").read_bytes()).hexdigest()
    write_json(folder / "extracted" / "a.json", {"video": "a", "sha256": digest})
    return open_store(folder)


def test_flipped_bits_of_extracted_features_are_refused(tmp_path):
    """22 of 40 flips gave other detections without a word."""
    store = extracted(tmp_path)
    path = tmp_path / "a.npy"
    content = path.read_bytes()
    assert torch.equal(store.read("a"), torch.from_numpy(VALUES))
    rng = np.random.default_rng(0)
    for place in rng.choice(8 * VALUES.nbytes, 40, replace=False).tolist():
        damaged = bytearray(content)
        damaged[128 + place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(
            FeatureError,
            match=r"a\.npy is not as it was extracted: .*extracted/a\.json; extract "
            "the video again, or remove that record if you",
        ):
            store.read("a")
    path.write_bytes(content)
    store.read("a")


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("{", "is not valid JSON"),
        ("{}", "is not as it was extracted"),
        ('{"sha256": 3}', "is not as it was extracted"),
        ("[1]", "is not as it was extracted"),
    ],
)
def test_a_damaged_record_is_no_leave_to_read(tmp_path, record, says):
    store = extracted(tmp_path)
    (tmp_path / "extracted" / "a.json").write_text(record)
    with pytest.raises(FeatureError, match=says):
        store.read("a")


def test_features_without_a_record_are_compared_with_nothing(tmp_path):
    store = extracted(tmp_path)
    (tmp_path / "extracted" / "a.json").unlink()
    np.save(tmp_path / "a.npy", VALUES + 1)
    assert store.read("a")[0, 0] == 1.0


def test_a_changed_manifest_is_refused(tmp_path):
    """A flipped bit in fps would move every detection in time."""
    extracted(tmp_path)
    path = tmp_path / "features.json"
    text = path.read_text()
    path.write_text(text.replace("25.0", "24.0"))
    with pytest.raises(
        FeatureError, match=r"features\.json is not as it was written.*"
    ):
        open_store(tmp_path)
    values = json.loads(text)
    del values["sha256"]
    path.write_text(json.dumps(values | {"fps": 24}))
    assert open_store(tmp_path).grid.fps == 24


def test_localize_keeps_what_good_videos_gave(acmnet, tiny_world, tiny_run, tmp_path):
    """A negative shape ended in a traceback, and a pipe never ended."""
    shutil.copytree(tiny_world[1], tmp_path / "features")
    files = sorted((tmp_path / "features").glob("*.npy"))
    for path, damage in zip(
        files, ("negative", "truth", "2^63", "trailing byte", "pipe"), strict=False
    ):
        path.unlink()
        if damage == "pipe":
            os.mkfifo(path)
        else:
            path.write_bytes(DAMAGED[damage][0])
    code, _, err = acmnet(
        *("localize", "--run", tiny_run, "--annotations", tiny_world[0]),
        *("--features", tmp_path / "features", "--out", "found.json"),
    )
    assert code == 3, err
    found = json.loads((tmp_path / "found.json").read_text())["results"]
    assert sorted(found) == [path.stem for path in files[5:]]
    assert all(path.name in err for path in files[:5])


SPECIAL = [0.0, -0.0, 1.5, -3.0, 6e-8, 65504.0, -65504.0, np.nan, np.inf, -np.inf]


@given(
    st.sampled_from([np.float16, np.float32]),
    st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(
                st.one_of(st.sampled_from(SPECIAL[:7]), st.sampled_from(SPECIAL)),
                min_size=columns,
                max_size=columns,
            ),
            min_size=1,
            max_size=9,
        )
    ),
    st.sampled_from([1, 3, 5, 2**17]),
)
def test_the_first_number_that_is_not_finite_is_found_in_any_part(kind, rows, at_once):
    features = np.array(rows, kind)
    bad = np.argwhere(~np.isfinite(features)).tolist()
    with mock.patch.object(feature_files, "_LOOKED_AT", at_once):
        if not bad:
            refuse_infinite(Path("a.npy"), features)
            return
        with pytest.raises(FeatureError, match="in row {}, column {} ".format(*bad[0])):
            refuse_infinite(Path("a.npy"), features)
