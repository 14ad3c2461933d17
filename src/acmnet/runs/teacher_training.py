"""Training of the networks that teach a student, side by side where cores allow it."""

import dataclasses
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from torch import distributed

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import CONFIG_FILE, folder_of
from acmnet.data.datasets import WeakDataset
from acmnet.models.stored_model import SILENT_TEACHERS, TEACHERS, load_network
from acmnet.network.acm_net import ACMNet
from acmnet.runs.earlier_run import has_same_marks, has_same_names, keep_teacher
from acmnet.runs.memory_needs import memory_bytes, needed_bytes
from acmnet.runs.network_training import train_network
from acmnet.runs.run_request import RunRequest
from acmnet.runs.run_state import RunOnDisk, starting_point
from acmnet.runs.silent_teachers import Teachers, further_tries, sentence_before
from acmnet.runtime.startup import is_first_process
from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.first_stage.silent_networks import guessing, mean_spread
from acmnet.training.optimisation.tasks import StepRecord

SHARE_OF_EPOCHS: Final = "share_of_epochs"
"""What a run keeps the share of its epochs under that its teachers took, where they had
learned the names early."""
MEMORY_SHARE: Final = 0.25
"""Share of the memory that teachers which train side by side may need at the least; all
that lies between their layers is not counted."""


def trained_teachers(
    request: RunRequest,
    dataset: WeakDataset,
    mined_snippets: Callable[[], Mapping[str, SnippetMarks]],
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
    tried: Mapping[int, Path] = MappingProxyType({}),
) -> Teachers:
    """Return the teachers of a run: those of the earlier run, or trained ones.

    Which of those of the earlier run are silent is what that run found; if none is,
    those that a round of the same names trains are not either (docs/decisions.md,
    D-167). Teachers that are trained are not trained again, unless they guess and
    another one has started to learn. On a CPU, the others are trained at
    the same time, each in a thread of its own, and read the same features. What a
    teacher learns does not depend on the others.

    Parameters
    ----------
    request : RunRequest
        The run whose student they teach.
    dataset : WeakDataset
        What they learn from.
    mined_snippets : callable
        Called if something is to be trained. Returns, by video id, the snippets that
        were mined from names
        (`acmnet.runs.network_training.snippets_mined_from_names`).
    on_step : callable
        Called after each step of each teacher, by one thread at a time. The epochs of a
        record are those of all teachers together.
    on_note : callable
        Called with each sentence on teachers that go on where they stopped.
    tried : mapping of int to Path
        The networks of a trial whose weights teachers begin with, by the places of the
        teachers; empty if there are none.

    Raises
    ------
    RunError, TrainingError, ...
        That of the first teacher that cannot be trained; the others are stopped.
    """
    places, earlier = range(request.settings.teachers.count), request.begin_from
    known = load_config(earlier).training.get(SILENT_TEACHERS, ()) if earlier else ()
    if keeps_teachers(request):
        return Teachers.of([_kept_teacher(request, k) for k in places], known)

    def trained(some: Sequence[RunRequest]) -> tuple[ACMNet, ...]:
        return trained_together(
            some, dataset, mined_snippets, on_step, on_note, of=len(places)
        )

    first = {k: _first_try(request, k, tried.get(k)) for k in places}
    if earlier and has_same_names(request, earlier) and not known:
        return Teachers(trained([*first.values()]))
    return _until_they_start(first, dataset, trained, on_note)


def _until_they_start(
    first: Mapping[int, RunRequest],
    dataset: WeakDataset,
    trained: Callable[[Sequence[RunRequest]], tuple[ACMNet, ...]],
    on_note: Callable[[str], None],
) -> Teachers:
    """Return the teachers, once those that never started were trained again.

    Parameters
    ----------
    first : mapping of int to RunRequest
        The training of each teacher from its own seed, by the places 0, 1, ...
    dataset : WeakDataset
        What they learn from.
    trained : callable
        Returns the network of each training, trained where it is not trained already.
    on_note : callable
        Called with a sentence before teachers are trained again.
    """
    places = range(len(first))
    requests = [_present_try(first[k]) for k in places]
    networks = [*trained(requests)]
    spreads = [mean_spread(network, dataset) for network in networks]
    while True:
        silent = guessing(spreads)
        again = [k for k in places if requests[k].seed != first[k].seed]
        if len(silent) == len(places) and again:
            break  # neither the seeds nor the first epochs are at fault
        tries = {
            k: next_try
            for k in sorted(silent)
            if (next_try := _next_try(first[k], requests[k]))
        }
        if not tries:
            break
        on_note(sentence_before(tries))
        for k, network in zip(tries, trained([*tries.values()]), strict=True):
            requests[k], networks[k] = tries[k], network
            spreads[k] = mean_spread(network, dataset)
    return Teachers.of(networks, silent, again)


