"""What is worth a look is found out in a process, which can be stopped and resumed."""

import json
import threading

from acmnet.show.bench.rounds.round_plan import RoundPlan
from acmnet.show.bench.rounds.suggesting import Suggesting


def test_what_was_stopped_goes_on_when_it_is_resumed(tiny_run, tiny_world, tmp_path):
    """After a round of learning was stopped, nothing had been suggested any more."""
    file, is_found = tmp_path / "suggestions.json", threading.Event()
    suggesting = Suggesting(on_found=is_found.set)
    words = RoundPlan(features=tiny_world[1]).suggest(tiny_run, file)
    suggesting.look(words, file)
    assert suggesting.of_videos() == {}
    suggesting.begin()
    suggesting.stop()  # long before it has imported what it needs
    assert not file.exists()
    suggesting.resume()
    assert is_found.wait(240)
    suggesting.end()
    written = json.loads(file.read_text())["suggestions"]
    assert written
    found = {video: own["why"] for video, own in suggesting.of_videos().items()}
    assert found == {one["video"]: one["why"] for one in written}
