"""Small files beside a run's weights, also where the run is an exported file."""

from pathlib import Path

from acmnet.checkpoints.exported_file import (
    ExportedFileError,
    is_exported,
    metadata_text,
)
from acmnet.files.text_files import read_text


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