def trained_together(
    requests: Sequence[RunRequest],
    dataset: WeakDataset,
    mined_snippets: Callable[[], Mapping[str, SnippetMarks]],
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
    of: int = 0,
) -> tuple[ACMNet, ...]:
    """Return the network of each request, trained where it is not trained already.

    Parameters
    ----------
    requests : sequence of RunRequest
        Trainings of the paper's network with the same settings on the same videos and
        names; at least one.
    dataset : WeakDataset
        What they learn from.
    mined_snippets, on_step, on_note : callables
        As for `trained_teachers`.
    of : int
        Networks that the requests are some of; they are all of them when left out. The
        threads of each and the epochs that are told follow it.
    """
    total, waiting = of or len(requests), []
    for asked in requests:
        found = starting_point(asked)
        if not found.is_trained:
            if found.note:
                on_note(found.note)
            waiting.append((asked, found))
    first = requests[0]
    done = (total - len(waiting)) * first.schedule.training.epochs
    needed = needed_bytes(first.settings, first.data)
    threads = threads_of_each(total, dataset.device, needed)
    mined = mined_snippets() if waiting else {}
    _train(waiting, dataset, mined, _Together(on_step, done), threads)
    return tuple(_taught(asked.out, asked.device) for asked in requests)


def keeps_teachers(request: RunRequest) -> bool:
    """Whether the teachers of the earlier run teach this one as they are.

    They do where videos, names and the marks that they learn are the same. Otherwise
    they learn again, from the weights that they have.
    """
    earlier = request.begin_from
    return (
        earlier is not None
        and has_same_names(request, earlier)
        and has_same_marks(request, earlier / TEACHERS / "0")
    )


def share_of_epochs(request: RunRequest) -> float:
    """Return which share of their epochs the trained teachers of a run took.

    It is the mean over them, of the epochs that the settings say, and below 1 if they
    had learned the names before, see `TrainingSettings.early_end`. It is 1 if they took
    more, see `TrainingSettings.fewest_steps`. In a round it is that of the first run,
    so that a round is as short beside a short training as beside a long one.
    """
    if request.begin_from is not None:
        known = load_config(request.begin_from).training.get(SHARE_OF_EPOCHS, 1.0)
        return float(known)
    places = range(request.settings.teachers.count)
    taken = [load_config(request.out / TEACHERS / str(k)).epoch for k in places]
    return min(1.0, sum(taken) / (len(taken) * request.settings.training.epochs))


class _Together:
    """Tells one function of the steps of several trainings.

    Parameters
    ----------
    on_step : callable
        Called with each record, by one thread at a time.
    done : int
        Epochs of trainings that were finished before.
    """

    def __init__(self, on_step: Callable[[StepRecord], None], done: int) -> None:
        self.is_over = threading.Event()
        self._on_step, self._done = on_step, done
        self._latest: dict[int, StepRecord] = {}
        self._lock = threading.Lock()

    def listener(self, number: int) -> Callable[[StepRecord], None]:
        """Return what is called after each step of one of the trainings."""

        def on_step_of_one(record: StepRecord) -> None:
            if self.is_over.is_set():
                raise _StoppedError
            with self._lock:
                self._latest[number] = record
                epochs = sum(own.epoch for own in self._latest.values())
                steps = sum(own.step for own in self._latest.values())
                self._on_step(record._replace(epoch=self._done + epochs, step=steps))

        return on_step_of_one


class _StoppedError(Exception):
    """A training that ends because another one failed, or a person stopped it."""


