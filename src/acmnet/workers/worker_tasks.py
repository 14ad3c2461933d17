"""Do independent tasks: in this process, in others of this machine, or on Ray.

Cross-validations, ablations and localisation use it. A task whose process dies is done
once more by another process. A task writes what it makes whole or not at all, so its
result does not depend on where it was done, nor on how often.
"""

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar, get_args

from acmnet.workers.ray_engine import RayEngine
from acmnet.workers.worker_engines import Engine, EngineError, LocalEngine, Lost

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


@dataclasses.dataclass(frozen=True)
class Workers:
    """How many processes work at the same time, and where.

    Raises
    ------
    ValueError
        If the number is below 1, or there is no such engine.
    """

    count: int = 1
    engine: Engine = "local"
    """"local": processes of this machine, or this process if there is only one worker.
    "ray": actors on a Ray cluster."""

    def __post_init__(self) -> None:
        """Refuse a number below 1 and an unknown engine."""
        if self.count < 1:
            raise ValueError(f"workers must be at least 1, got {self.count}")
        if self.engine not in get_args(Engine):
            raise ValueError(
                f"engine must be one of {', '.join(get_args(Engine))}, got "
                f"{self.engine!r}"
            )

    @property
    def is_this_process(self) -> bool:
        """Whether tasks are done in this process."""
        return self.count == 1 and self.engine == "local"


class Task(NamedTuple, Generic[Result_co]):
    """A piece of work that needs no other; it is picklable, and so is its result."""

    words: str
    """What is done, for messages, such as ``"seed 0, fold 1"``."""
    work: Callable[[], Result_co]


class DoTasks(Protocol):
    """Does tasks, and yields the index and the result of each as it is finished."""

    def __call__(self, tasks: Sequence[Task[Result]]) -> Iterator[tuple[int, Result]]:
        """Do the tasks, in any order."""


def in_this_process(tasks: Sequence[Task[Result]]) -> Iterator[tuple[int, Result]]:
    """Do tasks one after the other in this process; see `DoTasks`."""
    for i, task in enumerate(tasks):
        yield i, task.work()


@contextlib.contextmanager
def task_workers(
    workers: Workers, on_note: Callable[[str], None] = lambda _: None
) -> Iterator[DoTasks]:
    """Start workers and stop them at the end; yield the function that gives them tasks.

    Parameters
    ----------
    workers : Workers
        How many there are, and where.
    on_note : callable
        Called with a sentence when a worker has died and its task is done once more.

    Raises
    ------
    EngineError
        If they cannot be started, or a task ended two processes. What a task raises is
        raised here, too.
    """
    if workers.is_this_process:
        yield in_this_process
        return
    engine = RayEngine if workers.engine == "ray" else LocalEngine
    with engine(_make_worker, workers.count) as running:
        yield _Giver(running.results, on_note)


class _Numbered(NamedTuple):
    """A task and its place, from 0, among those that were given with it."""

    place: int
    task: Task[object]


class _Raised(NamedTuple):
    """The result of a task that raised an error."""

    error: Exception


Answers = Iterator[tuple[_Numbered, object]]
"""Tasks with their results, `Lost` or `_Raised`."""


class _Giver:
    """Gives tasks to the workers of an engine.

    Parameters
    ----------
    results : callable
        As `LocalEngine.results`.
    on_note : callable
        As for `task_workers`.
    """

    def __init__(
        self,
        results: Callable[[deque[_Numbered]], Answers],
        on_note: Callable[[str], None],
    ) -> None:
        self._results, self._on_note = results, on_note

    def __call__(self, tasks: Sequence[Task[Result]]) -> Iterator[tuple[int, Result]]:
        """Do the tasks; see `DoTasks`."""
        queue = deque(_Numbered(i, task) for i, task in enumerate(tasks))
        died: set[int] = set()
        for numbered, result in self._results(queue):
            if isinstance(result, _Raised):
                raise result.error
            if isinstance(result, Lost):
                self._refuse_second_death(numbered, result, died)
                queue.append(numbered)
                continue
            yield numbered.place, result  # type: ignore[misc]  # of this task

    def _refuse_second_death(
        self, numbered: _Numbered, lost: Lost, died: set[int]
    ) -> None:
        """Tell that a task is done once more; refuse one that ended two processes."""
        words, reason = numbered.task.words, f" ({lost.how})" if lost.how else ""
        if numbered.place in died:
            raise EngineError(
                f"{words}: its process died twice{reason}; out of memory? use fewer "
                "workers. What is finished is kept, and the same command goes on"
            )
        died.add(numbered.place)
        self._on_note(f"{words}: its process died{reason}, and it is done once more")


def _make_worker() -> Callable[[_Numbered], object]:
    """Return what a worker process does with each task that it is given."""
    return _worked


def _worked(numbered: _Numbered) -> object:
    """Return the result of a task, or the error that it raised."""
    try:
        return numbered.task.work()
    except Exception as error:  # noqa: BLE001 - it is raised where the results go
        return _Raised(error)
