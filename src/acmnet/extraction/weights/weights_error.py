"""The error of weights that cannot be used, and what a damaged file of them raises."""

import pickle
import tarfile
import zipfile
import zlib
from typing import Final

from safetensors import SafetensorError

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
