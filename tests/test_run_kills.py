"""Killed at any write, or with a full disk, a training is repeated and ends the same.

At a few writes of each command; ``python tests/killed.py 100`` takes random moments.
"""

import pytest

from killed import JOURNEYS, Journey, write_worlds

KILLS = {
    "train": 8,
    "train best": 6,
    "train, kept": 4,
    "fit": 3,
    "crossvalidate": 3,
    "ablate": 2,
}
"""How many writes of each command are its last one."""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    directory = tmp_path_factory.mktemp("worlds")
    write_worlds(directory)
    return directory


def spread(n, most):
    """Return up to ``most`` numbers from 1 to n, evenly spread, other ones each run."""
    return sorted({1 + (2 * i + 1) * (n - 1) // (2 * most) for i in range(most)})


def left_in_peace(name, worlds):
    """Return a call that was not killed, what it leaves, and how many writes it took.

    Features are there: `test_extraction_kills.py` is about those.
    """
    whole = Journey(name, worlds, "whole")
    whole.begin()
    assert whole.finish() == 0, whole.told()
    if name == "fit":
        again = Journey(name, worlds, "again")
        again.begin(whole)
        assert again.finish() == 0, again.told()
        assert again.ends() == whole.ends()
    expected, writes = whole.ends(), whole.writes()
    assert any(key.endswith("model.safetensors") for key in expected)
    assert "left over" not in expected.values()
    return whole, expected, writes


@pytest.mark.parametrize("name", JOURNEYS)
def test_what_is_killed_ends_like_what_is_not(worlds, name):
    whole, expected, writes = left_in_peace(name, worlds)
    for place in spread(writes, KILLS[name]):
        journey = Journey(name, worlds, "killed")
        journey.begin(whole)
        assert journey.finish(writes=place) == -9, (place, journey.told())
        assert journey.finish(again=True) == 0, (place, journey.told())
        assert journey.ends() == expected, place


@pytest.mark.parametrize("name", ["train", "train best"])
def test_a_full_disk_is_said_and_what_is_kept_goes_on(worlds, name):
    whole, expected, writes = left_in_peace(name, worlds)
    for place in spread(writes, 4):
        journey = Journey(name, worlds, "full")
        journey.begin(whole)
        code = journey.finish(writes=place, fails=True)
        if code:  # what is only tidied up may fail without a word
            assert code == 1, (place, journey.told())
            sentences = [x for x in journey.told().splitlines() if "acmnet: " in x]
            assert len(sentences) == 1, (place, journey.told())
            assert "No space left on device" in sentences[0]
            assert "full" in sentences[0]
        assert journey.finish(again=True) == 0, (place, journey.told())
        assert journey.ends() == expected, place
