"""The benchmarks of a GPU refuse a machine without one."""

import pytest
from benchmarks.gpu_clock import spread

from benchmarks import __main__ as program


def test_a_machine_without_a_gpu_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--device", "cuda"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "sees no GPU; leave --device cuda out to measure the CPU" in said.err


def test_a_spread_is_the_least_the_median_and_the_largest():
    assert spread([3.0, 1.0, 2.0], "s", 1.0) == "2 s (1 to 3)"
