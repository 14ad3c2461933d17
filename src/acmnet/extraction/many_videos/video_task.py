"""Extract one video: its file becomes features and a record, within a time limit."""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from acmnet.data.features.failed_videos import Failure, Kind, fingerprint
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.features.feature_store import write_features
from acmnet.data.tracks.tracks import TrackError
from acmnet.extraction.extractors.extractor import Extractor, manifest_of
from acmnet.extraction.extractors.file_readers import Reader, opened
from acmnet.extraction.many_videos.records import (
    ExtractionError,
    VideoRecord,
    claim_store,
    forget,
    place_file,
    trace_file,
    write_record,
)
from acmnet.extraction.many_videos.shot_boundaries import ShotBoundaries
from acmnet.extraction.many_videos.stall_watch import COMPUTE_FACTOR, Watch
from acmnet.files.file_access import FileError, sha256_of
from acmnet.limits import LONGEST_NAME_BYTES
from acmnet.messages import counted
from acmnet.names import unfit
from acmnet.video.containers import refuse_no_file
from acmnet.video.frames import Frame, FrameReader, VideoError
from acmnet.workers.prefetching_threads import prefetch

FRAMES_AT_ONCE: Final = 8
"""Frames that are handed to the extractor together, because each handing over wakes a
thread."""

BATCHES_AHEAD: Final = 2
"""Batches of `FRAMES_AT_ONCE` frames that may wait for the extractor. Two more are
being filled and used."""

FRAMES_AHEAD: Final = (BATCHES_AHEAD + 2) * FRAMES_AT_ONCE
"""Decoded frames in memory on their way to the extractor, at most."""

REPORT_EVERY_S: Final = 1.0
"""Seconds after which a worker states again how far it has come in its video."""


class VideoTask(NamedTuple):
    """A video whose features are to be extracted."""

    video: str
    path: Path
    size: int = 0
    """Size of the file in bytes."""
    second: tuple[Path, ...] = ()
    """The file of tracks that is read beside the video, if there is one."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the recording, the video first."""
        return (self.path, *self.second)


Result = VideoRecord | Failure


class Prepared(NamedTuple):
    """An extractor's description of itself, made before the first video."""

    manifest: FeatureManifest
    frame_side: int


class VideoWorker:
    """Makes the extractor once in its process, and extracts one video after another."""

    def __init__(
        self, make: Callable[[], Extractor], name: str, out: Path, stall_s: float
    ) -> None:
        self.make, self.name = make, name
        self.out, self.stall_s = out, stall_s
        self.made: Extractor | None = None

    def __call__(self, task: VideoTask | None) -> Prepared | Result:
        """Extract a video; or, for None, return the extractor's description.

        A failure is returned, never raised, so that the other videos can go on.
        """
        try:
            if self.made is None:
                extractor = self.make()
                if task is not None:
                    self._refuse_other(extractor)
                self.made = extractor
            if task is None:
                return prepared(self.name, self.made)
            return extract_video(task, self.made, self.out, self.stall_s)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's own code
            return _failed(task or VideoTask("", Path()), error)

    def _refuse_other(self, extractor: Extractor) -> None:
        """Refuse if this worker's features differ from those of the first worker.

        On a cluster they can, where machines have other versions of torch or other
        processors.
        """
        try:
            claim_store(self.out, prepared(self.name, extractor).manifest)
        except ExtractionError as error:
            raise _StoreError(f"this worker is not like the first: {error}") from error


def prepared(name: str, extractor: Extractor) -> Prepared:
    """Return an extractor's description of itself in values that JSON can hold."""
    manifest = manifest_of(name, extractor)
    settings = json.loads(json.dumps(manifest.settings))
    versions = {**manifest.versions, "av": av.__version__, "opencv": cv2.__version__}
    manifest = dataclasses.replace(manifest, settings=settings, versions=versions)
    return Prepared(manifest, extractor.frame_side)


