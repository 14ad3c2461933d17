"""The list of videos whose features could not be made: ``failed.jsonl`` in a store.

A shard of an extraction writes its own list, such as ``failed.3-of-16.jsonl``. A video
that has features is no longer a failure, whatever an older line says.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.stored_features import RECORDS
from acmnet.files.file_access import open_regular
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_content

SAMPLE_BYTES: Final = 1 << 16
"""Length of each stretch of a file that its fingerprint covers."""
SAMPLES: Final = 16
"""How many stretches of a long file its fingerprint covers."""
MOST_CALLS: Final = 2
"""Calls in which a video may kill or stall its process before it is skipped."""
FAILED: Final = re.compile(r"failed(\.\d+-of-\d+)?\.jsonl")
"""Names of the lists of a whole extraction and of its shards."""

Kind = Literal["video", "extractor", "died", "stalled", "store"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """A video whose features could not be made, and why."""

    video: str
    """The video's id."""
    file: str
    """The path that the video was to be read from."""
    reason: str
    """One sentence that the user can act on."""
    kind: Kind
    """What is at fault. ``video``: the file. ``extractor``: the extractor's code, or
    the features that it returned. ``store``: the features could not be written.
    ``died`` and ``stalled``: the process ended or made no progress, cause unknown."""
    when: str
    """Time of the failure, ISO 8601 in UTC."""
    fingerprint: str = ""
    """What `fingerprint` says of the files; empty where one could not be read."""
    calls: int = 1
    """Number of successive calls in which the video failed in this way."""

    def is_settled(self, *files: Path) -> bool:
        """Return whether another attempt with these files would fail for certain.

        It would for an unchanged file that cannot be decoded, or that ended or stalled
        its process in `MOST_CALLS` calls. After a fault of the extractor another
        attempt is always worth it, because the extractor's code may have been repaired.
        """
        if self.kind in ("extractor", "store") or not self.fingerprint:
            return False
        if self.kind != "video" and self.calls < MOST_CALLS:
            return False
        try:
            return self.fingerprint == fingerprint(*files)
        except OSError:
            return False


def fingerprint(*files: Path) -> str:
    """Return what tells the files of a recording from others that took their place.

    Those of several files are joined by "+". That of a file consists of its size and of
    a SHA-256 over 16 stretches of 64 KiB, which are evenly spaced from the first byte
    to the last. They cover everything of a file of up to 1 MiB. A copy of a file, or a
    file with a new date, has the same fingerprint. A change inside a larger file goes
    unnoticed if it moves nothing and touches no stretch.
    """
    return "+".join(map(_fingerprint_of_file, files))


def _fingerprint_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path, "video") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= SAMPLES * SAMPLE_BYTES:
            digest.update(file.read())
        else:
            for i in range(SAMPLES):
                file.seek((size - SAMPLE_BYTES) * i // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return f"{size}-{digest.hexdigest()[:32]}"


def read_failures(out: str | Path) -> dict[str, Failure]:
    """Return the newest failure of each video that is not finished, sorted by id."""
    out = Path(out)
    paths = [p for p in out.iterdir() if FAILED.fullmatch(p.name)]
    lines = sorted(
        (line for p in paths for line in failures_in(p)), key=lambda f: f.when
    )
    newest = {failure.video: failure for failure in lines}
    return {
        video: failure
        for video, failure in sorted(newest.items())
        if not (out / RECORDS / f"{video}.json").exists()
    }


def failures_in(path: Path) -> Iterator[Failure]:
    """Yield the failures that one file lists; lines that cannot be read are skipped."""
    content = read_content(path, "list of failures", FeatureError)
    for line in content.decode("utf-8", "replace").splitlines():
        try:
            values = parse_json(str(path), line, "failure", FeatureError)
            yield Failure(**values)  # type: ignore[arg-type]  # no object: TypeError
        except (FeatureError, TypeError):
            continue