def _train(
    waiting: Sequence[tuple[RunRequest, RunOnDisk]],
    dataset: WeakDataset,
    mined: Mapping[str, SnippetMarks],
    together: _Together,
    threads: int,
) -> None:
    """Train teachers, or what is missing of them.

    Parameters
    ----------
    waiting : sequence of (RunRequest, RunOnDisk)
        Each training, and what it begins with.
    dataset : WeakDataset
        What they learn from.
    mined : mapping of video id to SnippetMarks
        Snippets of long recordings that show a class, mined from names alone.
    together : _Together
        Its listener is called after each step.
    threads : int
        Threads that each teacher computes in, if they are trained at the same time; 0
        trains them one after another.
    """
    listeners = map(together.listener, itertools.count())
    trainings = [
        # no label file: a teacher is no run to report on
        (asked, found, None, listener, dataset, mined)
        for (asked, found), listener in zip(waiting, listeners, strict=False)
    ]
    if not threads or not trainings:
        for training in trainings:
            train_network(*training)
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            len(trainings), initializer=torch.set_num_threads, initargs=(threads,)
        ) as pool:
            jobs = [pool.submit(train_network, *training) for training in trainings]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                together.is_over.set()
    finally:
        torch.set_num_threads(before)  # what a thread sets, later threads take over
    failures = [job.exception() for job in jobs]
    for failure in failures:
        if failure is not None and not isinstance(failure, _StoppedError):
            raise failure


def threads_of_each(teachers: int, device: torch.device, needed: int = 0) -> int:
    """Return in how many threads each of several teachers computes, all at once.

    It depends on how many there are, not on how many are still to be trained, because
    the last bits of a sum depend on the threads that compute it.

    Parameters
    ----------
    teachers : int
        How many there are, from 1.
    device : torch.device
        Where they compute.
    needed : int
        Bytes that one of them needs at the least.

    Returns
    -------
    int
        0 where they are trained one after another: on a GPU, which one of them keeps
        busy, on a single core, in several processes, which wait for each other, and
        where they would take much of the memory together.
    """
    threads = torch.get_num_threads()
    if teachers * needed > MEMORY_SHARE * memory_bytes():
        return 0
    if device.type != "cpu" or threads == 1 or distributed.is_initialized():
        return 0
    return max(1, threads // teachers)


def _kept_teacher(request: RunRequest, k: int) -> ACMNet:
    """Return teacher ``k`` of the earlier run, which this run gets a copy of."""
    if is_first_process():
        keep_teacher(request, k)
    return _taught(request.out / TEACHERS / str(k), request.device)


def _present_try(first: RunRequest) -> RunRequest:
    """Return the training of a teacher that is on the disk, or else its first one."""
    if (folder_of(first.out) / CONFIG_FILE).exists():  # a kill can leave none
        seed = load_config(first.out).seed
        for further in further_tries(first):
            if further.seed == seed:
                return further
    return first


def _first_try(request: RunRequest, k: int, tried: Path | None) -> RunRequest:
    """Return the request for the training of teacher ``k`` from its own seed.

    It begins with the network of a trial if there is one.
    """
    asked = as_teacher(request, request.out / TEACHERS / str(k), k)
    return asked if tried is None else dataclasses.replace(asked, begin_from=tried)


def _next_try(first: RunRequest, before: RunRequest) -> RunRequest | None:
    """Return the try of a teacher after the one ``before``; None after the last."""
    tries = [first, *further_tries(first)]
    later = [x.seed for x in tries].index(before.seed) + 1
    if later == len(tries):
        return None
    return dataclasses.replace(tries[later], resume=False, overwrite=True)


def as_teacher(request: RunRequest, out: Path, k: int) -> RunRequest:
    """Return the request for a training like that of teacher ``k`` in another place."""
    return dataclasses.replace(
        request,
        out=out,
        settings=request.settings.without_student(),
        seed=request.seed * request.settings.teachers.count + k,
        resume=True,
        resume_from=None,
        overwrite=False,
        selection=None,
        begin_from=request.begin_from and request.begin_from / TEACHERS / str(k),
    )


def _taught(run: Path, device: str) -> ACMNet:
    """Load a teacher, once the first process has written it."""
    if distributed.is_initialized():
        distributed.barrier()
    return load_network(run, device=device)
