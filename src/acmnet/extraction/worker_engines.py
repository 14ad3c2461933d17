"""Engines run tasks in worker processes, on this machine or on a Ray cluster.

Each process makes its worker once and then calls it with one task after another. If a
process dies, only its task is affected: the result of that task is `Lost`, a new
process replaces the dead one, and the caller may put the task into the queue again.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

import cv2

from acmnet.files import one_line
from acmnet.startup import PARENT, SAFE_PATH

Task = TypeVar("Task")
Result = TypeVar("Result")
THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
ANSWER_S: Final = 10
"""Seconds to wait for a cluster to answer."""


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


class _Site(NamedTuple):
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


def _site(make: Callable[[], Callable[[Any], Any]], threads: int) -> _Site:
    return _Site(make, threads, str(Path.cwd()), tuple(sys.path))


def _serve(tasks: connection.Connection, site: _Site) -> None:
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

    def __init__(self, site: _Site) -> None:
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
        self.environment = environment(_variables(self.threads) | bound_to_us())
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
                process = self._given(queue[0], {id(p) for p, _ in running.values()})
                running[process.pipe] = process, queue.popleft()
            ready = connection.wait(list(running))
            for pipe in [pipe for pipe in running if pipe in ready]:
                process, task = running.pop(pipe)
                yield task, process.result()

    def _given(self, task: Task, busy: set[int]) -> _Process:
        """Give the task to an idle process or to a new one; return the process."""
        for process in list(self.processes):
            if id(process) in busy:
                continue
            with contextlib.suppress(OSError):  # it has died since
                process.pipe.send(task)
                return process
            process.stop()
            self.processes.remove(process)
        process = _Process(_site(self.make, self.threads))
        self.processes.append(process)
        with contextlib.suppress(OSError):  # it died at once; its closed pipe says so
            process.pipe.send(task)
        return process


def _variables(threads: int) -> dict[str, str]:
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


class RayEngine(Generic[Task, Result]):
    """Workers on a Ray cluster: a running one, or one started on this machine.

    The cluster is the one that the environment variable ``RAY_ADDRESS`` names, or else
    one that ``ray start --head`` started on this machine. Without such a cluster, or
    where ``RAY_ADDRESS`` is ``local``, one is started on this machine and stopped at
    the end. All nodes need the same version of acmnet, and the files at the same paths.

    Parameters
    ----------
    make, workers
        As in `LocalEngine`. Each worker is a Ray actor; a lost actor is replaced.
    """

    def __init__(self, make: Callable[[], Callable[[Task], Result]], workers: int):
        self.make, self.workers = make, workers
        self.threads = 1

    def __enter__(self) -> Self:
        """Find or start the cluster, and start the actors."""
        self.ray = _import_ray()
        self.is_guest = bool(self.ray.is_initialized())
        if not self.is_guest:
            _connect(self.ray, max(self.workers, cores()))
        nodes = [n["Resources"].get("CPU", 0) for n in self.ray.nodes() if n["Alive"]]
        share = sum(nodes) / self.workers
        self.threads = max(1, int(min(share, max(nodes))))
        remote = self.ray.remote(
            num_cpus=self.threads if share >= 1 else round(share, 2),
            runtime_env={"env_vars": _variables(self.threads)},
        )(_Actor)
        site = _site(self.make, self.threads)
        self.new_actor = functools.partial(remote.remote, site)
        self.actors = [self.new_actor() for _ in range(self.workers)]
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the actors, and the cluster if it was started here."""
        for actor in self.actors:
            self.ray.kill(actor)
        if not self.is_guest:
            self.ray.shutdown()

    def results(self, queue: deque[Task]) -> Generator[tuple[Task, Result | Lost]]:
        """Yield each task with its result; see `LocalEngine.results`."""
        ray, idle = self.ray, list(self.actors)
        running: dict[Any, tuple[Any, Task]] = {}
        while queue or running:
            while queue and idle:
                actor, task = idle.pop(), queue.popleft()
                running[actor.work.remote(task)] = actor, task
            for reference in ray.wait(list(running))[0]:
                actor, task = running.pop(reference)
                result: Result | Lost
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError:
                    raise
                except ray.exceptions.RayError:
                    actor, result = self._replaced(actor), Lost("")
                idle.append(actor)
                yield task, result

    def _replaced(self, actor: Any) -> Any:
        """Return a new actor in place of a lost one."""
        self.ray.kill(actor)  # it may still be alive, out of reach, and write files
        self.actors.remove(actor)
        self.actors.append(self.new_actor())
        return self.actors[-1]


class _Actor:
    """A worker on a cluster."""

    def __init__(self, site: _Site) -> None:
        site.prepare()
        self.site = site
        self.worker: Callable[[Any], Any] | None = None

    def work(self, task: Any) -> Any:
        """Return the result of one task."""
        if self.worker is None:
            self.worker = self.site.make()
        return self.worker(task)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise EngineError(
            "the engine ray needs Ray; install it with: pip install 'acmnet[ray]'"
        ) from None
    return ray


def _connect(ray: Any, n_cpus: int) -> None:
    """Connect to the cluster, or start one with this number of CPUs."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    address = _cluster()
    # Ray lets its workers import from the directory in which it is initialised
    installed = Path(__file__).parents[2]
    if address is None:
        with contextlib.chdir(installed), environment(SAFE_PATH):
            ray.init(address="local", num_cpus=n_cpus, include_dashboard=False, **quiet)
        return
    try:
        with contextlib.chdir(installed):
            ray.init(address=address, **quiet)
    except ConnectionError as error:
        raise EngineError(
            f"the Ray cluster at {address} cannot be joined: {one_line(error)}; give "
            "RAY_ADDRESS as ray start printed it, or RAY_ADDRESS=local"
        ) from error


def _cluster() -> str | None:
    """Return the address of the cluster to connect to; None to start one.

    Ray's own search would wait for minutes for a cluster that was killed.
    """
    named = os.environ.get("RAY_ADDRESS", "auto")
    if named == "local":
        return None
    if named != "auto":
        if not _is_answering(named):
            raise EngineError(
                f"no Ray cluster answers at RAY_ADDRESS={named}; correct it, or unset "
                "it to start one on this machine"
            )
        return named
    temporary = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir()))
    note = temporary / "ray" / "ray_current_cluster"  # written by ray start --head
    address = note.read_text().strip() if note.exists() else ""
    return address if address and _is_answering(address) else None


def _is_answering(address: str) -> bool:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, ValueError):
        return False
    return True
