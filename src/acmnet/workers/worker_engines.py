"""Run tasks in worker processes of this machine.

Each process makes its worker once and then calls it with one task after another. If a
process dies, only its task is affected: the result of that task is `Lost`, a new
process replaces the dead one, and the caller may put the task into the queue again.
`acmnet.workers.ray_engine` does the same on a Ray cluster.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import Any, Final, Generic, Literal, NamedTuple, Self, TypeVar

import cv2

from acmnet.runtime.startup import PARENT, SAFE_PATH

Task = TypeVar("Task")
Result = TypeVar("Result")
Engine = Literal["local", "ray"]
"""Where workers run: processes of this machine, or actors on a Ray cluster."""
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class EngineError(ValueError):
    """An engine that cannot be started, or that stopped working."""


class Lost(NamedTuple):
    """The result of a task whose process died."""

    how: str
    """How the process ended, such as ``"signal 9"``; empty if unknown."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Site(NamedTuple):
    """What has to be set in a process before its worker can be made."""

    make: Callable[[], Callable[[Any], Any]]
    threads: int
    directory: str
    path: tuple[str, ...]

    def prepare(self) -> None:
        """Limit OpenCV's threads; search for modules where the parent does.

        NumPy and torch read how many threads they may use from the environment.
        """
        with contextlib.suppress(OSError):
            os.chdir(self.directory)
        sys.path += [entry for entry in self.path if entry not in sys.path]
        cv2.setNumThreads(self.threads)


def site_of(make: Callable[[], Callable[[Any], Any]], threads: int) -> Site:
    """Return what a worker process needs to work as if this process did."""
    return Site(make, threads, str(Path.cwd()), tuple(sys.path))


def _serve(tasks: connection.Connection, site: Site) -> None:
    """Work on the tasks that come through the pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    site.prepare()
    worker = None
    with contextlib.suppress(EOFError):
        while True:
            task = tasks.recv()
            worker = worker or site.make()
            tasks.send(worker(task))


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, whatever it is doing.

    A worker that lived on after its run was killed could write into the files that the
    next run resumes from.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


class _Process:
    """A worker process and the pipe to it.

    The pipe closes when the process dies. It is not shared with other processes, so no
    process can die with a lock that others wait for.
    """

    def __init__(self, site: Site) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, site))
        try:
            with without_interrupts():
                self.process.start()
        except OSError as error:
            raise EngineError(
                f"no further process could be started: {error}; use fewer workers"
            ) from error
        theirs.close()

    def result(self) -> Any:
        """Wait for the result of the task."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            return Lost(f"signal {-code}" if code < 0 else f"exit code {code}")

    def stop(self) -> None:
        """End the process, in the middle of its task if it has one."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Protect processes started meanwhile from Ctrl-C; their parent stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LocalEngine(Generic[Task, Result]):
    """Worker processes on this machine; a single worker has its own process, too.

    Parameters
    ----------
    make : callable
        Makes the worker in its process. The callable, tasks and results have to be
        picklable.
    workers : int
        Largest number of processes, at least 1. Each gets an equal share of the cores,
        and at least one core.
    """

    def __init__(
        self, make: Callable[[], Callable[[Task], Result]], workers: int
    ) -> None:
        self.make, self.workers = make, workers
        self.threads = max(1, cores() // workers)
        self.processes: list[_Process] = []

    def __enter__(self) -> Self:
        """Prepare the engine; each process starts when there is a task for it."""
        self.environment = environment(thread_variables(self.threads) | bound_to_us())
        self.environment.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all processes; the tasks that they are working on are lost."""
        for process in self.processes:
            process.stop()
        self.environment.__exit__(None, None, None)

    def results(self, queue: deque[Task]) -> Generator[tuple[Task, Result | Lost]]:
        """Yield each task with its result, as they finish, until the queue is empty.

        A process is given one task at a time. So tasks may be added to the queue, or
        taken from it, after every result.
        """
        running: dict[connection.Connection, tuple[_Process, Task]] = {}
        while queue or running:
            while queue and len(running) < self.workers:
                process = self._process_for(
                    queue[0], {id(p) for p, _ in running.values()}
                )
                running[process.pipe] = process, queue.popleft()
            ready = connection.wait(list(running))
            for pipe in [pipe for pipe in running if pipe in ready]:
                process, task = running.pop(pipe)
                yield task, process.result()

    def _process_for(self, task: Task, busy: set[int]) -> _Process:
        """Give the task to an idle process or to a new one; return the process."""
        for process in list(self.processes):
            if id(process) in busy:
                continue
            with contextlib.suppress(OSError):  # it has died since
                process.pipe.send(task)
                return process
            process.stop()
            self.processes.remove(process)
        process = _Process(site_of(self.make, self.threads))
        self.processes.append(process)
        with contextlib.suppress(OSError):  # it died at once; its closed pipe says so
            process.pipe.send(task)
        return process


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that limit the threads of NumPy and torch.

    The libraries read them once, when a process starts.
    """
    return dict.fromkeys(THREAD_VARIABLES, str(threads)) | SAFE_PATH


def bound_to_us() -> dict[str, str]:
    """Return the variables that make processes end as soon as this one has ended."""
    return {PARENT: str(os.getpid())}


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