class _StoreError(ValueError):
    """Nothing can be written any more, so the other videos need not be tried."""


def extract_video(
    task: VideoTask, extractor: Extractor, out: Path, stall_s: float
) -> VideoRecord:
    """Write the features of one video, then its record, and return it.

    Parameters
    ----------
    task : VideoTask
        The video.
    extractor : Extractor
        Its `describe` is called once.
    out : Path
        The directory for features, in which there is one for records.
    stall_s : float
        Seconds, above 0, within which the next frame must be decoded; otherwise this
        process ends itself. The features of the frames decoded so far may take
        `COMPUTE_FACTOR` times as long.

    Raises
    ------
    VideoError, TrackError
        If the video or the file of tracks cannot be read or has no frames.
    FeatureError
        If the extractor returns no features, features that are not finite, or another
        number of rows or columns than it states.
    """
    started = time.monotonic()
    _refuse_unfit_name(task.video)
    refuse_no_file(task.path)
    try:
        source = fingerprint(*task.files)
    except OSError as error:
        raise VideoError(
            f"{task.path} could not be read: {error.strerror}; check its permissions"
        ) from error
    with _storing(out):
        forget(out, task.video)
        watch = Watch(trace_file(out, task.video), stall_s)
    reader = opened(task.files, extractor)
    has_pictures = isinstance(reader, FrameReader)
    boundaries = ShotBoundaries(extractor.grid.fps) if has_pictures else None
    place = place_file(out, task.video)
    features = _features(task, reader, extractor, watch, place, boundaries)
    with _storing(out):
        path = write_features(out, task.video, features)
        record = VideoRecord(
            video=task.video,
            source=" + ".join(file.name for file in task.files),
            source_bytes=int(source.partition("-")[0]),
            fingerprint=source,
            n_frames=reader.n_frames,
            n_decoded=reader.n_decoded,
            skipped_packets=reader.skipped_packets,
            duration_s=reader.duration_s,
            n_snippets=len(features),
            sha256=sha256_of(path),
            seconds=round(time.monotonic() - started, 3),
            cuts_s=None if boundaries is None else boundaries.cuts_s,
        )
        write_record(out, record)
    return record


def _features(
    task: VideoTask,
    reader: Reader,
    extractor: Extractor,
    watch: Watch,
    place: Path,
    boundaries: ShotBoundaries | None,
) -> npt.NDArray[np.float32]:
    """Return the (T, D) features of a video; ``boundaries`` then knows its cuts.

    The file ``place`` states meanwhile how far the worker has come.
    """
    try:
        with watch:
            frames = _placed(watch.frames(reader), reader, place)
            if boundaries is not None:
                frames = boundaries.watched(frames)
            blocks = _describe(frames, extractor, watch)
    finally:
        place.unlink(missing_ok=True)
    if not reader.n_frames:
        raise VideoError(f"{task.path} has no frames; leave it out")
    return _joined(task, blocks, extractor, reader.n_frames)


def _refuse_unfit_name(video: str) -> None:
    """Refuse a video whose name cannot be that of its features or its record.

    Raises
    ------
    VideoError
        If the name of a file would be too long, or the video's name has a character
        that names must not have.
    """
    if strange := unfit(video):
        raise VideoError(f"the file's name has {strange} in it; rename the file")
    n_bytes = len(os.fsencode(video))
    most = LONGEST_NAME_BYTES - len(trace_file(Path(), "").name)
    if n_bytes > most:
        raise VideoError(
            f"the file's name has {n_bytes} bytes without its suffix, more than "
            f"{most}, so that features cannot be called after it; rename the file"
        )


@contextlib.contextmanager
def _storing(out: Path) -> Iterator[None]:
    try:
        yield
    except FileError as error:
        raise _StoreError(f"{error}; then give the same command again") from error
    except OSError as error:
        raise _StoreError(
            f"{out} cannot be written to: {error.strerror}; make room there, or name "
            "another directory, and call again"
        ) from error


