"""Features of many videos as they are read, from single files or from shards."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from acmnet.data.features.feature_files import (
    FeatureError,
    Header,
    Values,
    as_read,
    map_values,
    read_header,
    read_values,
    refuse_infinite,
)
from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.features.feature_shards import Shards
from acmnet.data.features.object_storage import address_of
from acmnet.data.features.shot_cuts import cuts_of
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.messages import counted, some
from acmnet.names import one_form, spelt_otherwise
from acmnet.segments import SnippetGrid

if TYPE_CHECKING:
    from torch import Tensor

RECORDS = "extracted"
"""Folder in a store with a record of each video that `acmnet extract` finished."""

EXTRACT_AGAIN: Final = "extract the video again"
"""What messages advise if a record or its features are damaged."""

SHOWN_MISSING_VIDEOS = 20
"""Missing videos that a message lists, at most."""


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
    shards: Shards | None = dataclasses.field(default=None, repr=False, compare=False)
    """The shards that the features lie in; None for a file for each video."""
    _headers: dict[str, Header] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def place(self) -> str:
        """The directory as messages call it: an address keeps both of its slashes.

        It can be given as ``--features`` again.
        """
        return address_of(self.directory) or str(self.directory)

    @property
    def video_ids(self) -> tuple[str, ...]:
        """Ids of the videos that have features, sorted."""
        return tuple(self.files)

    def only(self, video_ids: Iterable[str]) -> "FeatureStore":
        """Return the same store with some of its videos; all must have features."""
        wanted = sorted({one_form(video_id) for video_id in video_ids})
        self.require(wanted)
        return dataclasses.replace(
            self,
            files={video_id: self.files[video_id] for video_id in wanted},
            shards=None if self.shards is None else self.shards.only(wanted),
            _headers={k: self._headers[k] for k in wanted if k in self._headers},
        )

    def path(self, video_id: str) -> Path:
        """Return the file of a video; refuse a video without features."""
        self.require([video_id])
        return self.files[one_form(video_id)]

    def require(self, video_ids: Iterable[str]) -> None:
        """Refuse videos that have no features here, in one message for all of them."""
        wanted = list(dict.fromkeys(map(one_form, video_ids)))
        for video_id in wanted:
            refuse_path(video_id)
        missing = [video_id for video_id in wanted if video_id not in self.files]
        if not missing:
            return
        names = some(missing, SHOWN_MISSING_VIDEOS)
        hint = spelt_otherwise(missing, self.files)
        example = f", such as {next(iter(self.files))!r}" if self.files else ""
        raise FeatureError(
            f"{counted(len(missing), 'video', ('has', 'have'), of=len(wanted))} no "
            "features in "
            f"{self.place}: {names}{hint}; extract them, or check the names (it "
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
        if self.shards is not None:
            features = self.shards.read(one_form(video_id))
        else:
            features, content = read_values(path)
            self._refuse_changed(path, content)
        self._refuse_dimension(video_id, features.shape[1])
        header = Header((len(features), self.dimension), features.dtype)
        if self._headers.setdefault(one_form(video_id), header).shape != header.shape:
            raise FeatureError(
                f"{path} changed while it was used: it has "
                f"{counted(len(features), 'row')} now; begin again"
            )
        features = as_read(features)
        refuse_infinite(path, features)
        return features

    def map(self, video_id: str) -> "Tensor":
        """Return a video's features mapped from the disk, for stores beyond memory.

        Values are loaded when they are used. Unlike in `read`, they are not checked:
        they may be NaN or infinite, or differ from those that were extracted. Writing
        to the tensor does not change the file. Features that are stored as fp64 or
        column by column have to be converted, so they are loaded at once.
        """
        self._header(video_id)
        if self.shards is not None:
            return _tensor(as_read(self.shards.map(one_form(video_id))))
        return _tensor(as_read(map_values(self.path(video_id))))

    def stamp(self, video_id: str) -> str:
        """Return what changes whenever a video's features are written."""
        path = self.path(video_id)
        if self.shards is not None:
            return self.shards.stamp(one_form(video_id))
        status = path.stat()
        return f"{status.st_size}-{status.st_mtime_ns}"

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
        if self.shards is not None:
            return self.shards.cuts_s(one_form(video_id))
        record = self._record_of(path)
        values = None if record is None else self._read_record(record)
        if record is None or not isinstance(values, dict):
            return None
        return cuts_of(values, record, FeatureError)

    def _record_of(self, path: Path) -> Path | None:
        """Return the record of a feature file; None if there is none."""
        record = self.directory / RECORDS / f"{path.stem}.json"
        is_kept = path.suffix == ".npy" and self.has_records and record.exists()
        return record if is_kept else None

    def _read_record(self, record: Path) -> object:
        """Return the JSON value in a record."""
        text = read_text(
            record, "record", FeatureError, EXTRACT_AGAIN, LARGEST_NOTE_BYTES
        )
        return parse_json(str(record), text, "record", FeatureError)

    def _header(self, video_id: str) -> Header:
        """Return the header of a video's file; it is read only once."""
        video_id = one_form(video_id)
        if video_id not in self._headers:
            path = self.path(video_id)
            known = None if self.shards is None else self.shards.header(video_id)
            header = known or read_header(path)
            self._refuse_dimension(video_id, header.shape[1])
            self._headers[video_id] = header
        return self._headers[video_id]

    def _refuse_dimension(self, video_id: str, dimension: int) -> None:
        """Refuse a video whose number of columns is not the store's."""
        if dimension != self.dimension:
            words = "the manifest says" if self.manifest else "those of others have"
            raise FeatureError(
                f"features of {video_id!r} have {dimension} columns, {words} "
                f"{self.dimension} ({self.path(video_id)}); were they extracted with "
                "the same streams?"
            )

    def _refuse_changed(self, path: Path, content: bytearray) -> None:
        """Refuse a file whose SHA-256 is not the one in its record."""
        record = self._record_of(path)
        if record is None:
            return
        values = self._read_record(record)
        recorded = values.get("sha256") if isinstance(values, dict) else None
        if hashlib.sha256(content).hexdigest() != recorded:
            raise FeatureError(
                f"{path} is not as it was extracted: its SHA-256 is not the one in "
                f"{record}; {EXTRACT_AGAIN}, or remove that record if you changed the "
                "features yourself"
            )


def _tensor(array: Values) -> "Tensor":
    """Return an array as a tensor that shares its memory."""
    import torch  # only here: verbs that read no tensors need not wait for it

    return torch.from_numpy(array)


def refuse_path(video_id: str) -> None:
    """Refuse a video id that is not the name of one file."""
    if not video_id or video_id in (".", "..") or set(video_id) & set("/\\\0"):
        raise FeatureError(
            f"a video id must be a file name without its suffix, got {video_id!r}; "
            "it may not be blank, hold / or \\, or be . or .."
        )
