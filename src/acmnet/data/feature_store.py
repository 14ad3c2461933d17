"""The feature store: one ``(T, D)`` file a video, and the manifest that says its grid.

A store is a directory with ``<video id>.npy`` or ``<video id>.safetensors`` for each
video and, beside them, `features.json`. Nothing here knows labels or the network, and
nothing that a file says is ever run.
"""

import contextlib
import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.data.feature_files import (
    STORED_DTYPES,
    SUFFIXES,
    Header,
    checked_shape,
    map_values,
    read_header,
    read_values,
    wrong_dtype,
)
from acmnet.data.feature_files import FeatureError as FeatureError
from acmnet.data.feature_manifest import MANIFEST_NAME, FeatureManifest, read_manifest
from acmnet.files import written_whole
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.messages import counted, some
from acmnet.names import one_form, spelt_otherwise
from acmnet.segments import SnippetGrid
from acmnet.text_files import parse_json, read_text

RECORDS = "extracted"
"""The folder of a store in which `acmnet extract` keeps a record of each video."""

SHOWN_MISSING_VIDEOS = 20


def write_features(
    directory: str | Path, video_id: str, features: Tensor | npt.NDArray[np.floating]
) -> Path:
    """Write one video's features as ``.npy``, whole or not at all; return its path.

    Parameters
    ----------
    directory : str or Path
        The store; made where it is missing.
    video_id : str
        The file's name without its suffix.
    features : tensor or array of shape (T, D)
        Finite, with T at least 1; fp16 and fp32 are kept, fp64 is stored as fp32.

    Raises
    ------
    FeatureError
        If the id is no file name, or the features are none that `FeatureStore.read`
        would return.
    """
    _refuse_path(video_id)
    path = Path(directory) / f"{video_id}.npy"
    if not isinstance(features, Tensor):
        array = np.array(features, order="C")
        if array.dtype not in (np.float16, np.float32, np.float64):
            raise wrong_dtype(path, array.dtype)
        features = torch.from_numpy(array)
    if features.dtype not in STORED_DTYPES:
        raise wrong_dtype(path, features.dtype)
    checked_shape(path, tuple(features.shape))
    tensor = _as_read(features.detach().cpu())
    _refuse_infinite(path, tensor)
    with written_whole(path) as part, part.open("wb") as file:
        np.save(file, tensor.numpy(), allow_pickle=False)
    return path


