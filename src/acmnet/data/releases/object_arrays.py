"""Read NumPy arrays out of pickles, without running what else a pickle may hold.

An ``.npy`` file of objects is a pickle, and a pickle can call any function. Here only
arrays, numbers, text and containers of them are made; a file that asks for anything
else is refused.
"""

import pickle
import warnings
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from acmnet.data.features.feature_files import FeatureError
from acmnet.files.file_access import open_regular
from acmnet.messages import one_line

MOST_VIDEOS: Final = 1_000_000
"""Most entries of an array of objects."""
FAULTS: Final = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError),
    *(AttributeError, OverflowError, RuntimeError, SystemError),
)
"""What reading a damaged pickle or header raises."""


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles containers, numbers, text and NumPy arrays, and refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of three parts of NumPy.

        Raises
        ------
        UnpicklingError
            If the pickle asks for anything else.
        """
        admitted = {
            "multiarray._reconstruct": np.empty(0).__reduce__()[0],
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
        }
        # NumPy 1 and NumPy 2 have multiarray in different modules
        for home in ("numpy.core.", "numpy._core."):
            module = module.removeprefix(home)
        if f"{module}.{name}" not in admitted:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}; only arrays are read"
            )
        return admitted[f"{module}.{name}"]


def is_object_array(path: Path) -> bool:
    """Return whether an ``.npy`` file holds an array of objects."""
    try:
        with open_regular(path, "features") as file:
            return _header(path, file)[1].hasobject
    except (FeatureError, OSError):
        return False


def read_objects(path: Path) -> list[Any]:
    """Return the entries of an ``.npy`` file of objects or of text, in their order.

    Parameters
    ----------
    path : Path
        An array with one axis. Text of Python 2 is returned as bytes.

    Raises
    ------
    FeatureError
        If the file is damaged, asks for anything but arrays, or has another shape.
    """
    try:
        with open_regular(path, "features") as file:
            shape, dtype = _header(path, file)
            if len(shape) != 1 or not 0 < shape[0] <= MOST_VIDEOS:
                raise FeatureError(
                    f"{path} must list arrays, one a video; its shape is {shape}"
                )
            if not dtype.hasobject:
                n = shape[0]
                return list(np.frombuffer(file.read(n * dtype.itemsize), dtype, n))
            entries = ArrayUnpickler(file, encoding="bytes").load()
    except FAULTS as error:
        if isinstance(error, FeatureError):
            raise
        raise _damaged(path, one_line(error)) from None
    except MemoryError:
        raise _damaged(path, "it claims more than fits into memory") from None
    if not isinstance(entries, np.ndarray) or entries.shape != shape:
        raise _damaged(path, "its entries are not those that its header tells of")
    return list(entries.tolist())


def _header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type from the header of an ``.npy`` file."""
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings(action="ignore"):  # that Python 2 wrote it
            shape, _, dtype = read(file)
    except FAULTS as error:
        raise _damaged(path, one_line(error)) from None
    return shape, dtype


def _damaged(path: Path, why: str) -> FeatureError:
    return FeatureError(f"{path} cannot be read ({why}); download it again")
