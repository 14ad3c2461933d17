"""The feature store: the features ``(T, D)`` of each video, and a manifest.

A store is a directory that holds ``<video id>.npy`` or ``<video id>.safetensors`` for
each video, or, on a disk or in object storage, shards with many videos each. The
manifest ``features.json`` states the grid of snippets. Nothing here knows labels or the
network, and no code in a file is ever run.
"""

import collections
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_files import (
    STORED_DTYPES,
    SUFFIXES,
    FeatureError,
    Values,
    as_read,
    checked_shape,
    read_header,
    refuse_infinite,
    wrong_dtype,
)
from acmnet.data.features.feature_manifest import (
    MANIFEST_NAME,
    FeatureManifest,
    manifest_of,
    read_manifest,
)
from acmnet.data.features.feature_shards import SHARD, Shards
from acmnet.data.features.object_storage import Storage, address_of, on_disk
from acmnet.data.features.stored_features import RECORDS, FeatureStore, refuse_path
from acmnet.files.file_access import written_whole
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.names import VIDEO_SUFFIXES, one_form
from acmnet.segments import SnippetGrid

if TYPE_CHECKING:
    from torch import Tensor

RELEASE_SUFFIXES: Final = (".npz", ".h5", ".hdf5")
"""Suffixes of files of features that `acmnet features` converts."""
FIRST_FILES: Final = 5
"""Files that tell how many columns features have, where no manifest does."""


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
        If the id is not a file name, or the features have another shape or type, or a
        value that is not finite.
    """
    refuse_path(video_id)
    path = Path(directory) / f"{video_id}.npy"
    array = _array_of(path, features)
    checked_shape(path, array.shape)
    values = as_read(array)
    refuse_infinite(path, values)
    with written_whole(path) as part, part.open("wb") as file:
        np.save(file, values, allow_pickle=False)
    return path


def open_store(
    directory: str | Path, *, grid: SnippetGrid | None = None
) -> FeatureStore:
    """Open a directory of features; no features are read yet.

    Parameters
    ----------
    directory : str or Path
        It holds one ``.npy`` or ``.safetensors`` for each video, or shards that
        `acmnet.data.features.feature_packing` wrote; these may lie in object storage,
        too, at an address such as ``s3://bucket/features``. Other files, and the files
        ``._*`` that macOS leaves behind, are ignored.
    grid : SnippetGrid, optional
        The grid of the features, for a directory without a manifest. If there is a
        manifest, it must state the same grid.

    Raises
    ------
    FeatureError
        If there is no such directory, its grid or its number of columns is not known,
        the manifest states another grid than ``grid``, or a video has two files.
    """
    directory, shards = _opened(directory)
    manifest = _manifest_at(directory, shards)
    if manifest and grid and manifest.grid != grid:
        raise FeatureError(
            f"{directory / MANIFEST_NAME} says {manifest.grid}, but {grid} was given; "
            "leave the grid out or correct the manifest"
        )
    known = manifest.grid if manifest else grid
    if known is None:
        raise FeatureError(_why_no_grid(directory, shards))
    files = _feature_files(directory) if shards is None else shards.files()
    if manifest is not None:
        dimension = manifest.dimension
    elif shards is not None:
        dimension = shards.header(next(iter(files))).shape[1]
    else:
        dimension = _first_dimension(directory, files)
    has_records = shards is None and (directory / RECORDS).is_dir()
    return FeatureStore(
        directory=directory,
        grid=known,
        dimension=dimension,
        manifest=manifest,
        files=files,
        has_records=has_records,
        shards=shards,
    )


def _why_no_grid(directory: Path, shards: Shards | None) -> str:
    """Return what is wrong with a directory whose grid is not known."""
    if shards is None and _holds_videos(directory):
        return (
            f"{directory} holds videos, not features; make features of them first: "
            f"acmnet extract {directory} --out features/"
        )
    inner = directory / "features"
    meant = f"; did you mean {inner}?" if (inner / MANIFEST_NAME).is_file() else ""
    return (
        f"{directory} has no {MANIFEST_NAME}, so it is not known which seconds "
        "a row of features describes; give --fps, --snippet-frames and "
        f"--stride-frames or write {MANIFEST_NAME}{meant}"
    )


def has_manifest(directory: str | Path) -> bool:
    """Return whether a store has a manifest, on a disk or in object storage."""
    if address_of(directory) is None:
        return (on_disk(directory) / MANIFEST_NAME).exists()
    return MANIFEST_NAME in Storage(directory, FeatureError).names()


def read_storage_manifest(
    storage: Storage, names: Sequence[str]
) -> FeatureManifest | None:
    """Return the manifest at a place whose files have these names; None without one."""
    if MANIFEST_NAME not in names:
        return None
    size = storage.size(MANIFEST_NAME)
    if size > LARGEST_NOTE_BYTES:
        raise FeatureError(
            f"{storage.where(MANIFEST_NAME)} is too large; write it again"
        )
    text = storage.read(MANIFEST_NAME, 0, size).decode("utf-8", "replace")
    return manifest_of(storage.where(MANIFEST_NAME), text)


def _holds_videos(directory: Path) -> bool:
    """Return whether a directory holds video files."""
    return any(path.suffix.lower() in VIDEO_SUFFIXES for path in directory.iterdir())


def _opened(place: str | Path) -> tuple[Path, Shards | None]:
    """Return the directory of a store, and its shards if it has any.

    Raises
    ------
    FeatureError
        If there is no such directory, nothing at the address, or files of single videos
        beside shards.
    """
    storage = Storage(place, FeatureError)
    if storage.address is None and not storage.folder.is_dir():
        what = "is not a directory" if storage.folder.exists() else "does not exist"
        what_to_do = "name the directory of the feature files"
        if storage.folder.name.endswith(RELEASE_SUFFIXES) and storage.folder.exists():
            what_to_do = f"convert it: {_conversion(storage.folder)}"
        raise FeatureError(f"{storage.folder} {what}; {what_to_do}")
    names = storage.names()
    is_sharded = any(SHARD.fullmatch(name) for name in names)
    if not is_sharded and storage.address is not None:
        raise FeatureError(
            f"{storage} has no features; name the place that acmnet pack wrote to"
        )
    if not is_sharded:
        return storage.folder, None
    other = [x for x in names if Path(x).suffix in SUFFIXES and not SHARD.fullmatch(x)]
    if other and not other[0].startswith("."):
        raise FeatureError(
            f"{storage} has shards and files of single videos, such as {other[0]}; "
            "move one kind to another directory"
        )
    where = storage.folder if storage.address is None else Path(storage.address)
    return where, Shards(storage, names)


def _manifest_at(directory: Path, shards: Shards | None) -> FeatureManifest | None:
    """Return the manifest of a store; None if it has none."""
    if shards is not None:
        return read_storage_manifest(shards.storage, shards.beside)
    return read_manifest(directory) if has_manifest(directory) else None


def _feature_files(directory: Path) -> dict[str, Path]:
    """Return each video's file by video id, sorted."""
    files: dict[str, Path] = {}
    for path in sorted(directory.iterdir(), key=lambda path: path.name):
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
    """Return the number of columns that most of the first files have.

    Several are read, so that an odd one among them is refused, not all others.
    """
    if not files:
        released = _released_files(directory)
        what_to_do = (
            f"convert them: {_conversion(directory)}"
            if released
            else "name the directory of the feature files"
        )
        raise FeatureError(
            f"{directory} has no {' or '.join(SUFFIXES)} file"
            f"{f', but {released}' if released else ''}; {what_to_do}"
        )
    dimensions: list[int] = []
    for path in files.values():
        with contextlib.suppress(FeatureError):
            dimensions.append(read_header(path).shape[1])
        if len(dimensions) == FIRST_FILES:
            break
    if not dimensions:  # raises the error of the first file
        dimensions.append(read_header(next(iter(files.values()))).shape[1])
    return collections.Counter(dimensions).most_common(1)[0][0]


def _conversion(released: Path) -> str:
    """Return the command that converts a file or a directory of released features."""
    return (
        f"acmnet features other {quote(str(released))} --out features/, with the grid"
    )


def _released_files(directory: Path) -> str:
    """Return the name of a file that `acmnet features` converts; blank for none."""
    names = sorted(path.name for path in directory.iterdir())
    return next((x for x in names if x.endswith(RELEASE_SUFFIXES)), "")


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