@dataclasses.dataclass(frozen=True)
class FeatureStore:
    """A directory of features, as `open_store` found it."""

    directory: Path
    grid: SnippetGrid
    dimension: int
    """D of every video."""
    manifest: FeatureManifest | None
    """None where the directory has none."""
    files: Mapping[str, Path] = dataclasses.field(repr=False)
    """Each video's file, by video id in its composed Unicode form, sorted."""
    has_records: bool = False
    """Whether `acmnet extract` left records of the features, with their SHA-256."""
    _headers: dict[str, Header] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def video_ids(self) -> tuple[str, ...]:
        """The videos that have features, sorted."""
        return tuple(self.files)

    def path(self, video_id: str) -> Path:
        """Return a video's file, or refuse the video if it has none."""
        self.require([video_id])
        return self.files[one_form(video_id)]

    def require(self, video_ids: Iterable[str]) -> None:
        """Refuse videos that have no features here, all of them at once."""
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
        """Return how much memory videos take as `read` returns them, from headers."""
        return sum(self._header(video_id).memory_bytes for video_id in video_ids)

    def read(self, video_id: str) -> Tensor:
        """Return a video's features in memory, checked.

        Returns
        -------
        tensor of shape (T, D)
            On the CPU, contiguous, finite, T at least 1. In the stored precision,
            fp16 or fp32; fp64 becomes fp32.

        Raises
        ------
        FeatureError
            If the video has no file, or the file is not whole, is not two-dimensional
            or floating-point, is empty, has another D or a value that is not finite,
            or is not the one that `acmnet extract` wrote a record of.
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

    def map(self, video_id: str) -> Tensor:
        """Return a video's features mapped from the disk, for stores beyond memory.

        As `read`, but values are loaded when they are used, and are checked neither to
        be finite nor to be those that were extracted. Writing to the tensor does not
        reach the file. Features stored as fp64 or column by column are converted, which
        loads them.
        """
        self._header(video_id)
        return _as_read(map_values(self.path(video_id)))

    def _header(self, video_id: str) -> Header:
        """Return what a video's file says; a file is asked once."""
        video_id = one_form(video_id)
        if video_id not in self._headers:
            header = read_header(self.path(video_id))
            self._refuse_dimension(video_id, header.shape[1])
            self._headers[video_id] = header
        return self._headers[video_id]

    def _refuse_dimension(self, video_id: str, dimension: int) -> None:
        """Refuse a video with another D than the store's."""
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
        """Refuse a file that is not the one that its extraction recorded."""
        record = self.directory / RECORDS / f"{path.stem}.json"
        if path.suffix != ".npy" or not (self.has_records and record.exists()):
            return
        again = "extract the video again"
        text = read_text(record, "record", FeatureError, again, LARGEST_NOTE_BYTES)
        found = parse_json(str(record), text, "record", FeatureError)
        recorded = found.get("sha256") if isinstance(found, dict) else None
        if hashlib.sha256(content).hexdigest() != recorded:
            raise FeatureError(
                f"{path} is not as it was extracted: its SHA-256 is not the one in "
                f"{record}; {again}, or remove that record if you changed the features "
                "yourself"
            )


def open_store(
    directory: str | Path, *, grid: SnippetGrid | None = None
) -> FeatureStore:
    """Open a directory of features, without reading any of them.

    Parameters
    ----------
    directory : str or Path
        Holds one ``.npy`` or ``.safetensors`` a video; other files, and the ``._*``
        that macOS leaves behind, are passed over.
    grid : SnippetGrid, optional
        Of the features, where the directory has no manifest. Beside a manifest it
        must say the same.

    Raises
    ------
    FeatureError
        If the directory is missing, its grid or its dimension is not known, the
        manifest says otherwise than ``grid``, or a video has two files.
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
    return FeatureStore(directory, known, dimension, manifest, files, has_records)


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
    """Return D of the first file that can be read."""
    if not files:
        raise FeatureError(
            f"{directory} has no {' or '.join(SUFFIXES)} file; name the directory of "
            "the feature files"
        )
    for path in files.values():
        with contextlib.suppress(FeatureError):
            return read_header(path).shape[1]
    return read_header(next(iter(files.values()))).shape[1]  # which says why not


def _as_read(tensor: Tensor) -> Tensor:
    """Return the tensor contiguous, fp16 or fp32; itself where it is so already."""
    return (tensor.float() if tensor.dtype == torch.float64 else tensor).contiguous()


def _refuse_path(video_id: str) -> None:
    """Refuse a video id that is not the name of one file."""
    if not video_id or video_id in (".", "..") or set(video_id) & set("/\\\0"):
        raise FeatureError(
            f"a video id must be a file name without its suffix, got {video_id!r}; "
            "it may not be blank, hold / or \\, or be . or .."
        )


def _refuse_infinite(path: Path, features: Tensor) -> None:
    """Refuse NaN and infinity, naming the first one's place."""
    # a sum takes a twentieth of the time, and hides neither NaN nor infinity
    if math.isfinite(float(features.sum(dtype=torch.float32))):
        return
    finite = torch.isfinite(features)
    if finite.all():
        return
    row, column = (~finite).nonzero()[0].tolist()
    raise FeatureError(
        f"features of {path.stem!r} must be finite, got "
        f"{features[row, column].item()} in row {row}, column {column} ({path}); "
        "extract them again"
    )
