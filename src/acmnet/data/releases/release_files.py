"""Read the features of a release, however its files are laid out."""

import dataclasses
import functools
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_files import FeatureError, read_values
from acmnet.data.releases.object_arrays import is_object_array, read_objects
from acmnet.messages import counted, one_line, quoted, some
from acmnet.names import one_form

Array = npt.NDArray[Any]

HDF5: Final = (".h5", ".hdf5")
SUFFIXES: Final = (".npy", ".npz", *HDF5)
NAMES_FILE: Final = "videoname.npy"
"""The list of names beside an array of all videos."""
STREAMS: Final = ("rgb", "flow")
"""The streams of I3D, in the order of their columns."""
STREAM_SUFFIX: Final = re.compile(r"(?i)(.+)[-_.](rgb|flow)")
STREAM_FOLDER: Final = re.compile(r"(?i)(?:^|.*[-_])(rgb|flow)(?:$|[-_].*)")
FEATURE_KEYS: Final = ("feature", "features", "feats")
"""Names of the features in an archive of one video, among its other arrays."""
MOST_CROPS: Final = 10


@dataclasses.dataclass(frozen=True)
class Part:
    """The features of a video, or one stream of them, before they are read."""

    video: str
    stream: str
    """``"rgb"``, ``"flow"``, or "" for all streams together."""
    origin: str
    """The file, and the place in it, for messages."""
    read: Callable[[], Array]


def parts_in_files(source: Path, names: Path | None = None) -> list[Part]:
    """Return the parts of all videos of a release; features are not read yet.

    Parameters
    ----------
    source : Path
        A file of all videos, or a folder that is searched with all its subfolders.
    names : Path, optional
        The list of names for an array of all videos. When left out, ``videoname.npy``
        is looked for beside it.

    Raises
    ------
    FeatureError
        If there are no features, a file cannot be read, or a video is there twice.
    """
    if not source.exists():
        raise FeatureError(f"there is no file or folder {source}; check the path")
    files = [source]
    if source.is_dir():
        files = sorted(x for x in source.rglob("*") if x.suffix.lower() in SUFFIXES)
        files = [x for x in files if x.is_file() and not x.name.startswith(".")]
        joint = [x for x in files if "JOINTFeatures" in x.name]
        files = joint or files  # what else lies there are annotations
    parts = [part for file in files for part in _parts_of(file, names)]
    if not parts:
        raise FeatureError(
            f"{source} has no features; they are read from files that end with "
            f"{', '.join(SUFFIXES)}: save those of other files as .npy"
        )
    first_parts: dict[tuple[str, str], Part] = {}
    for part in parts:
        other = first_parts.setdefault((part.video, part.stream), part)
        if other is not part:
            raise FeatureError(
                f"video {quoted(part.video)} is there twice: in {other.origin} and "
                f"{part.origin}; give one of the folders"
            )
    return parts


def by_video(parts: Iterable[Part]) -> dict[str, dict[str, Part]]:
    """Return the parts of each video by their streams, sorted by video."""
    videos: dict[str, dict[str, Part]] = {}
    for part in parts:
        videos.setdefault(part.video, {})[part.stream] = part
    return dict(sorted(videos.items()))


def read_video(streams: Mapping[str, Part]) -> Array:
    """Return the features of one video, RGB before flow.

    Returns
    -------
    array of shape (T, D)
        Several crops are averaged.

    Raises
    ------
    FeatureError
        If a file is damaged, a stream is missing, or streams differ in their rows.
    """
    if set(streams) == {""}:
        return _without_crops(streams[""])
    missing = [name for name in STREAMS if name not in streams]
    if missing or len(streams) > len(STREAMS):
        origin = next(iter(streams.values())).origin
        lacks = " and ".join(missing) or "one stream only"
        raise FeatureError(
            f"{origin}: {lacks} of this video is missing beside it; give the folder "
            "that holds both streams"
        )
    arrays = [_without_crops(streams[name]) for name in STREAMS]
    rows = [len(x) for x in arrays]
    if rows[0] != rows[1]:
        raise FeatureError(
            f"{streams['rgb'].origin} has {rows[0]} rows and {streams['flow'].origin} "
            f"has {rows[1]}; both streams must have as many"
        )
    return np.concatenate(arrays, axis=1)


def _parts_of(file: Path, names: Path | None) -> Iterator[Part]:
    """Yield what one file holds."""
    suffix = file.suffix.lower()
    if suffix in HDF5:
        yield from _hdf5_parts(file)
    elif suffix == ".npz":
        yield from _npz_parts(file)
    elif suffix != ".npy":
        raise FeatureError(
            f"{file} ends with none of {', '.join(SUFFIXES)}, from which features are "
            "read: save them as .npy, a file for each video"
        )
    elif is_object_array(file):
        yield from _joint_parts(file, names)
    else:
        video, stream = _named(file)
        yield Part(video, stream, str(file), lambda: _npy(file))


