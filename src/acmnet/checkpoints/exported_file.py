"""Read the metadata of exported files (.onnx), which hold a checkpoint's small files.

The metadata of an ONNX file are texts by name. ``config.json`` is there under its own
name, and so are the small files of a run that localisation looks at; `note_of` reads
one of them from a run or from an exported file.
"""

import functools
import importlib
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import open_regular
from acmnet.files.text_files import read_text
from acmnet.messages import one_line

SUFFIX: Final = ".onnx"
"""Suffix of exported files that can stand in the place of a run."""
SHA256_KEY: Final = "weights_sha256"
"""Name in the metadata of the SHA-256 of the checkpoint's weights."""
MISSING: Final = (
    "needs ONNX and ONNX Runtime, which are not installed; run: pip install "
    "'acmnet[onnx]'"
)


class ExportedFileError(ValueError):
    """An exported file that cannot be used; the message names it."""


def is_exported(run: Path) -> bool:
    """Return whether a path is that of an exported file and not of a run."""
    return run.suffix.lower() == SUFFIX and not run.is_dir()


def import_onnx(name: str, path: Path) -> Any:
    """Return a module of the extra ``acmnet[onnx]``.

    Raises
    ------
    ExportedFileError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ExportedFileError(f"{path} {MISSING}") from None


def session_of(path: Path) -> Any:
    """Return ONNX Runtime's session of an exported file.

    A session is kept for the next call, until the file changes.

    Raises
    ------
    ExportedFileError
        If the file is missing or damaged, or ONNX Runtime is not installed.
    """
    try:
        with open_regular(path):
            stamp = path.stat()
    except OSError as fault:
        why = fault.strerror or str(fault)
        raise ExportedFileError(f"{path} could not be read: {why}; check it") from None
    return _session(path.resolve(), stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=1)
def _session(path: Path, changed_ns: int, size: int) -> Any:  # noqa: ARG001 - a key
    """Open an exported file with ONNX Runtime; see `session_of`."""
    runtime = import_onnx("onnxruntime", path)
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, and need no line of their own
    try:
        return runtime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # noqa: BLE001 - its errors have no common class
        raise ExportedFileError(
            f"{path} is truncated, damaged or no ONNX file ({one_line(error)[:200]}); "
            "export the run again"
        ) from None


def metadata_text(path: Path, name: str) -> str | None:
    """Return a text of an exported file's metadata; None if it has none of that name.

    Raises
    ------
    ExportedFileError
        If the file cannot be read.
    """
    text = session_of(path).get_modelmeta().custom_metadata_map.get(name)
    return None if text is None else str(text)


def note_of(
    run: Path, name: str, kind: str, error: type[ValueError], empty: str
) -> str | None:
    """Return the text of a small file of a run; None where the run has none.

    Parameters
    ----------
    run : Path
        A run, or an exported file, whose metadata hold the text by the file's name.
    name : str
        The name of the file, such as ``"calibration.json"``.
    kind, error, empty
        As for `acmnet.files.text_files.read_text`.
    """
    if is_exported(run):
        try:
            return metadata_text(run, name)
        except ExportedFileError as fault:
            raise error(str(fault)) from None
    path = run / name
    return read_text(path, kind, error, empty) if path.exists() else None
