"""Read the features of one video from a ``.npy`` or ``.safetensors`` file, untrusted.

Only regular files are opened, the header of a file is compared with its size, and no
code in a file is ever run.
"""

import ast
import dataclasses
import re
import reprlib
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize, safe_open

from acmnet.files.file_access import FileError, open_regular
from acmnet.messages import one_line

SUFFIXES: Final = (".npy", ".safetensors")
STORED_DTYPES: Final = (
    np.dtype(np.float16),
    np.dtype(np.float32),
    np.dtype(np.float64),
)
Values = npt.NDArray[np.floating]
"""The features of one video, of one of `STORED_DTYPES`."""
MAGIC: Final = b"\x93NUMPY"
LONGEST_HEADER: Final = 10_000
"""Bytes of an ``.npy`` header, at most, as in NumPy itself. Usual ones have 118."""
START: Final = len(MAGIC) + 2 + 4 + LONGEST_HEADER
"""Bytes from the start of a file within which an ``.npy`` header ends."""

_NAMED: Final = {f"F{8 * dtype.itemsize}": dtype for dtype in STORED_DTYPES}
"""The types that can be stored, by their names in ``.safetensors`` files."""
_EXPONENTS: Final = {
    2: (np.uint16(0x7C00), np.uint16),
    4: (np.uint32(0x7F800000), np.uint32),
}
"""By bytes of a number: the bits that NaN and infinity have set, and their type."""
_LOOKED_AT: Final = 2**17
"""How many numbers are checked for NaN at a time, so that they fit a processor's
cache."""
_USUAL_HEADER: Final = re.compile(
    r"\{'descr': '([<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,19}L?, ?)*(?:\d{1,19}L?)?)\),? ?\}\s*",
    re.ASCII,
)
"""Header of an ``.npy`` file as NumPy writes it. Python 2 wrote an L after each
number."""


class FeatureError(ValueError):
    """Features that cannot be used; the message names the file."""


@dataclasses.dataclass(frozen=True)
class Header:
    """The header of a file of features, checked against the file's size."""

    shape: tuple[int, int]
    """``(T, D)``, both at least 1."""
    dtype: np.dtype
    """Type of the stored values, one of `STORED_DTYPES`."""
    offset: int = 0
    """Bytes before the values; of an ``.npy`` file only."""
    by_column: bool = False
    """Whether the values are stored column by column; of an ``.npy`` file only."""

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that the features take once read; fp64 becomes fp32."""
        return self.shape[0] * self.shape[1] * min(self.dtype.itemsize, 4)


def read_header(path: Path) -> Header:
    """Return the header of a file of features, without reading the values.

    Raises
    ------
    FeatureError
        If the file is not a regular file, its size contradicts its header, or it holds
        something else than floating-point numbers of shape ``(T, D)``.
    """
    try:
        with open_regular(path, "features") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if path.suffix == ".npy":
                return _npy_header(path, file.read(START), size)
        return _safetensors_header(path)
    except (OSError, SafetensorError) as fault:
        raise unreadable(path, fault) from None


def read_values(path: Path) -> tuple[Values, bytearray]:
    """Return a file's values in their stored type, and all bytes of the file.

    The two share memory if the file is an ``.npy`` file.

    Returns
    -------
    array of shape (T, D)
        The values, of one of `STORED_DTYPES`. They may be NaN or infinite.
    bytearray
        The whole file.

    Raises
    ------
    FeatureError
        If `read_header` refuses the file, or the file does not fit into memory.
    """
    try:
        with open_regular(path, "features") as file:
            size = file.seek(0, 2)
            file.seek(0)
            content = bytearray(size)
            if file.readinto(content) != size:
                raise FeatureError(f"{path} became shorter while it was read; again")
        if path.suffix == ".npy":
            header = _npy_header(path, bytes(content[:START]), size)
            return _from_npy(header, content), content
        return _from_safetensors(path, content), content
    except MemoryError:
        raise FeatureError(
            f"{path} does not fit into memory; leave the video out, or cut it into "
            "shorter ones"
        ) from None
    except (OSError, SafetensorError) as fault:
        raise unreadable(path, fault) from None


def map_values(path: Path) -> Values:
    """Return a file's values in their stored type, mapped into memory.

    They are loaded when they are used. Writing to the array does not change the file.
    Errors are those of `read_header`.
    """
    header = read_header(path)
    try:
        if path.suffix != ".npy":
            with safe_open(path, framework="pt") as file:
                # torch's tensor lies in the mapped file, NumPy's would be a copy
                tensor = file.get_tensor(_only_name(path, list(file.keys())))
                mapped: Values = tensor.numpy()
                return mapped
        # mode "c" (copy on write): writing changes memory only, never the file
        return np.memmap(
            path,
            header.dtype,
            "c",
            header.offset,
            header.shape,
            "F" if header.by_column else "C",
        )
    except (OSError, SafetensorError, ValueError) as fault:
        raise unreadable(path, fault) from None


def unreadable(path: Path, fault: Exception) -> FeatureError:
    """Return the error of a file that is damaged or cannot be read from the disk."""
    if isinstance(fault, FileError):
        return FeatureError(str(fault))
    why = fault.strerror if isinstance(fault, OSError) else one_line(fault)
    return FeatureError(f"{path} could not be read: {why}; write the file again")


def checked_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return a shape; refuse it unless it is (T, D) with T and D at least 1."""
    if len(shape) != 2:
        raise FeatureError(
            f"features of {path.stem!r} must have shape (T, D), got "
            f"{reprlib.repr(shape)} ({path}); write one row a snippet"
        )
    if 0 in shape:
        raise FeatureError(
            f"features of {path.stem!r} are an empty sequence, of shape {shape} "
            f"({path}); extract them again or leave the video out"
        )
    return shape[0], shape[1]


