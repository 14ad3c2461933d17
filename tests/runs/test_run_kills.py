"""Killed at any write, or with a full disk, a training is repeated and ends the same.

Here at a few writes of each command; ``python tests/support/killed.py 100`` takes
random moments.
"""

import functools

import pytest

from support.killed import JOURNEYS, Journey, write_worlds

KILLS = {
    "train": 3,
    "train best": 2,
    "train, kept": 1,
    "train, from": 1,
    "fit": 1,
    "crossvalidate": 1,
}
"""How many writes of each command are its last one. `ablate` does what `crossvalidate`
does, and is left to the long form."""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    directory = tmp_path_factory.mktemp("worlds")
    write_worlds(directory)
    return directory


def spread(n, most):
    """Return up to ``most`` numbers from 1 to n, evenly spread."""
    return sorted({1 + (2 * i + 1) * (n - 1) // (2 * most) for i in range(most)})


@pytest.fixture(scope="module")
def left_in_peace(worlds):
    """Give what calls a command once: (the call, what it leaves, its writes)."""

    @functools.cache
    def call(name):
        whole = Journey(name, worlds, f"whole-{list(JOURNEYS).index(name)}")
        assert whole.finish() == 0, whole.told()
        ends, writes = whole.ends(), whole.writes()
        assert any(key.endswith("model.safetensors") for key in ends)
        assert "left over" not in ends.values()
        # features are there later: `test_extraction_kills.py` is about those
        n_features = len(list(whole.out.glob("features/**/*")))
        return whole, ends, writes - 2 * n_features

    return call


@pytest.mark.parametrize("name", KILLS)
def test_what_is_killed_ends_like_what_is_not(worlds, left_in_peace, name):
    whole, expected, writes = left_in_peace(name)
    for place in spread(writes, KILLS[name]):
        journey = Journey(name, worlds, "killed")
        journey.begin(whole)
        assert journey.finish(writes=place) == -9, (place, journey.told())
        assert journey.finish(again=True) == 0, (place, journey.told())
        assert journey.ends() == expected, place


@pytest.mark.parametrize("name", ["train", "train best"])
def test_a_full_disk_is_said_and_what_is_kept_goes_on(worlds, left_in_peace, name):
    whole, expected, writes = left_in_peace(name)
    for place in spread(writes, 2):
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