def _placed(frames: Iterable[Frame], reader: Reader, place: Path) -> Iterator[Frame]:
    """Yield the same frames; write once a second to a file how far they have come."""
    told_at = time.monotonic()
    for frame in frames:
        yield frame
        if time.monotonic() - told_at >= REPORT_EVERY_S:
            told_at = time.monotonic()
            # a report of progress that cannot be written is no reason to fail
            with contextlib.suppress(OSError):
                place.write_text(f"{reader.duration_s:.2f} {reader.claimed_s:.2f}")


def _describe(
    frames: Iterator[Frame], extractor: Extractor, watch: Watch
) -> list[npt.NDArray[np.float32]]:
    """Return the blocks of features of a video; a thread decodes frames ahead."""
    frames = prefetch(frames, BATCHES_AHEAD, FRAMES_AT_ONCE)
    try:
        blocks = list(watch.blocks(extractor.describe(frames)))
        for _ in frames:
            pass
    finally:
        watch.is_over = True
        # a thread of the extractor may still be using the iterator
        with contextlib.suppress(ValueError):
            frames.close()
    return blocks


def _joined(
    task: VideoTask,
    blocks: list[npt.NDArray[np.float32]],
    extractor: Extractor,
    n_frames: int,
) -> npt.NDArray[np.float32]:
    """Return all blocks as one (T, D) array; refuse a wrong number of rows."""
    for block in blocks:
        if np.ndim(block) != 2 or np.shape(block)[1] != extractor.dimension:
            raise FeatureError(
                f"the extractor gave a block of shape {np.shape(block)} for "
                f"{task.video!r}, it says its dimension is {extractor.dimension}; "
                "yield arrays of shape (n, D)"
            )
    n_snippets = sum(len(block) for block in blocks)
    expected = extractor.grid.n_snippets(n_frames)
    if n_snippets != expected:
        raise FeatureError(
            f"the extractor gave {counted(n_snippets, 'snippet')} for the "
            f"{counted(n_frames, 'frame')} of {task.video!r}, its grid has "
            f"{expected}; mend it, or its grid"
        )
    return np.concatenate(blocks).astype(np.float32, copy=False)


def post_mortem(task: VideoTask, out: Path, cause: str, stall_s: float) -> Failure:
    """Return why the process of a video ended, according to the files that it left."""
    trace = trace_file(out, task.video)
    words = trace.read_text(errors="replace") if trace.exists() else ""
    trace.unlink(missing_ok=True)
    crash = re.search(r"Fatal Python error: (.+)", words)
    if crash:
        return _failure(task, "died", f"the process crashed ({crash[1]})")
    if words:
        return _failure(
            task,
            "stalled",
            f"made no progress for {stall_s:g} s (or, while features were computed, "
            f"for {COMPUTE_FACTOR * stall_s:g} s)",
        )
    cause = f" ({cause})" if cause else ""
    return _failure(task, "died", f"the process died{cause}; out of memory?")


def _failed(task: VideoTask, error: BaseException) -> Failure:
    """Return an error as a failure; an unexpected one states its place in the code."""
    if isinstance(error, VideoError | TrackError):
        return _failure(task, "video", str(error))
    if isinstance(error, _StoreError):
        return _failure(task, "store", str(error))
    if isinstance(error, ValueError) and type(error).__module__.startswith("acmnet"):
        return _failure(task, "extractor", str(error))
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return _failure(task, "extractor", f"{type(error).__name__}: {error} ({where})")


def _failure(task: VideoTask, kind: Kind, reason: str) -> Failure:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    try:
        source = fingerprint(*task.files)
    except OSError:
        source = ""
    return Failure(
        video=task.video,
        file=str(task.path),
        reason=reason,
        kind=kind,
        when=now,
        fingerprint=source,
    )