def wrong_dtype(path: Path, dtype: object) -> FeatureError:
    """Return the error of values that are not floating-point numbers."""
    return FeatureError(
        f"{path} holds {dtype}; features are float16 or float32 in native byte order: "
        "write the file again"
    )


def _checked(
    path: Path, shape: tuple[int, ...], named: object, dtype: np.dtype | None
) -> Header:
    """Return a header; refuse it unless it describes features."""
    if dtype is None or dtype not in STORED_DTYPES:
        raise wrong_dtype(path, named)
    return Header(checked_shape(path, shape), dtype)


def _npy_header(path: Path, start: bytes, size: int) -> Header:
    """Return the header of an ``.npy`` file from its first bytes and its size."""
    if not start:
        raise FeatureError(f"{path} is empty; write the file again")
    if not start.startswith(MAGIC):
        raise FeatureError(
            f"{path} is no .npy file: it starts with {start[: len(MAGIC)]!r}; write "
            "the file again"
        )
    version, width = tuple(start[6:8]), 4 if start[6:7] > b"\1" else 2
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise _damaged(path, f"its version {version} of .npy is not known")
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > LONGEST_HEADER:
        raise _damaged(path, f"its header claims {length:,} bytes")
    offset = 8 + width + length
    if len(start) < offset:
        raise _damaged(path, "its header is cut off")
    text = start[8 + width : offset].decode("utf-8", "replace")
    dtype, by_column, shape = _parsed(path, text)
    header = _checked(path, shape, dtype, dtype)
    expected = offset + shape[0] * shape[1] * dtype.itemsize
    if size != expected:
        raise _damaged(
            path, f"it has {size} bytes, and {shape} of {dtype} take {expected}"
        )
    return dataclasses.replace(header, offset=offset, by_column=by_column)


