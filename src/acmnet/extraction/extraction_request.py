"""What is asked of an extraction, how far it has come, and what it came to."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from acmnet.data.failed_videos import Failure
from acmnet.extraction.extractors import ExtractionSettings
from acmnet.extraction.records import ExtractionError, VideoRecord
from acmnet.extraction.worker_engines import cores

OnNote = Callable[[str], None]

Engine = Literal["local", "ray"]

STALL_S: Final = 60.0


@dataclasses.dataclass(frozen=True)
class ExtractionRequest:
    """Everything that `extract_videos` needs to know.

    Raises
    ------
    ExtractionError
        If a value cannot be meant.
    """

    videos: Mapping[str, Path]
    """Files by video id, as `find_videos` gives them."""
    out: Path
    """The store of features, new or of an earlier call."""
    settings: ExtractionSettings
    workers: int = dataclasses.field(default_factory=cores)
    """Processes, from 1; they share the cores."""
    engine: Engine = "local"
    shard: tuple[int, int] | None = None
    """(i, n): only the i-th of n equal parts of the videos, i from 1."""
    retry_failed: bool = False
    """Try all videos again that failed in an earlier call."""
    stall_s: float = STALL_S
    """Seconds without a decoded frame after which a video is given up, above 0."""
    device: str = "cpu"
    """Where a network computes."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
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

    def own_videos(self) -> dict[str, Path]:
        """Return the videos of this shard, sorted by id; all where there are none."""
        i, n = self.shard or (1, 1)
        return {video: self.videos[video] for video in sorted(self.videos)[i - 1 :: n]}


@dataclasses.dataclass(frozen=True)
class ExtractionProgress:
    """How far a call has come; what was finished before it does not count."""

    total: int = 0
    """Videos that this call is to do."""
    total_bytes: int = 0
    """Of their files."""
    done: int = 0
    """Videos behind us, with those that failed."""
    done_bytes: int = 0
    failed: int = 0
    video_s: float = 0.0
    """Seconds of video that features were written of."""
    elapsed_s: float = 0.0
    working_s: float = 0.0
    """Seconds decoded of videos that are being done."""
    working_bytes: float = 0.0
    """Their share of the files, judged by the durations that headers claim."""

    @property
    def rate(self) -> float:
        """Seconds of video a second."""
        behind_s = self.video_s + self.working_s
        return behind_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float:
        """Seconds still to wait, judged by the bytes behind us; infinity at first."""
        behind = self.done_bytes + self.working_bytes
        if not behind:
            return math.inf
        return self.elapsed_s * (self.total_bytes / behind - 1)


OnVideo = Callable[[VideoRecord | Failure, ExtractionProgress], None]

OnWorking = Callable[[ExtractionProgress], None]


@dataclasses.dataclass(frozen=True)
class ExtractionSummary:
    """What a call came to."""

    done: int
    """Videos whose features this call wrote."""
    already: int
    """Videos that were finished before."""
    failures: tuple[Failure, ...]
    """Videos without features, by id, also those that an earlier call gave up."""
    video_s: float
    """Seconds of video done by this call."""
    wall_s: float
    """Seconds that it took."""
