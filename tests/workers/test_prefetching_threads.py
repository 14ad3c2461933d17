"""Stages that overlap keep order, errors and bounds."""

import threading
import time

import pytest

from acmnet.workers.prefetching_threads import prefetch


@pytest.mark.parametrize("at_once", [1, 7, 100, 501])
def test_order_is_kept(at_once):
    assert list(prefetch(iter(range(500)), 3, at_once)) == list(range(500))


def test_nothing_gives_nothing():
    assert list(prefetch([], 1)) == []
    assert list(prefetch([], 1, 4)) == []


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_an_error_comes_after_the_items_before_it(at_once):
    def items():
        yield 1
        yield 2
        raise KeyError("third")

    got = prefetch(items(), 5, at_once)
    assert [next(got), next(got)] == [1, 2]
    with pytest.raises(KeyError):
        next(got)


@pytest.mark.parametrize(
    ("at_once", "expected"),
    # one batch is handed out, four wait, one is held until there is room
    [(1, 6), (3, 18)],
)
def test_no_more_than_depth_and_two_batches_are_made_ahead(at_once, expected):
    made = 0

    def items():
        nonlocal made
        for i in range(100):
            made += 1
            yield i

    got = prefetch(items(), 4, at_once)
    assert next(got) == 0
    time.sleep(0.3)
    assert made == expected
    got.close()


@pytest.mark.parametrize("at_once", [1, 50])
def test_closing_stops_the_thread(at_once):
    before = threading.active_count()
    got = prefetch(iter(int, 1), 2, at_once)  # endless
    next(got)
    got.close()
    assert threading.active_count() == before


def test_producer_and_consumer_overlap():
    # each waits for the other's last step: in one thread this would never end
    produced, consumed = threading.Event(), threading.Event()

    def items():
        yield 0
        produced.set()
        assert consumed.wait(5)
        yield 1

    got = prefetch(items(), 1)
    assert next(got) == 0
    assert produced.wait(5)
    consumed.set()
    assert next(got) == 1


def test_depth_is_refused():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        next(prefetch([1], 0))
    with pytest.raises(ValueError, match="at_once must be at least 1, got 0"):
        next(prefetch([1], 1, 0))
