"""The feature store: a directory with a ``(T, D)`` file for each video and a manifest.

A store holds ``<video id>.npy`` or ``<video id>.safetensors`` for each video. The
manifest ``features.json`` states the grid of snippets. Nothing here knows labels or the
network, and no code in a file is ever run.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.feature_files import (
    STORED_DTYPES,
    SUFFIXES,
    Header,
    Values,
    checked_shape,
    map_values,
    read_header,
    read_values,
    wrong_dtype,
)
from acmnet.data.feature_files import FeatureError as FeatureError
from acmnet.data.feature_manifest import MANIFEST_NAME, FeatureManifest, read_manifest
from acmnet.data.shot_cuts import cuts_of
from acmnet.files import written_whole
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.messages import counted, some
from acmnet.names import one_form, spelt_otherwise
from acmnet.segments import SnippetGrid
from acmnet.text_files import parse_json, read_text

if TYPE_CHECKING:
    from torch import Tensor

RECORDS = "extracted"
"""Folder in a store with a record of each video that `acmnet extract` finished."""

AGAIN: Final = "extract the video again"
"""What messages advise if a record or its features are damaged."""

SHOWN_MISSING_VIDEOS = 20
"""Missing videos that a message lists, at most."""
_EXPONENTS: Final = {
    2: (np.uint16(0x7C00), np.uint16),
    4: (np.uint32(0x7F800000), np.uint32),
}
"""By bytes of a number: the bits that NaN and infinity have set, and their type."""
_LOOKED_AT: Final = 2**17
"""Numbers that are looked at together for NaN: they stay in a processor's cache."""