def _named(file: Path) -> tuple[str, str]:
    """Return the video and the stream that a file's path tells.

    Examples
    --------
    >>> _named(Path("train/rgb/v1.npy")), _named(Path("v1-flow.npz"))
    (('v1', 'rgb'), ('v1', 'flow'))
    >>> _named(Path("thumos-test-flow-resize/v1.npy")), _named(Path("train/v1.npy"))
    (('v1', 'flow'), ('v1', ''))
    """
    named = STREAM_SUFFIX.fullmatch(file.stem)
    if named:
        return one_form(named[1]), named[2].lower()
    folder = STREAM_FOLDER.fullmatch(file.parent.name)
    return one_form(file.stem), folder[1].lower() if folder else ""


def _npy(file: Path) -> Array:
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError, SyntaxError):
        return read_values(file)[0]  # says what is wrong with the file


def _joint_parts(file: Path, names: Path | None) -> Iterator[Part]:
    """Yield the videos of one array of all videos, which is read at once."""
    listed = names or _names_beside(file)
    videos = [_text(listed, entry) for entry in read_objects(listed)]
    entries = read_objects(file)
    if len(videos) != len(entries):
        raise FeatureError(
            f"{listed} names {counted(len(videos), 'video')} and {file} has "
            f"{len(entries)}; they are not of one release"
        )
    for index, (video, entry) in enumerate(zip(videos, entries, strict=True)):
        yield Part(
            video, "", f"{file}, entry {index}", functools.partial(np.asarray, entry)
        )


def _names_beside(file: Path) -> Path:
    """Return the list of names of an array of all videos."""
    places = [file.parent / NAMES_FILE, *sorted(file.parent.glob(f"*/{NAMES_FILE}"))]
    file_of_names = next((place for place in places if place.is_file()), None)
    if file_of_names is None:
        raise FeatureError(
            f"{file} has the features of all videos without their names; name the file "
            f"with their names, {NAMES_FILE}, with --names"
        )
    return file_of_names


def _text(listed: Path, entry: object) -> str:
    """Return the name of a video in a list."""
    if isinstance(entry, bytes):
        entry = entry.decode("utf-8", "replace")
    if not isinstance(entry, str) or not entry:
        raise FeatureError(f"{listed}: a name of a video must be text, got {entry!r}")
    return one_form(entry)


def _npz_parts(file: Path) -> Iterator[Part]:
    """Yield the videos of an archive of arrays, or the one video that it is of."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise _unreadable(file, error) from None
    keys = [name for name in members if name in FEATURE_KEYS] or members
    if len(keys) == 1:
        video, stream = _named(file)
        yield Part(video, stream, str(file), lambda: _of_npz(file, keys[0]))
        return
    for name in members:
        yield Part(
            one_form(name),
            "",
            f"{file}, {name}",
            functools.partial(_of_npz, file, name),
        )


def _of_npz(file: Path, name: str) -> Array:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return np.asarray(archive[name])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from None


def _hdf5_parts(file: Path) -> Iterator[Part]:
    """Yield the videos of an HDF5 file: a dataset each, or a group with one dataset."""
    try:
        with h5py.File(file, "r") as content:
            places = [_dataset_of(file, content, name) for name in content]
    except OSError as error:
        raise _unreadable(file, error) from None
    for name, place in places:
        yield Part(
            one_form(name),
            "",
            f"{file}, {place}",
            functools.partial(_of_hdf5, file, place),
        )


def _dataset_of(file: Path, content: h5py.File, name: str) -> tuple[str, str]:
    """Return the name of a video and the path of its only dataset.

    Links to other files are refused, so that no other file is opened.
    """
    link = content.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        raise FeatureError(f"{file}: {name} lies in another file; give that file")
    entry = content[name]
    if isinstance(entry, h5py.Dataset):
        return name, name
    inner = [x for x in entry if isinstance(entry.get(x, getlink=True), h5py.HardLink)]
    datasets = [x for x in inner if isinstance(entry[x], h5py.Dataset)]
    if len(datasets) != 1:
        raise FeatureError(
            f"{file}: {name} must hold one array of features, got "
            f"{some(datasets) or 'none'}"
        )
    return name, f"{name}/{datasets[0]}"


def _of_hdf5(file: Path, place: str) -> Array:
    try:
        with h5py.File(file, "r") as content:
            dataset = content[place]
            if dataset.external or dataset.is_virtual:
                raise FeatureError(f"{file}: {place} lies in other files; give those")
            return np.asarray(dataset[()])
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        if isinstance(error, FeatureError):
            raise
        raise _unreadable(file, error) from None


def _without_crops(part: Part) -> Array:
    """Return the features of a part with two axes: crops are averaged."""
    array = part.read()
    if array.dtype.kind != "f":
        raise FeatureError(
            f"{part.origin} holds {array.dtype}, and features are floating-point "
            "numbers; is it another file of the release?"
        )
    if array.ndim == 3:
        crops = [axis for axis in (0, 1) if array.shape[axis] in (1, MOST_CROPS)]
        if crops:
            array = array.mean(axis=crops[0], dtype=np.float64).astype(np.float32)
    if array.ndim != 2 or 0 in array.shape:
        raise FeatureError(
            f"{part.origin} has the shape {array.shape}; features are one row a "
            "snippet, or that for each of ten crops"
        )
    return array


def _unreadable(file: Path, error: Exception) -> FeatureError:
    return FeatureError(
        f"{file} could not be read ({one_line(error)}); download it again"
    )
