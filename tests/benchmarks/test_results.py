"""`make results`: every command is one that acmnet takes."""

from pathlib import Path

import pytest

from benchmarks import results
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
        settings = given["given"].given.by_name()
        assert settings["training.precision"] == "bf16"
        # neither is there where --folds was not given, whose default is 4
        folds = given["folding"].folds if "folding" in given else given.get("folds", 4)
        assert folds in ((2,) if quick else (2, 4))


def test_what_quick_leaves_out_is_there():
    assert {name for name, _ in COMMANDS} > results.NOT_QUICK


def test_every_result_has_a_name_and_a_place_of_its_own():
    names = [name for name, _ in COMMANDS]
    assert len(set(names)) == len(names)
    outs = [c[c.index("--json") + 1] for _, c in COMMANDS if "--json" in c]
    assert len(set(outs)) == len(outs)
    assert len(outs) == sum(c[0] in ("ablate", "crossvalidate") for _, c in COMMANDS)