def write_features(
    directory: str | Path, video_id: str, features: "Tensor | npt.NDArray[np.floating]"
) -> Path:
    """Write one video's features as ``.npy`` and return the file's path.

    The file is written under a temporary name and renamed.

    Parameters
    ----------
    directory : str or Path
        The store; it is made if it is missing.
    video_id : str
        The name of the file without its suffix.
    features : tensor or array of shape (T, D)
        Finite values, with T at least 1. fp16 and fp32 are kept; fp64 is stored as
        fp32.

    Raises
    ------
    FeatureError
        If the id is no name of a file, or the features have another shape or type, or a
        value that is not finite.
    """
    _refuse_path(video_id)
    path = Path(directory) / f"{video_id}.npy"
    array = _array_of(path, features)
    checked_shape(path, array.shape)
    values = _as_read(array)
    _refuse_infinite(path, values)
    with written_whole(path) as part, part.open("wb") as file:
        np.save(file, values, allow_pickle=False)
    return path


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureStore:
    """A directory of features that `open_store` opened."""

    directory: Path
    grid: SnippetGrid
    """Where snippets lie in time."""
    dimension: int
    """Number of columns D of every video's features."""
    manifest: FeatureManifest | None
    """The directory's manifest; None if it has none."""
    files: Mapping[str, Path] = dataclasses.field(repr=False)
    """The file of each video, by video id in its composed Unicode form, sorted."""
    has_records: bool = False
    """Whether the directory has records of `acmnet extract`, which hold the SHA-256 of
    the features."""
    _headers: dict[str, Header] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def video_ids(self) -> tuple[str, ...]:
        """Ids of the videos that have features, sorted."""
        return tuple(self.files)

    def path(self, video_id: str) -> Path:
        """Return the file of a video; refuse a video without features."""
        self.require([video_id])
        return self.files[one_form(video_id)]

    def require(self, video_ids: Iterable[str]) -> None:
        """Refuse videos that have no features here, in one message for all of them."""
        wanted = list(dict.fromkeys(map(one_form, video_ids)))
        for video_id in wanted:
            _refuse_path(video_id)
        missing = [video_id for video_id in wanted if video_id not in self.files]
        if not missing:
            return
        names = some(missing, SHOWN_MISSING_VIDEOS)
        hint = spelt_otherwise(missing, self.files)
        example = f", such as {next(iter(self.files))!r}" if self.files else ""
        raise FeatureError(
            f"{counted(len(missing), 'video', ('has', 'have'), of=len(wanted))} no "
            "features in "
            f"{self.directory}: {names}{hint}; extract them, or check the names (it "
            f"has {counted(len(self.files), 'video')}{example})"
        )

    def shape(self, video_id: str) -> tuple[int, int]:
        """Return ``(T, D)`` from the file's header alone."""
        return self._header(video_id).shape

    def total_bytes(self, video_ids: Iterable[str]) -> int:
        """Return the bytes of memory that videos take once read, from their headers."""
        return sum(self._header(video_id).memory_bytes for video_id in video_ids)

    def read(self, video_id: str) -> "Tensor":
        """Return a video's features in memory, as a tensor, after checking them.

        Shape, values, types and errors are those of `read_array`.
        """
        return _tensor(self.read_array(video_id))

    def read_array(self, video_id: str) -> Values:
        """Return a video's features in memory, as a NumPy array, after checking them.

        Returns
        -------
        array of shape (T, D)
            Finite values, T at least 1, contiguous. The type is the stored one, fp16 or
            fp32; fp64 becomes fp32.

        Raises
        ------
        FeatureError
            If the video has no file; if the file is cut off or empty, is not
            two-dimensional or not of floating-point numbers, has another number of
            columns or a value that is not finite; or if its SHA-256 is not the one in
            the record of `acmnet extract`.
        """
        path = self.path(video_id)
        features, content = read_values(path)
        self._refuse_dimension(video_id, features.shape[1])
        header = Header((len(features), self.dimension), features.dtype)
        if self._headers.setdefault(one_form(video_id), header).shape != header.shape:
            raise FeatureError(
                f"{path} changed while it was used: it has "
                f"{counted(len(features), 'row')} now; begin again"
            )
        self._refuse_changed(path, content)
        features = _as_read(features)
        _refuse_infinite(path, features)
        return features

    def map(self, video_id: str) -> "Tensor":
        """Return a video's features mapped from the disk, for stores beyond memory.

        Values are loaded when they are used. Unlike in `read`, they are not checked:
        they may be NaN or infinite, or differ from those that were extracted. Writing
        to the tensor does not change the file. Features that are stored as fp64 or
        column by column have to be converted, so they are loaded at once.
        """
        self._header(video_id)
        return _tensor(_as_read(map_values(self.path(video_id))))

    def cuts_s(self, video_id: str) -> tuple[float, ...] | None:
        """Return where one shot of a video ends and the next begins, in seconds.

        Returns
        -------
        tuple of float, or None
            Ascending. None if it is not known, as of features that `acmnet extract` did
            not make, or that an earlier version made.

        Raises
        ------
        FeatureError
            If the record of the extraction is damaged.
        """
        path = self.path(video_id)
        record = self._record_of(path)
        found = None if record is None else self._read_record(record)
        if record is None or not isinstance(found, dict):
            return None
        return cuts_of(found, record, FeatureError)

    def _record_of(self, path: Path) -> Path | None:
        """Return the record of a feature file; None if there is none."""
        record = self.directory / RECORDS / f"{path.stem}.json"
        is_kept = path.suffix == ".npy" and self.has_records and record.exists()
        return record if is_kept else None

    def _read_record(self, record: Path) -> object:
        """Return the JSON value in a record."""
        text = read_text(record, "record", FeatureError, AGAIN, LARGEST_NOTE_BYTES)
        return parse_json(str(record), text, "record", FeatureError)

    def _header(self, video_id: str) -> Header:
        """Return the header of a video's file; it is read only once."""
        video_id = one_form(video_id)
        if video_id not in self._headers:
            header = read_header(self.path(video_id))
            self._refuse_dimension(video_id, header.shape[1])
            self._headers[video_id] = header
        return self._headers[video_id]

    def _refuse_dimension(self, video_id: str, dimension: int) -> None:
        """Refuse a video whose number of columns is not the store's."""
        if dimension != self.dimension:
            says = (
                "the manifest says"
                if self.manifest
                else f"those of {next(iter(self.files))!r} have"
            )
            raise FeatureError(
                f"features of {video_id!r} have {dimension} columns, {says} "
                f"{self.dimension} ({self.path(video_id)}); were they extracted with "
                "the same streams?"
            )

    def _refuse_changed(self, path: Path, content: bytearray) -> None:
        """Refuse a file whose SHA-256 is not the one in its record."""
        record = self._record_of(path)
        if record is None:
            return
        found = self._read_record(record)
        recorded = found.get("sha256") if isinstance(found, dict) else None
        if hashlib.sha256(content).hexdigest() != recorded:
            raise FeatureError(
                f"{path} is not as it was extracted: its SHA-256 is not the one in "
                f"{record}; {AGAIN}, or remove that record if you changed the features "
                "yourself"
            )