def _parsed(path: Path, text: str) -> tuple[np.dtype, bool, tuple[int, ...]]:
    """Return type, whether by column, and shape from the header of an ``.npy`` file."""
    usual = _USUAL_HEADER.fullmatch(text)
    if usual:
        descr: object = usual[1]
        by_column: object = usual[2] == "True"
        shape: object = tuple(int(x) for x in re.findall(r"\d+", usual[3]))
    else:
        try:
            with warnings.catch_warnings(action="ignore"):
                values = ast.literal_eval(text)
            descr, by_column, shape = (
                values[key] for key in ("descr", "fortran_order", "shape")
            )
        except (ValueError, SyntaxError, TypeError, LookupError, MemoryError):
            raise _damaged(path, "its header is no .npy header") from None
        except RecursionError:
            raise _damaged(path, "its header is nested too deep") from None
    if (
        not isinstance(shape, tuple)
        or not all(type(x) is int and 0 <= x < 2**63 for x in shape)
        or type(by_column) is not bool
    ):
        raise _damaged(path, f"its header says the shape {reprlib.repr(shape)}")
    try:
        dtype = np.dtype(descr if isinstance(descr, str) else "O")
    except (TypeError, ValueError, SyntaxError):
        raise wrong_dtype(path, reprlib.repr(descr)) from None
    return dtype, by_column, shape


def _damaged(path: Path, why: str) -> FeatureError:
    return FeatureError(f"{path} is damaged: {why}; write the file again")


def _from_npy(header: Header, content: bytearray) -> Values:
    """Return the values as an array that shares memory with the file's bytes."""
    array = np.frombuffer(content, header.dtype, offset=header.offset)
    if header.offset % header.dtype.itemsize:
        array = array.copy()
    if header.by_column:
        return array.reshape(header.shape[::-1]).T
    return array.reshape(header.shape)


def _from_safetensors(path: Path, content: bytearray) -> Values:
    """Return the values of a ``.safetensors`` file from all of its bytes."""
    parts = dict(deserialize(bytes(content)))  # type: ignore[no-untyped-call]
    part = parts[_only_name(path, list(parts))]
    named = part["dtype"]
    header = _checked(path, tuple(part["shape"]), named, _NAMED.get(named))
    return np.frombuffer(part["data"], header.dtype).reshape(header.shape)


def _safetensors_header(path: Path) -> Header:
    with safe_open(path, framework="np") as file:
        part = file.get_slice(_only_name(path, list(file.keys())))
        named, shape = part.get_dtype(), tuple(part.get_shape())
    return _checked(path, shape, named, _NAMED.get(named))


def _only_name(path: Path, names: list[str]) -> str:
    """Return the name of a file's only tensor; of several, ``features``."""
    if "features" in names:
        return "features"
    if len(names) != 1:
        raise FeatureError(
            f"{path} must hold one tensor, or one named 'features', got "
            f"{reprlib.repr(sorted(names))}; write the file again"
        )
    return names[0]


def as_read(array: Values) -> Values:
    """Return an array as contiguous fp16 or fp32, without a copy if possible."""
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):  # what fp32 cannot hold becomes infinite
            array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def refuse_infinite(path: Path, features: Values) -> None:
    """Refuse NaN and infinity; the message names the place of the first one.

    Parameters
    ----------
    path : Path
        The file of the features, for the message.
    features : array of shape (T, D)
        Contiguous fp16 or fp32.
    """
    # NumPy asks whether fp16 is finite ten times as slowly as it compares exponents
    exponent, bits = _EXPONENTS[features.dtype.itemsize]
    values = features.view(bits)
    rows = max(1, _LOOKED_AT // values.shape[1])
    for start in range(0, len(values), rows):
        part = values[start : start + rows] & exponent
        if part.max() == exponent:
            row, column = np.argwhere(part == exponent)[0].tolist()
            raise FeatureError(
                f"features of {path.stem!r} must be finite, got "
                f"{features[start + row, column].item()} in row {start + row}, column "
                f"{column} ({path}); extract them again"
            )


def named_dtype(name: object) -> np.dtype | None:
    """Return the type that a ``.safetensors`` file calls so; None if it is no float."""
    return _NAMED.get(name) if isinstance(name, str) else None
