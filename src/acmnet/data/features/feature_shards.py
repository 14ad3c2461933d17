"""Features of many videos in few files: shards in the format of safetensors.

A shard holds a tensor ``(T, D)`` for each of its videos, named by the video's id. Its
metadata has the SHA-256 of each tensor, and the cuts of the video where they are known.
The name of a shard is made of its content, so equal shards have one name. The headers
of all shards are read when a store is opened; features are read video by video, by
several processes at once if need be.
"""

import copy
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.data.features.feature_files import FeatureError, Header, Values, named_dtype
from acmnet.data.features.object_storage import Storage
from acmnet.data.features.shot_cuts import cuts_of
from acmnet.files.strict_json import parse_json
from acmnet.messages import counted, quoted

SHARD: Final = re.compile(r"shard-[0-9a-f]{20}\.safetensors")
"""Pattern of the name of a shard."""
LONGEST_HEADER: Final = 100_000_000
"""Bytes of a shard's header, at most, as in safetensors itself."""
METADATA_KEY: Final = "acmnet"
"""Key in the metadata of a shard of the digests and the cuts, as JSON."""


class Place(NamedTuple):
    """Where the features of a video lie."""

    shard: str
    """The name of the shard."""
    start: int
    """Bytes of the shard before the features."""
    header: Header
    sha256: str | None
    """Digest of the features' bytes, in hexadecimal; None if the shard has none."""
    cuts: object
    """The cuts of the video as `cuts_of` takes them; None if they are not known."""

    @property
    def end(self) -> int:
        """Bytes of the shard before the end of the features."""
        rows, columns = self.header.shape
        return self.start + rows * columns * self.header.dtype.itemsize


class Shards:
    """All shards of a folder or of a place in object storage.

    Parameters
    ----------
    storage : Storage
        Where they lie.
    names : sequence of str
        All names that `Storage.names` lists there. In object storage each listing
        takes time, so a store is listed once, when it is opened.

    Raises
    ------
    FeatureError
        If the header of a shard is damaged, or two shards have different features of
        one video.
    """

    def __init__(self, storage: Storage, names: Sequence[str]) -> None:
        self.storage = storage
        self.beside = tuple(names)
        self.names = [name for name in names if SHARD.fullmatch(name)]
        self._places: dict[str, Place] = {}
        for name in self.names:
            for video, place in self._read(name).items():
                other = self._places.setdefault(video, place)
                if other.sha256 != place.sha256 or other.header != place.header:
                    raise FeatureError(
                        f"{storage}: {other.shard} and {name} have different features "
                        f"of video {quoted(video)}; remove the shard that is out of "
                        "date"
                    )

    def only(self, videos: Iterable[str]) -> "Shards":
        """Return the same shards with some of their videos, for another process."""
        part = copy.copy(self)
        part._places = {video: self._places[video] for video in videos}
        used = {place.shard for place in part._places.values()}
        part.names = [name for name in self.names if name in used]
        return part

    def files(self) -> dict[str, Path]:
        """Return the shard that each video is in, by video id, sorted."""
        paths = {name: Path(self.storage.where(name)) for name in self.names}
        return {
            video: paths[self._places[video].shard] for video in sorted(self._places)
        }

    def header(self, video_id: str) -> Header:
        """Return the header of a video's features."""
        return self._places[video_id].header

    def read(self, video_id: str) -> Values:
        """Return a video's features in their stored type, after checking their digest.

        They may be NaN or infinite.
        """
        place = self._places[video_id]
        content = self.storage.read(place.shard, place.start, place.end)
        if place.sha256 not in (None, hashlib.sha256(content).hexdigest()):
            raise FeatureError(
                f"{self.storage.where(place.shard)} is not as it was written: the "
                f"SHA-256 of video {quoted(video_id)} is another one; remove the shard "
                "and pack its videos again"
            )
        header = place.header
        return np.frombuffer(content, header.dtype).reshape(header.shape)

    def map(self, video_id: str) -> Values:
        """Return a video's features, mapped from the disk if they lie on one."""
        place = self._places[video_id]
        if self.storage.address is not None:
            return self.read(video_id)
        header, path = place.header, self.storage.folder / place.shard
        # mode "c" (copy on write): writing changes memory only, never the file
        return np.memmap(path, header.dtype, "c", place.start, header.shape)

    def cuts_s(self, video_id: str) -> tuple[float, ...] | None:
        """Return the times of the cuts of a video, as `FeatureStore.cuts_s` does."""
        place = self._places[video_id]
        where = Path(self.storage.where(place.shard))
        return cuts_of({"cuts_s": place.cuts}, where, FeatureError)

    def stamp(self, video_id: str) -> str:
        """Return what changes whenever a video's features change."""
        place = self._places[video_id]
        return f"{place.shard}-{place.start}-{place.sha256}"

    def _read(self, name: str) -> dict[str, Place]:
        """Return the places of the videos of a shard from its header."""
        where, size = self.storage.where(name), self.storage.size(name)
        length = LONGEST_HEADER + 1
        if size >= 8:
            length = int.from_bytes(self.storage.read(name, 0, 8), "little")
        if length > min(LONGEST_HEADER, size - 8):
            raise FeatureError(
                f"{where} is damaged: its header is cut off; remove the file and pack "
                "its videos again"
            )
        text = self.storage.read(name, 8, 8 + length).decode("utf-8", "replace")
        header = parse_json(where, text, "shard of features", FeatureError)
        if not isinstance(header, dict):
            raise FeatureError(f"{where} is no shard of features; remove it")
        note = _note_of(where, header.pop("__metadata__", None))
        begin = 8 + length
        return {
            video: _place(where, name, video, entry, begin, size, note)
            for video, entry in header.items()
        }


