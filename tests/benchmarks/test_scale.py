"""What the benchmark of many videos compares."""

import pytest
from benchmarks.scale import Cost, by_verb, growth, table


def test_the_largest_set_is_compared_with_what_was_measured_meanwhile():
    small, large = Cost("check", 100, 0.02, 0.1), Cost("check", 1000, 0.3, 0.2)
    assert growth(by_verb([small, large])["check"]) == pytest.approx(1.5)
    busy = large._replace(beside_ms=0.4)
    assert growth(by_verb([small, busy])["check"]) == pytest.approx(0.75)
    assert table([small, busy]).splitlines()[2] == (
        "| check | 0.20 | 0.30 | 0.40 | 0.75 | 0.20 GB |"
    )
