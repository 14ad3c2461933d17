"""Weights of the networks for people and hands: install them from the wheel with them.

They are files of MediaPipe 0.10.21 (Apache-2.0). Later versions of that package do not
hold them. Only these files are taken from the package, and nothing in it is run.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from acmnet.extraction.weight_files import (
    WeightsEntry,
    downloaded_package,
    installed_file,
    published_member,
    weights_directory,
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
PERSON_DETECTOR: Final = "pose_detection.tflite"
PERSON_LANDMARKS: Final = "pose_landmark_full.tflite"
PALM_DETECTOR: Final = "palm_detection_full.tflite"
HAND_LANDMARKS: Final = "hand_landmark_full.tflite"
MEMBERS: Final = {
    PERSON_DETECTOR: (
        f"mediapipe/modules/pose_detection/{PERSON_DETECTOR}",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    PERSON_LANDMARKS: (
        f"mediapipe/modules/pose_landmark/{PERSON_LANDMARKS}",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    PALM_DETECTOR: (
        f"mediapipe/modules/palm_detection/{PALM_DETECTOR}",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    HAND_LANDMARKS: (
        f"mediapipe/modules/hand_landmark/{HAND_LANDMARKS}",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}
"""Each network's file: its place in the package, and its SHA-256."""
PEOPLE: Final = (PERSON_DETECTOR, PERSON_LANDMARKS)
"""The networks for people."""
ORIGIN: Final = "BlazePose and hands, from the registry's package mediapipe 0.10.21"


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
    return _network_file(PERSON_DETECTOR), _network_file(PERSON_LANDMARKS)


def hand_network_files() -> tuple[Path, Path]:
    """Return the files of the network that finds palms, and of the one for points.

    Raises
    ------
    WeightsError
        As `pose_network_files`. Versions before 2026-11-27 installed no such files.
    """
    return _network_file(PALM_DETECTOR), _network_file(HAND_LANDMARKS)


def pose_sha256(names: Iterable[str] = PEOPLE) -> str:
    """Return one digest of some networks, by which features state what made them."""
    digests = "".join(MEMBERS[name][1] for name in names)
    return hashlib.sha256(digests.encode()).hexdigest()


def _network_file(name: str) -> Path:
    """Return an installed network's file, if it is the published one."""
    path = _folder() / name
    installed_file(POSE_WEIGHTS, path, MEMBERS[name][1])
    return path


def _folder() -> Path:
    return weights_directory() / POSE_WEIGHTS


def _installed_from(wheel: Path) -> Path:
    """Write the networks of a wheel into the folder of weights; return the folder."""
    contents = {
        name: published_member(wheel, PACKAGE, name, *MEMBERS[name]) for name in MEMBERS
    }
    return write_weights(_folder(), contents)
