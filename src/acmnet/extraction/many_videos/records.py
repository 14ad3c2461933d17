"""What an extraction leaves on disk: features, a record of each video, failures.

A directory of features (`acmnet.data.features.feature_store`) that `acmnet extract`
wrote also holds ``extracted/<id>.json``, the record of each finished video, and
``failed.jsonl`` with a line for each video that failed. An extraction of one shard
writes ``failed.3-of-16.jsonl`` instead. A video is finished once it has both its record
and its features; no video is both finished and failed.
"""

import dataclasses
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

from acmnet.data.features.failed_videos import (
    FAILED,
    Failure,
    failures_in,
    fingerprint,
    read_failures,
)
from acmnet.data.features.feature_manifest import (
    MANIFEST_NAME,
    FeatureManifest,
    read_manifest,
    write_manifest,
)
from acmnet.data.features.shot_cuts import cuts_of
from acmnet.data.features.stored_features import RECORDS
from acmnet.files.file_access import (
    PART,
    sha256_of,
    short_file_name,
    write_json,
    write_text,
)
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.limits import LARGEST_NOTE_BYTES

TRACE: Final = re.compile(r"\.(.+)\.(trace|at)")


class ExtractionError(ValueError):
    """An extraction that cannot be started or has to stop; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRecord:
    """What is known of a video whose features were written."""

    video: str
    """Id of the video: the name of its file without the suffix."""
    source: str
    """The name of the file that it was read from. With tracks beside the video: both
    names, joined by " + "."""
    source_bytes: int
    """Size of that file; with tracks beside it, of the video."""
    fingerprint: str
    """What `acmnet.data.features.failed_videos.fingerprint` says of those files."""
    n_frames: int
    """Frames, at the grid's rate, from which the snippets were cut."""
    n_decoded: int
    """Frames that were decoded from the file."""
    skipped_packets: int
    """Packets that could not be decoded and were passed over."""
    duration_s: float
    """Length of the video in seconds, from the times of its frames."""
    n_snippets: int
    """Number of snippets, which are the rows of the features."""
    sha256: str
    """SHA-256 of the ``.npy`` file, in hexadecimal."""
    seconds: float
    """How long the extraction took, in seconds."""
    cuts_s: tuple[float, ...] | None = None
    """Where one shot ends and the next begins, in seconds, ascending. None in files of
    tracks, and in records of earlier versions, which did not look for cuts."""


def trace_file(out: Path, video: str) -> Path:
    """Return the file in which a process that dies at a video leaves the reason."""
    return out / RECORDS / f".{video}.trace"


def place_file(out: Path, video: str) -> Path:
    """Return the file in which a process states how far it has come in a video."""
    return out / RECORDS / f".{video}.at"


def places(out: Path) -> Iterator[tuple[Path, str]]:
    """Yield each video that is being extracted now, after its `place_file`."""
    for path in (out / RECORDS).glob(".*.at"):
        yield path, path.name[1:-3]


def write_record(out: Path, record: VideoRecord) -> None:
    """Write a video's record. Its features have to be written before."""
    write_json(out / RECORDS / f"{record.video}.json", dataclasses.asdict(record))


def read_records(out: str | Path) -> dict[str, VideoRecord]:
    """Return the record of each finished video by video id, sorted.

    Raises
    ------
    ExtractionError
        If a file is no record of a video; the message names the file.
    """
    paths = (Path(out) / RECORDS).glob("*.json")
    records = {p.stem: _read_record(p) for p in paths if p.name[0] != "."}
    return dict(sorted(records.items()))


def _read_record(path: Path) -> VideoRecord:
    remedy = "extract its video again"
    text = read_text(path, "record", ExtractionError, remedy, LARGEST_NOTE_BYTES)
    content = parse_json(str(path), text, "record", ExtractionError)
    types = get_type_hints(VideoRecord)
    del types["cuts_s"]
    if not isinstance(content, dict) or content.keys() - {"cuts_s"} != types.keys():
        raise ExtractionError(
            f"{path} is no record of an extracted video; remove it and extract again"
        )
    for name, kind in types.items():
        if not isinstance(content[name], (int, float) if kind is float else kind):
            raise ExtractionError(
                f"{path}: {name} must be of type {kind.__name__}, got "
                f"{content[name]!r}; remove the file and extract again"
            )
    return VideoRecord(**{**content, "cuts_s": cuts_of(content, path, ExtractionError)})


def finished(out: Path, video: str, *files: Path) -> VideoRecord | None:
    """Return the record of a finished video; None if it has to be done (again).

    A video is finished if its features have the checksum in its record, and its files
    are those that they were made from.
    """
    try:
        record = _read_record(out / RECORDS / f"{video}.json")
        same = record.fingerprint == fingerprint(*files) and (
            record.sha256 == sha256_of(out / f"{video}.npy")
        )
    except (ExtractionError, OSError):
        return None
    return record if same else None


