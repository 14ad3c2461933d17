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
    belt = Belt(items, depth, at_once)
    try:
        yield from belt.started()
    finally:
        belt.stop()


class Belt(Generic[Item]):
    """Items on their way from a thread that computes them to the one that uses them.

    Parameters
    ----------
    items : iterable
        Iterated over in the other thread only.
    depth : int
        Batches that may wait; 0 for any number.
    at_once : int
        Items in a batch, at least 1.
    """

    def __init__(self, items: Iterable[Item], depth: int, at_once: int = 1) -> None:
        self._items = items
        self._at_once = at_once
        self._waiting: queue.Queue[deque[Item] | _End] = queue.Queue(depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="acmnet-prefetch", daemon=True
        )

    def started(self) -> Iterator[Item]:
        """Start the thread; return its items, and then what it raised, if it did."""
        self._thread.start()
        return self._handed_over()

    def stop(self) -> None:
        """End the thread after the item that it is computing, and wait for that."""
        self._unwanted.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def _handed_over(self) -> Iterator[Item]:
        while not isinstance(batch := self._waiting.get(), _End):
            # popleft: an item that was handed on is not kept in memory
            while batch:
                yield batch.popleft()
        if batch.error is not None:
            raise batch.error

    def _run(self) -> None:
        """Put every item and then the end into the queue; stop early if unwanted."""
        error: BaseException | None = None
        batch: deque[Item] = deque()
        try:
            for item in self._items:
                batch.append(item)
                if len(batch) == self._at_once:
                    self._put(batch)
                    batch = deque()
                if self._unwanted.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001 - raised in the consuming thread
            error = raised
        if batch:
            self._put(batch)
        self._put(_End(error))

    def _put(self, batch: deque[Item] | _End) -> None:
        while not self._unwanted.is_set():
            try:
                self._waiting.put(batch, timeout=WAIT_S)
            except queue.Full:
                continue
            return


class SharedItems(Generic[Item]):
    """Items that are computed once and given to several readers, each in its thread.

    Parameters
    ----------
    items : iterable
        Iterated over once, by whichever reader needs the next item, never by two at
        the same time.
    readers : int
        Number of readers, at least 1.
    depth : int
        Items that may wait for a reader, at least 1. While that many wait for one
        reader, the others wait, too. So at most ``depth`` items are in memory beside
        those that the readers keep themselves.
    """

    def __init__(self, items: Iterable[Item], readers: int, depth: int) -> None:
        self._items, self._depth = iter(items), depth
        self._waiting: dict[int, deque[Item]] = {k: deque() for k in range(readers)}
        self._changed = threading.Condition()
        self._is_fetching = False
        self._end: _End | None = None

    def reader(self, k: int) -> Iterator[Item]:
        """Yield every item to reader ``k``, and then raise what ``items`` raised."""
        while item := self._next(k):
            yield item[0]
        if self._end is not None and self._end.error is not None:
            raise self._end.error

    def leave(self, k: int) -> None:
        """Keep no more items for reader ``k``, so that the others need not wait."""
        with self._changed:
            self._waiting.pop(k, None)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the items for every reader, also for one that is waiting."""
        with self._changed:
            self._end = self._end or _End(None)
            self._waiting.clear()
            self._changed.notify_all()

    def _next(self, k: int) -> tuple[Item] | None:
        """Return the next item of reader ``k`` in a tuple, or None at the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._can_go_on(k))
                if mine := self._waiting.get(k):
                    item = mine.popleft()
                    self._changed.notify_all()
                    return (item,)
                if self._end is not None:
                    return None
                self._is_fetching = True
            self._fetch()  # without the lock, so that others can take what waits

    def _can_go_on(self, k: int) -> bool:
        """Return whether reader ``k`` has an item, has to end, or can fetch one."""
        if self._waiting.get(k) or self._end is not None:
            return True
        has_room = all(len(items) < self._depth for items in self._waiting.values())
        return has_room and not self._is_fetching

    def _fetch(self) -> None:
        """Compute the next item, for every reader."""
        fetched: list[Item] = []
        end: _End | None = None
        try:
            fetched.append(next(self._items))
        except StopIteration:
            end = _End(None)
        except BaseException as raised:  # noqa: BLE001 - raised in every reader
            end = _End(raised)
        with self._changed:
            for waiting in self._waiting.values():
                waiting.extend(fetched)
            self._end = self._end or end
            self._is_fetching = False
            self._changed.notify_all()


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Make each call of OpenCV in this process use one thread, until this ends."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
