"""What `make bench` sets before it measures."""

import os
import runpy
import sys

import pytest
from benchmarks.measure import ROOT


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("2", "2")])
def test_benchmarks_run_in_one_thread_unless_another_number_is_given(
    monkeypatch, given, expected
):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("OMP_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    seen = []
    monkeypatch.setattr(
        runpy,
        "run_module",
        lambda name, **_: seen.append((name, os.environ["OMP_NUM_THREADS"])),
    )
    runpy.run_path(str(ROOT / "benchmarks" / "run.py"), run_name="__main__")
    assert seen == [("benchmarks", expected)]
