"""An extraction's request, its progress and its summary."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, get_args

from acmnet.data.features.failed_videos import Failure
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.records import ExtractionError, VideoRecord
from acmnet.extraction.many_videos.video_search import Recordings
from acmnet.workers.worker_engines import Engine, cores

OnNote = Callable[[str], None]

STALL_S: Final = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionRequest:
    """Which videos `extract_videos` is to extract, where to, and how.

    Raises
    ------
    ExtractionError
        If a value is out of range.
    """

    videos: Mapping[str, Path]
    """Files by video id, as `find_recordings` gives them."""
    tracks: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    """Files of tracks by video id, for an extractor that reads them beside videos."""
    out: Path
    """Directory for the features, new or that of an earlier call."""
    settings: ExtractionSettings
    """The extractor and what its features depend on."""
    workers: int = dataclasses.field(default_factory=cores)
    """Number of processes, from 1; they share the cores."""
    engine: Engine = "local"
    """"local" starts the processes on this machine, "ray" on a Ray cluster."""
    shard: tuple[int, int] | None = None
    """(i, n) extracts only the i-th of n equal parts of the videos, i from 1; None
    extracts all of them."""
    retry_failed: bool = False
    """Whether to try videos again that failed in earlier calls and whose files have not
    changed."""
    stall_s: float = STALL_S
    """Seconds without a decoded frame after which a video is given up, above 0."""
    device: str = "cpu"
    """Device on which a network computes, such as ``"cuda"``."""

    def __post_init__(self) -> None:
        """Refuse a request that cannot be carried out."""
        if not self.videos:
            raise ExtractionError("there are no videos to extract; name some")
        if self.workers < 1:
            raise ExtractionError(f"workers must be at least 1, got {self.workers}")
        if self.engine not in get_args(Engine):
            raise ExtractionError(
                f"engine must be one of {', '.join(get_args(Engine))}; got "
                f"{self.engine!r}"
            )
        if not (math.isfinite(self.stall_s) and self.stall_s > 0):
            raise ExtractionError(f"stall_s must be above 0, got {self.stall_s}")
        if self.shard and not 1 <= self.shard[0] <= self.shard[1]:
            i, n = self.shard
            raise ExtractionError(f"shard must be i/n with i from 1 to n, got {i}/{n}")

    def files_of(self, video: str) -> tuple[Path, ...]:
        """Return the files of a recording, as `Recordings.of` does."""
        return Recordings(self.videos, self.tracks).of(video)

    def own_videos(self) -> dict[str, tuple[Path, ...]]:
        """Return the files of each video of this shard, or of all, sorted by id."""
        i, n = self.shard or (1, 1)
        return {
            video: self.files_of(video) for video in sorted(self.videos)[i - 1 :: n]
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionProgress:
    """How far a call of `extract_videos` has come.

    Videos that were finished before the call do not count.
    """

    total: int = 0
    """Number of videos that this call has to do."""
    total_bytes: int = 0
    """Size of their files together."""
    done: int = 0
    """Number of videos done, those that failed among them."""
    done_bytes: int = 0
    """Size of the files of the videos done."""
    failed: int = 0
    """Number of videos that failed."""
    video_s: float = 0.0
    """Seconds of video of which features were written."""
    elapsed_s: float = 0.0
    """Seconds since the call began to extract."""
    working_s: float = 0.0
    """Seconds of video decoded so far of the videos in progress."""
    working_bytes: float = 0.0
    """Bytes of the files in progress that correspond to ``working_s``, estimated from
    the durations that the files' headers claim."""

    @property
    def rate(self) -> float:
        """Seconds of video extracted in one second."""
        behind_s = self.video_s + self.working_s
        return behind_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float:
        """Seconds that remain, estimated from the bytes done; infinity at first."""
        behind = self.done_bytes + self.working_bytes
        if not behind:
            return math.inf
        return self.elapsed_s * (self.total_bytes / behind - 1)


OnVideo = Callable[[VideoRecord | Failure, ExtractionProgress], None]

OnWorking = Callable[[ExtractionProgress], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExtractionSummary:
    """The outcome of one call of `extract_videos`."""

    done: int
    """Number of videos whose features this call wrote."""
    already: int
    """Number of videos that were finished before."""
    failures: tuple[Failure, ...]
    """Videos without features, sorted by id; those that an earlier call gave up are
    among them."""
    video_s: float
    """Seconds of video of which this call wrote features."""
    wall_s: float
    """Seconds that the call took."""