def open_store(
    directory: str | Path, *, grid: SnippetGrid | None = None
) -> FeatureStore:
    """Open a directory of features; no features are read yet.

    Parameters
    ----------
    directory : str or Path
        It holds one ``.npy`` or ``.safetensors`` for each video. Other files, and the
        files ``._*`` that macOS leaves behind, are ignored.
    grid : SnippetGrid, optional
        The grid of the features, for a directory without a manifest. If there is a
        manifest, it must state the same grid.

    Raises
    ------
    FeatureError
        If there is no such directory, its grid or its number of columns is not known,
        the manifest states another grid than ``grid``, or a video has two files.
    """
    directory = Path(directory)
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        raise FeatureError(
            f"{directory} {what}; name the directory of the feature files"
        )
    manifest = None
    if (directory / MANIFEST_NAME).exists():
        manifest = read_manifest(directory)
    if manifest and grid and manifest.grid != grid:
        raise FeatureError(
            f"{directory / MANIFEST_NAME} says {manifest.grid}, but {grid} was given; "
            "leave the grid out or correct the manifest"
        )
    known = manifest.grid if manifest else grid
    if known is None:
        raise FeatureError(
            f"{directory} has no {MANIFEST_NAME}, so it is not known which seconds "
            "a row of features describes; give --fps, --snippet-frames and "
            f"--stride-frames or write {MANIFEST_NAME}"
        )
    files = _feature_files(directory)
    dimension = manifest.dimension if manifest else _first_dimension(directory, files)
    has_records = (directory / RECORDS).is_dir()
    return FeatureStore(
        directory=directory,
        grid=known,
        dimension=dimension,
        manifest=manifest,
        files=files,
        has_records=has_records,
    )


def _feature_files(directory: Path) -> dict[str, Path]:
    """Return each video's file by video id, sorted."""
    files: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        if path.suffix not in SUFFIXES or path.name.startswith("._"):
            continue
        video = one_form(path.stem)
        if video in files:
            raise FeatureError(
                f"{directory} has two files for video {video!r}: "
                f"{files[video].name} and {path.name}; remove one"
            )
        files[video] = path
    return dict(sorted(files.items()))


def _first_dimension(directory: Path, files: Mapping[str, Path]) -> int:
    """Return the number of columns of the first file that can be read."""
    if not files:
        raise FeatureError(
            f"{directory} has no {' or '.join(SUFFIXES)} file; name the directory of "
            "the feature files"
        )
    for path in files.values():
        with contextlib.suppress(FeatureError):
            return read_header(path).shape[1]
    return read_header(next(iter(files.values()))).shape[
        1
    ]  # raises the error of the first file


def _tensor(array: Values) -> "Tensor":
    """Return an array as a tensor that shares its memory."""
    import torch  # only here: verbs that read no tensors need not wait for it

    return torch.from_numpy(array)


def _array_of(path: Path, features: "Tensor | npt.NDArray[np.floating]") -> Values:
    """Return features to write as an array; refuse it unless it can be stored."""
    if isinstance(features, np.ndarray) or not hasattr(features, "detach"):
        array = np.array(features, order="C")
        if array.dtype not in STORED_DTYPES:
            raise wrong_dtype(path, array.dtype)
        return array
    if str(features.dtype).removeprefix("torch.") not in map(str, STORED_DTYPES):
        raise wrong_dtype(path, features.dtype)
    return features.detach().cpu().numpy()


def _as_read(array: Values) -> Values:
    """Return an array as contiguous fp16 or fp32, without a copy if possible."""
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):  # what fp32 cannot hold becomes infinite
            array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def _refuse_path(video_id: str) -> None:
    """Refuse a video id that is not the name of one file."""
    if not video_id or video_id in (".", "..") or set(video_id) & set("/\\\0"):
        raise FeatureError(
            f"a video id must be a file name without its suffix, got {video_id!r}; "
            "it may not be blank, hold / or \\, or be . or .."
        )


def _refuse_infinite(path: Path, features: Values) -> None:
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
