"""Stages that overlap keep order, errors and bounds."""

import threading
import time

import pytest

from acmnet.extraction.stages import prefetch


def test_order_is_kept():
    assert list(prefetch(iter(range(500)), 3)) == list(range(500))


def test_nothing_gives_nothing():
    assert list(prefetch([], 1)) == []


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise KeyError("third")

    got = prefetch(items(), 5)
    assert [next(got), next(got)] == [1, 2]
    with pytest.raises(KeyError):
        next(got)


def test_no_more_than_depth_and_two_are_made_ahead():
    made = 0

    def items():
        nonlocal made
        for i in range(100):
            made += 1
            yield i

    got = prefetch(items(), 4)
    assert next(got) == 0
    time.sleep(0.3)
    # one was taken, four wait, one is held until there is room
    assert made == 6
    got.close()


def test_closing_stops_the_thread():
    before = threading.active_count()
    got = prefetch(iter(int, 1), 2)  # endless
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
