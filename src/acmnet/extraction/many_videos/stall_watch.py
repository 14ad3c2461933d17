"""End a worker process whose video makes no progress, and record where it was."""

import faulthandler
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from acmnet.video.frames import Frame

COMPUTE_FACTOR: Final = 10
"""Factor between the time limits of the extractor and of the decoding of a frame."""

HAS_ALARM: Final = hasattr(signal, "setitimer")
"""Whether the system has alarms. Windows has none: there a video that hangs blocks its
worker."""


class Watch:
    """Ends this process if its video makes no progress, even inside native code.

    The place in the code where the process was, or where it crashed, is written to a
    file, which is removed when a video is finished. The limit is an alarm of the
    operating system. It needs neither Python's lock nor its interpreter, so code that
    hangs cannot block it.
    """

    def __init__(self, trace: Path, stall_s: float) -> None:
        self.trace, self.stall_s = trace, stall_s
        self.is_decoded = self.is_over = False
        self.file = trace.open("w")

    def __enter__(self) -> Self:
        """Start the time limit."""
        faulthandler.enable(self.file)
        if HAS_ALARM:
            faulthandler.register(
                signal.SIGALRM, self.file, all_threads=False, chain=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the time limit, and remove the file."""
        if HAS_ALARM:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.unregister(signal.SIGALRM)
        faulthandler.disable()
        self.file.close()
        self.trace.unlink(missing_ok=True)

    def frames(self, reader: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the same frames; each must be decoded within the limit."""
        frames = iter(reader)
        while not self.is_over:
            self._arm(1)
            try:
                frame = next(frames)
            except StopIteration:
                break
            finally:
                self._arm(COMPUTE_FACTOR)
            yield frame
        self.is_decoded = True

    def blocks(
        self, features: Iterable[npt.NDArray[np.float32]]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the same blocks; once all frames are decoded, each resets the limit."""
        for block in features:
            if self.is_decoded:
                self._arm(COMPUTE_FACTOR)
            yield block

    def _arm(self, factor: int) -> None:
        if HAS_ALARM and not self.file.closed:
            signal.setitimer(signal.ITIMER_REAL, factor * self.stall_s)
