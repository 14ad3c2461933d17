"""Where weights are kept, and the errors of weights that cannot be read or written."""

import contextlib
import os
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from safetensors import SafetensorError

from acmnet.files.file_access import FileError
from acmnet.messages import one_line

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
