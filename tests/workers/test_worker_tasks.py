"""Tasks of workers: each is done, in any order, once more if its process dies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.inference.localized_videos import (
    StoredRun,
    localize_on_workers,
    localize_videos,
)
from acmnet.models.stored_model import load
from acmnet.workers.worker_engines import EngineError, Lost
from acmnet.workers.worker_tasks import Workers, _Giver, in_this_process, task_workers
from support.squares import squares


class Scripted:
    """An engine of which it is known which tasks' processes die, and how often."""

    def __init__(self, deaths, order):
        self.deaths, self.order = list(deaths), order

    def results(self, queue):
        """Yield each task, in another order, with its result or its loss."""
        while queue:
            queue.rotate(self.order)
            numbered = queue.popleft()
            if self.deaths[numbered.place]:
                self.deaths[numbered.place] -= 1
                yield numbered, Lost("signal 9")
            else:
                yield numbered, numbered.task.work()


@given(st.lists(st.integers(0, 1), max_size=6), st.integers(0, 5))
def test_every_task_is_done_whichever_process_dies_once(deaths, order):
    notes = []
    numbers = range(len(deaths))
    do_tasks = _Giver(Scripted(deaths, order).results, notes.append)
    found = list(do_tasks(squares(numbers)))
    assert sorted(found) == list(in_this_process(squares(numbers)))
    told = {
        f"task {n}: its process died (signal 9), and it is done once more"
        for n in numbers
        if deaths[n]
    }
    assert set(notes) == told
    assert len(notes) == len(told)


def test_a_task_that_ends_two_processes_is_named():
    do_tasks = _Giver(Scripted([0, 2], 0).results, lambda _: None)
    with pytest.raises(EngineError, match=r"task 1: its process died twice \(signal 9"):
        list(do_tasks(squares(range(2))))


def test_no_worker_and_no_engine_of_that_name_are_refused():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        Workers(0)
    with pytest.raises(ValueError, match="must be one of local, ray, got 'dask'"):
        Workers(2, "dask")


def test_processes_do_what_this_one_does_and_find_what_it_finds(
    tiny_run, tiny_world, tmp_path
):
    """One session of two processes for all of it, as starting them takes seconds."""
    data = open_data(DataSource(*tiny_world, "test"))
    model = load(tiny_run)
    stored = StoredRun(run=tiny_run, settings=model.settings, device="cpu")
    notes, seen = [], []
    with task_workers(Workers(2), notes.append) as do_tasks:
        found = dict(do_tasks(squares(range(4), dies_unless=tmp_path / "died")))
        assert found == {0: 0, 1: 1, 2: 4, 3: 9}
        assert len(notes) == 1
        results = localize_on_workers(
            stored, model, data, do_tasks, together=3, on_video=seen.append
        )
        with pytest.raises(ValueError, match="1 has no square"):
            list(do_tasks(squares([1], fails=True)))
    alone = localize_videos(model, data)
    assert list(results) == list(alone)
    assert sorted(seen) == sorted(alone)
    for video, own in alone.items():
        for name in ("start_s", "end_s", "score", "class_index"):
            same = getattr(results[video], name).tobytes()
            assert same == getattr(own, name).tobytes()
    assert any(map(len, alone.values()))
