"""Extract features of many videos: in parallel, resumable, skipping broken videos."""

import contextlib
import dataclasses
import errno
import functools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from acmnet.data.features.failed_videos import Failure
from acmnet.data.features.feature_manifest import (
    MANIFEST_NAME,
    FeatureManifest,
    read_manifest,
)
from acmnet.data.features.stored_features import RECORDS
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import parts_of
from acmnet.extraction.extractors.i3d_choices import without_search
from acmnet.extraction.many_videos.extraction_request import (
    ExtractionProgress,
    ExtractionRequest,
    ExtractionSummary,
    OnNote,
    OnVideo,
    OnWorking,
)
from acmnet.extraction.many_videos.records import (
    ExtractionError,
    FailureLog,
    VideoRecord,
    claim_store,
    finished,
    places,
    remove_parts,
)
from acmnet.extraction.many_videos.video_task import (
    FRAMES_AHEAD,
    Prepared,
    Result,
    VideoTask,
    VideoWorker,
    post_mortem,
)
from acmnet.extraction.shipped_extractors import SHIPPED, make_extractor
from acmnet.files.file_access import FileError, make_folder, refuse_address, unwritten
from acmnet.messages import counted
from acmnet.runtime.devices import NO_BF16_NOTE
from acmnet.workers.ray_engine import RayEngine
from acmnet.workers.worker_engines import LocalEngine, Lost

LOOK_S: Final = 2.0
"""Seconds between two reports of how far the workers have come."""


def extract_videos(
    request: ExtractionRequest,
    *,
    on_video: OnVideo = lambda *_: None,
    on_note: OnNote = lambda _: None,
    on_working: OnWorking = lambda _: None,
) -> ExtractionSummary:
    """Extract the features of many videos into a directory, and report on each video.

    A video is finished once its ``.npy`` file and then its record have been renamed
    into place. It is not done again as long as its features have the checksum in the
    record and its video file has not changed. So a call that was cut short is simply
    repeated. Where nothing is left to do, the extractor is not made, which takes
    seconds.

    A video that fails is listed in ``failed.jsonl`` with the reason, and the other
    videos go on. The next call tries it again, unless its file is unchanged and either
    cannot be decoded or ended its process in two calls.

    Parameters
    ----------
    request : ExtractionRequest
        Which videos to extract, where to, and with which extractor.
    on_video : callable
        Called with each video's record or failure, and with the progress.
    on_note : callable
        Called with each sentence that the user should be told.
    on_working : callable
        Called with the progress every `LOOK_S` seconds, from another thread.

    Raises
    ------
    ExtractionError, ExtractorError, FeatureError, EngineError
        If nothing can be extracted, or the directory holds other features.

    Notes
    -----
    A worker has in memory the extractor, the features of one video (T * D * 4 bytes),
    at most `FRAMES_AHEAD` frames that wait for the extractor, and the frames that
    decoder and extractor keep themselves.
    """
    return _Extraction(request, on_video, on_note, on_working).run()


