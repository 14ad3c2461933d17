"""Threads: work done ahead in another thread, and OpenCV kept to a single thread.

ffmpeg, OpenCV and torch release Python's lock while they compute. So one thread decodes
while another computes features, without further processes.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

import cv2

Item = TypeVar("Item")
WAIT_S: Final = 0.05
"""Seconds after which a waiting producer checks whether its items are still wanted."""


class _End(NamedTuple):
    """The last thing in the queue: the producer is done, or has failed."""

    error: BaseException | None


def prefetch(items: Iterable[Item], depth: int, at_once: int = 1) -> Generator[Item]:
    """Yield the same items in the same order; another thread computes them ahead.

    Parameters
    ----------
    items : iterable
        Iterated over in the other thread only.
    depth : int
        Batches that may wait, at least 1.
    at_once : int
        Items in a batch, at least 1. At most ``(depth + 2) * at_once`` items are in
        memory. Larger batches wake the other thread less often, but come later.

    Raises
    ------
    ValueError
        If ``depth`` or ``at_once`` is below 1.
    BaseException
        What ``items`` raises is raised here, after the items before it.

    Notes
    -----
    Closing the generator, or dropping the last reference to it, stops the thread after
    the item that it is computing.

    Examples
    --------
    >>> list(prefetch((x * x for x in range(4)), depth=2))
    [0, 1, 4, 9]
    """
    for name, value in (("depth", depth), ("at_once", at_once)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    belt: _Belt[Item] = _Belt(items, depth, at_once)
    thread = threading.Thread(target=belt.run, name="acmnet-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(batch := belt.waiting.get(), _End):
            # popleft: an item that was handed on is not kept in memory
            while batch:
                yield batch.popleft()
        if batch.error is not None:
            raise batch.error
    finally:
        belt.unwanted.set()
        thread.join()


class _Belt(Generic[Item]):
    """The queue between the producing and the consuming thread."""

    def __init__(self, items: Iterable[Item], depth: int, at_once: int) -> None:
        self.items = items
        self.at_once = at_once
        self.waiting: queue.Queue[deque[Item] | _End] = queue.Queue(depth)
        self.unwanted = threading.Event()

    def run(self) -> None:
        """Put every item and then the end into the queue; stop early if unwanted."""
        error: BaseException | None = None
        batch: deque[Item] = deque()
        try:
            for item in self.items:
                batch.append(item)
                if len(batch) == self.at_once:
                    self._put(batch)
                    batch = deque()
                if self.unwanted.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001 - raised in the consuming thread
            error = raised
        if batch:
            self._put(batch)
        self._put(_End(error))

    def _put(self, batch: deque[Item] | _End) -> None:
        while not self.unwanted.is_set():
            try:
                self.waiting.put(batch, timeout=WAIT_S)
            except queue.Full:
                continue
            return


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Make each call of OpenCV in this process use one thread, until this ends."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
