"""`make results`: every command is one that acmnet takes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import context_figure, results
from support.whole_program import app

COMMANDS = results.commands(Path("data"), Path("out"))


@pytest.mark.parametrize(
    "command", [c for _, c in COMMANDS], ids=[n for n, _ in COMMANDS]
)
@pytest.mark.parametrize("quick", [False, True])
def test_every_command_is_understood(command, quick):
    trains = command[0] in ("ablate", "crossvalidate")
    if quick:
        command = results.quickened(command)
    verb, bound, _ = app.parse_args(command, exit_on_error=False, print_error=False)
    given = bound.arguments
    assert verb.__name__.startswith(command[0])
    if trains:
        settings = given["training"].given.by_name()
        assert settings["training.precision"] == "bf16"
        # neither is there where --folds was not given, whose default is 4
        folds = given["folding"].folds if "folding" in given else given.get("folds", 4)
        # with --groups, there are as many folds as groups
        assert folds in ((2,) if quick else (None, 2, 4))


def test_what_quick_leaves_out_is_there():
    assert {name for name, _ in COMMANDS} > results.NOT_QUICK


def test_every_result_has_a_name_and_a_place_of_its_own():
    names = [name for name, _ in COMMANDS]
    assert len(set(names)) == len(names)
    outs = [c[c.index("--json") + 1] for _, c in COMMANDS if "--json" in c]
    assert len(set(outs)) == len(outs)
    assert len(outs) == sum(c[0] in ("ablate", "crossvalidate") for _, c in COMMANDS)


def test_the_figure_of_context_has_a_point_for_each_amount(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(context_figure, "save", lambda figure, _: drawn.append(figure))
    # the mean over folds, then over seeds: (10 + 30) / 2 = 20 %, and 40 %
    studies = {
        1.0: {"rows": [{"name": "full", "average_by_seed_and_fold": [[0.4, 0.4]]}]},
        0.0: {"rows": [{"name": "full", "average_by_seed_and_fold": [[0.1], [0.3]]}]},
    }
    context_figure.write_context_figure(studies, tmp_path / "context")
    points = drawn[0].axes[0].lines[0].get_xydata()
    assert points == pytest.approx(np.array([[0, 20], [1, 40]]))