class _Extraction:
    """One call of `extract_videos`."""

    def __init__(
        self,
        request: ExtractionRequest,
        on_video: OnVideo,
        on_note: OnNote,
        on_working: OnWorking,
    ) -> None:
        self.request, self.on_video, self.on_note = request, on_video, on_note
        self.on_working = on_working
        self.out, self.videos = request.out.absolute(), request.own_videos()
        self.shard = ".{}-of-{}".format(*request.shard) if request.shard else ""
        self.log: FailureLog | None = None
        self.died: set[str] = set()
        self.already, self.progress = 0, ExtractionProgress()
        self.began = time.monotonic()

    def run(self) -> ExtractionSummary:
        """Extract the videos and return the summary."""
        started = time.monotonic()
        try:
            if self.videos:
                self._extract()
            else:
                self.on_note("this shard is empty: there are more shards than videos")
        except FileError as error:
            raise ExtractionError(str(error)) from error
        except OSError as error:
            raise ExtractionError(
                f"{self.out} cannot be used as a store: {error}; make room there, "
                "check its permissions, or name another directory"
            ) from error
        finally:
            # all workers have ended, so none of them can be writing
            if self.log:
                self.log.write()
                remove_parts(self.out, self.videos, self.shard)
        failures = self.log.failures if self.log else {}
        return ExtractionSummary(
            done=self.progress.done - self.progress.failed,
            already=self.already,
            failures=tuple(
                failures[video] for video in self.videos if video in failures
            ),
            video_s=self.progress.video_s,
            wall_s=time.monotonic() - started,
        )

    def _extract(self) -> None:
        request = self.request
        _refuse_file(self.out)
        log, tasks = self._prepared() if self._is_of_request() else (None, [])
        if log and not tasks:
            return
        make = functools.partial(
            VideoWorker,
            functools.partial(make_extractor, request.settings, request.device),
            request.settings.extractor,
            self.out,
            request.stall_s,
        )
        engine = RayEngine if request.engine == "ray" else LocalEngine
        queue: deque[VideoTask | None] = deque([None])
        with engine(make, min(request.workers, len(self.videos))) as workers:
            results = workers.results(queue)
            prepared = _refuse_unprepared(next(results)[1], request.settings)
            claim_store(self.out, prepared.manifest)
            if log is None:
                log, tasks = self._prepared()
            queue.extend(tasks)
            if queue:
                if _is_held(request.settings, prepared.manifest):
                    self.on_note(NO_BF16_NOTE)
                self.on_note(
                    _plan(workers.workers, workers.threads, prepared.frame_side)
                )
            self.began = time.monotonic()
            with self._looking({task.video: task for task in queue if task}):
                for task, result in results:
                    if task and not self._take(log, task, result):
                        queue.append(task)

    def _is_of_request(self) -> bool:
        """Whether the directory is known to hold features of the request's settings."""
        has_manifest = (self.out / MANIFEST_NAME).exists()
        return has_manifest and self.request.settings.are_of(read_manifest(self.out))

    @contextlib.contextmanager
    def _looking(self, tasks: Mapping[str, VideoTask]) -> Iterator[None]:
        """Report from a thread how far the workers have come, until this ends."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_S):
                seconds, share = self._in_work(tasks)
                elapsed_s = time.monotonic() - self.began
                self.on_working(
                    dataclasses.replace(
                        self.progress,
                        working_s=seconds,
                        working_bytes=share,
                        elapsed_s=elapsed_s,
                    )
                )

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _in_work(self, tasks: Mapping[str, VideoTask]) -> tuple[float, float]:
        """Return the seconds and the bytes done of the videos in progress."""
        behind_s = behind_bytes = 0.0
        for path, video in places(self.out):
            try:
                done_s, claimed_s = map(float, path.read_text().split())
                task = tasks[video]
            except (
                OSError,
                ValueError,
                KeyError,
            ):  # finished meanwhile, or of another shard
                continue
            behind_s += done_s
            if claimed_s:
                behind_bytes += task.size * min(done_s / claimed_s, 1.0)
        return behind_s, behind_bytes

    def _prepared(self) -> tuple[FailureLog, list[VideoTask]]:
        """Prepare the directory; return its failures, and the videos to be done.

        The largest file comes first, so that no single worker is left with a long video
        at the end.
        """
        log = self.log = FailureLog(self.out, self.shard, self.videos)
        make_folder(self.out / RECORDS)
        remove_parts(self.out, self.videos, self.shard)
        log.write()
        given_up, tasks = 0, []
        for video, files in self.videos.items():
            failure = log.failures.get(video)
            tries_again = self.request.retry_failed
            if finished(self.out, video, *files):
                self.already += 1
            elif failure and not tries_again and failure.is_settled(*files):
                given_up += 1
            else:
                path, *second = (file.absolute() for file in files)
                tasks.append(VideoTask(video, path, _size(path), tuple(second)))
        if self.already:
            self.on_note(
                f"{counted(self.already, 'video')} finished before and not done again"
            )
        if given_up:
            self.on_note(
                f"{counted(given_up, 'video')} failed before and their files are the "
                "same, so they are not tried again; --retry-failed tries them"
            )
        total_bytes = sum(task.size for task in tasks)
        self.progress = ExtractionProgress(total=len(tasks), total_bytes=total_bytes)
        return log, sorted(tasks, key=lambda task: -task.size)

    def _take(
        self, log: FailureLog, task: VideoTask, result: Prepared | Result | Lost
    ) -> bool:
        """Record the result of a video; return False if it has to be done again."""
        if isinstance(result, Lost):
            result = post_mortem(task, self.out, result.how, self.request.stall_s)
            if result.kind == "died" and task.video not in self.died:
                self.died.add(task.video)
                self.on_note(f"{task.video}: {result.reason} It is tried once more.")
                return False
        if isinstance(result, VideoRecord):
            log.failures.pop(task.video, None)
            self._advance(task, video_s=result.duration_s)
            self.on_video(result, self.progress)
        elif isinstance(result, Failure):
            if result.kind == "store":
                raise ExtractionError(result.reason)
            self._advance(task, failed=1)
            self.on_video(log.add(result), self.progress)
        return True

    def _advance(self, task: VideoTask, *, video_s: float = 0, failed: int = 0) -> None:
        before = self.progress
        self.progress = dataclasses.replace(
            before,
            done=before.done + 1,
            done_bytes=before.done_bytes + task.size,
            failed=before.failed + failed,
            video_s=before.video_s + video_s,
            elapsed_s=time.monotonic() - self.began,
        )


def _refuse_file(out: Path) -> None:
    """Refuse a directory that is an address, a file, or below one, before work is done.

    Raises
    ------
    FileError
        The message names the file.
    """
    refuse_address(out)
    nearest = next(path for path in (out, *out.parents) if path.exists())
    if not nearest.is_dir():
        raise unwritten(
            out, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        )


def _refuse_unprepared(
    prepared: Prepared | Result | Lost, settings: ExtractionSettings
) -> Prepared:
    """Return the extractor's description of itself, or refuse the whole extraction."""
    if isinstance(prepared, Failure):
        raise ExtractionError(prepared.reason)
    if not isinstance(prepared, Prepared):
        cause = prepared.how if isinstance(prepared, Lost) else ""
        raise ExtractionError(
            f"the process died ({cause or 'for an unknown reason'}) while it made the "
            f"extractor {settings.extractor!r}; out of memory?"
        )
    return prepared


def _is_held(settings: ExtractionSettings, manifest: FeatureManifest) -> bool:
    """Return whether I3D computes in another precision than the settings ask for."""
    held = manifest.settings.get("precision")
    is_ours = any(part in SHIPPED for part in parts_of(settings.extractor))
    return is_ours and held not in (None, without_search(settings.precision))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _plan(workers: int, threads: int, frame_side: int) -> str:
    """Return the sentence on the processes, threads and frames that are used."""
    plan = (
        f"extracting in {counted(workers, 'process')} of {counted(threads, 'thread')}"
    )
    if not frame_side:  # tracks, not pictures
        return plan
    return (
        f"{plan}; each holds at most {FRAMES_AHEAD} frames of {frame_side} pixels on "
        "the shorter side"
    )
