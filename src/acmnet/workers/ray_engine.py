"""Run tasks in worker processes of a Ray cluster.

It works as `acmnet.workers.worker_engines.LocalEngine` does: a worker that dies is
replaced, and the result of its task is `Lost`.
"""

import contextlib
import functools
import math
import os
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final, Generic, Self

from acmnet.messages import one_line
from acmnet.runtime.startup import SAFE_PATH
from acmnet.workers.worker_engines import (
    EngineError,
    Lost,
    Result,
    Site,
    Task,
    cores,
    environment,
    site_of,
    thread_variables,
)

ANSWER_S: Final = 10
"""Seconds to wait for a cluster to answer."""


class RayEngine(Generic[Task, Result]):
    """Workers on a Ray cluster: a running one, or one started on this machine.

    The cluster is the one that the environment variable ``RAY_ADDRESS`` names, or else
    one that ``ray start --head`` started on this machine. Without such a cluster, or
    where ``RAY_ADDRESS`` is ``local``, one is started on this machine and stopped at
    the end. All nodes need the same version of acmnet, and the files at the same paths.

    Parameters
    ----------
    make, workers
        As in `acmnet.workers.worker_engines.LocalEngine`. Each worker is a Ray
        actor, which sees one GPU where the cluster has any; a lost actor is replaced.
    """

    def __init__(self, make: Callable[[], Callable[[Task], Result]], workers: int):
        self.make, self.workers = make, workers
        self.threads = 1

    def __enter__(self) -> Self:
        """Find or start the cluster, and start the actors."""
        self.ray = _import_ray()
        self.is_guest = bool(self.ray.is_initialized())
        if not self.is_guest:
            connect(self.ray, max(self.workers, cores()))
        nodes = [n["Resources"].get("CPU", 0) for n in self.ray.nodes() if n["Alive"]]
        share = sum(nodes) / self.workers
        self.threads = max(1, int(min(share, max(nodes))))
        remote = self.ray.remote(
            num_cpus=self.threads if share >= 1 else round(share, 2),
            num_gpus=_gpu_share(self.ray, self.workers),
            runtime_env={"env_vars": thread_variables(self.threads)},
        )(_Actor)
        site = site_of(self.make, self.threads)
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

    def __init__(self, site: Site) -> None:
        site.prepare()
        self.site = site
        self.worker: Callable[[Any], Any] | None = None

    def work(self, task: Any) -> Any:
        """Return the result of one task."""
        if self.worker is None:
            self.worker = self.site.make()
        return self.worker(task)


def _gpu_share(ray: Any, workers: int) -> float:
    """Return the share of a GPU that each worker gets; 0 on a cluster without any.

    A worker has a GPU to itself, unless there are more workers than GPUs.
    """
    gpus = int(ray.cluster_resources().get("GPU", 0))
    return 1 / math.ceil(workers / gpus) if gpus else 0.0


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise EngineError(
            "the engine ray needs Ray; install it with: pip install 'acmnet[ray]'"
        ) from None
    return ray


def connect(ray: Any, n_cpus: int) -> None:
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