def was_extracted(out: Path, video: str, *files: Path) -> bool:
    """Return whether the features of a video were made of its files as they are now.

    This is quicker than `finished`, which also compares the features with the checksum
    in the record.
    """
    try:
        record = _read_record(out / RECORDS / f"{video}.json")
        same = record.fingerprint == fingerprint(*files)
    except (ExtractionError, OSError):
        return False
    return same and (out / f"{video}.npy").exists()


def forget(out: Path, video: str) -> None:
    """Remove the record and the features of a video that is about to be done again.

    Versions of acmnet before `acmnet.names.one_form` may have named them in another
    Unicode form, so those are removed, too.
    """
    for name in dict.fromkeys((video, unicodedata.normalize("NFD", video))):
        (out / RECORDS / f"{name}.json").unlink(missing_ok=True)
        (out / f"{name}.npy").unlink(missing_ok=True)


def remove_parts(out: Path, videos: Collection[str], shard: str) -> None:
    """Remove the unfinished files of these videos that a killed call left behind.

    Where ``shard`` is not empty, unfinished files that all shards share stay, because
    another shard may be writing them at this moment.
    """
    names = {
        short_file_name(f"{video}.{x}") for video in videos for x in ("npy", "json")
    }
    for directory in (out, out / RECORDS):
        for path in directory.iterdir():
            part, trace = PART.fullmatch(path.name), TRACE.fullmatch(path.name)
            is_ours = (trace and trace[1] in videos) or (
                part and (part[1] in names or _is_shared(part[1], shard))
            )
            if is_ours:
                path.unlink(missing_ok=True)


def _is_shared(name: str, shard: str) -> bool:
    """Return whether a file belongs to the whole store and no other shard writes it."""
    if name == f"failed{shard}.jsonl":
        return True
    return not shard and (name == MANIFEST_NAME or bool(FAILED.fullmatch(name)))


def claim_store(out: Path, manifest: FeatureManifest) -> None:
    """Write the manifest of a new store, or refuse one of other features.

    Raises
    ------
    ExtractionError
        If the store holds features of another extractor, grid, version or setting, or
        features without a manifest. Nothing is written then.
    FeatureError
        If there is a manifest that cannot be read.
    """
    path = out / MANIFEST_NAME
    if not path.exists():
        if any(out.glob("*.npy")):
            raise ExtractionError(
                f"{out} has features but no {MANIFEST_NAME}, so what they are is not "
                "known; name a new directory"
            )
        try:
            write_manifest(out, manifest)
        except FileNotFoundError:
            # another shard, in a container in which it has the same process number, has
            # renamed its own manifest into place
            if not path.exists():
                raise
    theirs, ours = _flat(read_manifest(out)), _flat(manifest)
    for name in [*ours, *theirs]:
        if theirs.get(name) != ours.get(name):
            raise ExtractionError(
                f"{path} says {name} {theirs.get(name)!r}, this extraction has "
                f"{ours.get(name)!r}; extract into a new directory, or as that one was"
            )


def _flat(manifest: FeatureManifest) -> dict[str, Any]:
    """Return the values of a manifest by name, the most important ones first."""
    return {
        "extractor": manifest.extractor,
        **dataclasses.asdict(manifest.grid),
        "dimension": manifest.dimension,
        **{f"columns.{name}": number for name, number in manifest.columns.items()},
        "streams": list(manifest.streams),
        **{f"settings.{name}": value for name, value in manifest.settings.items()},
        **{f"versions.{name}": value for name, value in manifest.versions.items()},
    }


class FailureLog:
    """The list of failed videos of one extraction.

    Failures are appended to its file as they happen. The whole file is written anew at
    the beginning and at the end of the extraction.
    """

    def __init__(self, out: Path, shard: str, videos: Iterable[str]) -> None:
        self.out, self.path = out, out / f"failed{shard}.jsonl"
        known, ids = read_failures(out), set(videos)
        if shard:
            kept = set(ids)
            if self.path.exists():
                kept |= {f.video for f in failures_in(self.path)}
            known = {video: f for video, f in known.items() if video in kept}
        self.failures = known
        self.is_alone = not shard

    def add(self, failure: Failure) -> Failure:
        """Add a failure to the list and its file; return it with its count of calls."""
        before = self.failures.get(failure.video)
        if before and (before.kind, before.fingerprint) == (
            failure.kind,
            failure.fingerprint,
        ):
            failure = dataclasses.replace(failure, calls=before.calls + 1)
        self.failures[failure.video] = failure
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(failure))
        return failure

    def write(self) -> None:
        """Write the whole file, or remove it if nothing failed."""
        if self.failures:
            lines = [_line(failure) for _, failure in sorted(self.failures.items())]
            write_text(self.path, "".join(lines))
        else:
            self.path.unlink(missing_ok=True)
        if self.is_alone:
            for path in self.out.iterdir():
                if FAILED.fullmatch(path.name) and path != self.path:
                    path.unlink(missing_ok=True)


def _line(failure: Failure) -> str:
    return json.dumps(dataclasses.asdict(failure)) + "\n"
