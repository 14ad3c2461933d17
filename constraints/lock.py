"""Write the lock files: versions of all dependencies, with SHA-256 of each archive.

``make lock`` runs this file. pip resolves what acmnet, its tests and ``make audit``
need on this machine. The hashes of these versions, for all platforms, come from the
package index. ``constraints/install.py`` makes pip install nothing else.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from constraints.install import HERE, LOCKED_PYTHONS, TORCH

RUN: Final = HERE / "locked.txt"
"""Lock file of what acmnet needs to run and to be built, without torch."""

DEV: Final = HERE / "locked-dev.txt"
"""Lock file of what tests, checks and extras need in addition."""

AUDIT: Final = HERE / "locked-audit.txt"
"""Lock file of what ``make audit`` installs into a separate environment."""

MINORS: Final = tuple(int(each.partition(".")[2]) for each in LOCKED_PYTHONS)
"""Minor versions of Python 3 for which wheels are locked, such as 11 for Python
3.11."""

BUILD: Final = ("hatchling", "editables")
"""Requirements for building acmnet: `build-system` of pyproject.toml, and what
hatchling needs for ``--editable``."""

HEAD: Final = (
    "# Written by `make lock`; do not edit. `make install` takes these archives only."
)

TORCH_PLATFORMS: Final = {
    "sys_platform == 'darwin'": r"cp3\d+-cp3\d+-macosx_\w+",
    "sys_platform == 'win32'": r"cp3\d+-cp3\d+-win_amd64",
}
"""Platforms for which the package index has CPU builds of torch: a marker for each, and
the names of its files.

For Linux the index has CUDA builds. There the lock file has only the CPU build that the
machine of ``make lock`` itself uses, from PyTorch's own index or from a disk.
"""


@dataclass(frozen=True)
class Pinned:
    """A package of a lock file."""

    version: str
    """The version, without a local part such as ``+cpu``."""

    hashes: tuple[str, ...]
    """SHA-256 of each archive that pip may install, in hexadecimal, sorted."""


def main() -> int:
    """Write all four lock files."""
    with tempfile.TemporaryDirectory() as folder:
        newest = Path(folder) / "newest.txt"
        everything = resolve([".[dev]", *BUILD], HERE / "cpu.txt")
        lines = [f"{n}=={version}" for n, (version, _) in everything.items()]
        newest.write_text("\n".join(lines))
        running = resolve([".", *BUILD], newest)
    apart = {"torch"}
    RUN.write_text(lock_text(pin(running, apart)))
    DEV.write_text(lock_text(pin(everything, apart | set(running))))
    TORCH.write_text(torch_text(*everything["torch"]))
    AUDIT.write_text(lock_text(pin(resolve(["pip-audit"], HERE / "cpu.txt"))))
    return 0


def resolve(wanted: Iterable[str], constraint: Path) -> dict[str, tuple[str, str]]:
    """Return version and archive URL of each package that pip would install.

    acmnet itself is left out. Nothing is installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
                *("--ignore-installed", "--report", str(report)),
                *("--constraint", str(constraint), *wanted),
            ],
            check=True,
            cwd=HERE.parent,
        )
        items = json.loads(report.read_text())["install"]
    found = {
        canonicalize_name(item["metadata"]["name"]): (
            item["metadata"]["version"].partition("+")[0],
            item["download_info"]["url"],
        )
        for item in items
    }
    return {name: found[name] for name in sorted(found) if name != "acmnet"}


def pin(
    resolved: Mapping[str, tuple[str, str]], apart: Iterable[str] = ()
) -> dict[str, Pinned]:
    """Return resolved packages with their hashes, without those of other files."""
    return {
        name: Pinned(version, tuple(sorted(index_hashes(name, version).values())))
        for name, (version, _) in resolved.items()
        if name not in apart
    }


def index_hashes(name: str, version: str) -> dict[str, str]:
    """Return the SHA-256 of a version's archives, by file name.

    Wheels that no version of Python in `MINORS` can use are left out.

    Raises
    ------
    SystemExit
        If the index has no hash of any archive of this version.
    """
    base = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    request = urllib.request.Request(
        f"{base}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    found = {
        file["filename"]: file["hashes"]["sha256"]
        for file in files
        if is_of_version(file["filename"], version) and "sha256" in file["hashes"]
    }
    if not found:
        raise SystemExit(f"{base} has no archive of {name} {version} with a SHA-256")
    return found


def is_of_version(filename: str, version: str) -> bool:
    """Return whether an archive has this version and fits one of `MINORS`."""
    try:
        if not filename.endswith(".whl"):
            return parse_sdist_filename(filename)[1] == Version(version)
        _, own, _, tags = parse_wheel_filename(filename)
    except (
        InvalidSdistFilename,
        InvalidWheelFilename,
    ):  # names of files of old releases can be invalid
        return False
    return own == Version(version) and any(is_taken(tag) for tag in tags)


def is_taken(tag: Tag) -> bool:
    """Return whether a Python of `MINORS` can use wheels with this tag."""
    if tag.interpreter == "py3":
        return True
    minor = re.fullmatch(r"cp3(\d+)", tag.interpreter)
    if minor is None:
        return False
    if tag.abi == "abi3":
        return int(minor[1]) <= MINORS[-1]
    return int(minor[1]) in MINORS and tag.abi == tag.interpreter


def lock_text(pinned: Mapping[str, Pinned]) -> str:
    """Return the text of a lock file."""
    lines = [HEAD]
    for name, package in pinned.items():
        lines.append(f"{name}=={package.version}{hash_lines(package.hashes)}")
    return "\n".join(lines) + "\n"


def torch_text(version: str, url: str) -> str:
    """Return the text of torch's lock file; ``url`` is the archive used here."""
    files = index_hashes("torch", version)
    lines = [HEAD]
    with urllib.request.urlopen(url, timeout=600) as archive:
        own = hashlib.sha256(archive.read()).hexdigest()
    name = unquote(url.rpartition("/")[2])
    if own not in files.values():
        local = name.split("-")[1]
        marker = (
            f"sys_platform == '{sys.platform}' "
            f"and platform_machine == '{platform.machine()}' "
            f"and python_version == '{sys.version_info[0]}.{sys.version_info[1]}'"
        )
        lines.append(f"torch=={local} ; {marker}{hash_lines([own])}")
    for marker, pattern in TORCH_PLATFORMS.items():
        hashes = sorted(files[name] for name in files if re.search(pattern, name))
        lines.append(f"torch=={version} ; {marker}{hash_lines(hashes)}")
    return "\n".join(lines) + "\n"


def hash_lines(hashes: Iterable[str]) -> str:
    """Return the lines with pip's options for hashes."""
    return "".join(f" \\\n    --hash=sha256:{each}" for each in hashes)


if __name__ == "__main__":
    sys.exit(main())