Note = Mapping[str, Mapping[str, Any]]
"""What a shard states about its videos: ``sha256`` and ``cuts_s``, each by video id."""


def shard_of(features: Mapping[str, Values], cuts: Mapping[str, object]) -> bytes:
    """Return the content of a shard: equal bytes for equal features and cuts."""
    from safetensors.numpy import save

    digests = {
        video: hashlib.sha256(values.tobytes()).hexdigest()
        for video, values in features.items()
    }
    note = json.dumps({"cuts_s": dict(cuts), "sha256": digests}, sort_keys=True)
    content: bytes = save(dict(features), metadata={METADATA_KEY: note})
    return content


def shard_name(content: bytes) -> str:
    """Return the name of a shard by its content."""
    return f"shard-{hashlib.sha256(content).hexdigest()[:20]}.safetensors"


def _note_of(where: str, metadata: object) -> Note:
    """Return what a shard states about its videos."""
    text = metadata.get(METADATA_KEY, "{}") if isinstance(metadata, dict) else "{}"
    parsed = parse_json(where, str(text), "note of a shard", FeatureError)
    values = parsed if isinstance(parsed, dict) else {}
    parts = {name: values.get(name, {}) for name in ("sha256", "cuts_s")}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise FeatureError(f"{where} is damaged: its metadata is wrong; remove it")
    return parts


def _place(
    where: str, name: str, video: str, entry: object, begin: int, size: int, note: Note
) -> Place:
    """Return the place of a video by its entry in the header of a shard.

    ``begin`` are the bytes before the first tensor, ``size`` those of the file.
    """
    values = entry if isinstance(entry, dict) else {}
    dtype = named_dtype(values.get("dtype"))
    shape, offsets = _pair(values, "shape"), _pair(values, "data_offsets")
    if dtype is None or shape is None or offsets is None or 0 in shape:
        raise FeatureError(
            f"{where}: features of video {quoted(video)} must be numbers of shape "
            "(T, D); remove the file and pack its videos again"
        )
    start, end = offsets
    expected = shape[0] * shape[1] * dtype.itemsize
    if end - start != expected or begin + end > size:
        raise FeatureError(
            f"{where} is damaged: video {quoted(video)} takes "
            f"{counted(expected, 'byte')}, and there are {end - start} of {size}; "
            "remove the file and pack its videos again"
        )
    sha256, cuts = note["sha256"].get(video), note["cuts_s"].get(video)
    return Place(name, begin + start, _header(shape, dtype), sha256, cuts)


@functools.lru_cache
def _header(shape: tuple[int, int], dtype: np.dtype[Any]) -> Header:
    """Return a header; many of a million videos have equal ones."""
    return Header(shape, dtype)


def _pair(values: Mapping[str, Any], name: str) -> tuple[int, int] | None:
    """Return two whole numbers from 0 on; None if there is something else."""
    pair = values.get(name)
    if type(pair) is not list or len(pair) != 2:
        return None
    first, second = pair
    if type(first) is not int or type(second) is not int:
        return None
    return (first, second) if 0 <= first < 2**62 and 0 <= second < 2**62 else None
