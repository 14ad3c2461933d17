"""People are followed from frame to frame, lost, and found again."""

import numpy as np
import pytest

from acmnet.data.tracks.person_points import BODY_POINTS, BONES, PERSON_POINTS
from acmnet.data.tracks.tracks import TrackError
from acmnet.extraction.pose.pose_geometry import Region
from acmnet.extraction.pose.pose_networks import PersonPose
from acmnet.extraction.pose.pose_tracker import PoseTracker, refuse_people

SHAPE = np.random.default_rng(0).uniform(-20, 20, (33, 2))


class Stage:
    """Stands in for the networks: people are at known places in each frame.

    A frame is an array that holds its number; ``people`` has a dictionary of x by name
    for each frame. A person is recognised within 30 pixels, like a region does.
    """

    def __init__(self, people, scores=None):
        self.people, self.scores = people, scores or {}
        self.searches = []

    def find(self, frame):
        """Return the regions of all people."""
        self.searches.append(int(frame[0]))
        return [Region(x, 50, 100, 0) for x in self.people[int(frame[0])].values()]

    def pose(self, frame, region):
        """Return the person whose middle is near that of a region."""
        here = self.people[int(frame[0])]
        name = min(here, key=lambda name: abs(here[name] - region.x), default="")
        if not name or abs(here[name] - region.x) > 30:
            return None
        positions = SHAPE + np.array([here[name], 50])
        place = Region(here[name], 50, 100, 0)
        return PersonPose(self.scores.get(name, 1.0), positions, np.ones(33), place)


def centres(people, most=2, fps=10.0, **given):
    """Return (F, most) the x of each individual, and the searched frames."""
    stage = Stage(people, **given)
    frames = [np.array([i]) for i in range(len(people))]
    tracks = PoseTracker(stage, most, fps).tracks(iter(frames))
    seen = tracks.seen().all(axis=2)
    x = tracks.positions[..., 0].mean(axis=2) - SHAPE[:, 0].mean()
    return np.where(seen, x.round(), -1).astype(int).tolist(), stage.searches


def test_names_fit():
    assert len(PERSON_POINTS) == len(set(PERSON_POINTS)) == 33
    assert {*BODY_POINTS, *(name for bone in BONES for name in bone)} <= {
        *PERSON_POINTS
    }


def test_two_people_keep_their_places_while_they_move():
    people = [{"a": 100 + 10 * i, "b": 300 - 10 * i} for i in range(8)]
    found, searches = centres(people)
    assert found == [[100 + 10 * i, 300 - 10 * i] for i in range(8)]
    # once, after which both places are taken
    assert searches == [0]


def test_somebody_new_is_found_at_the_next_search():
    people = [{"a": 100}] + [{"a": 100, "b": 300}] * 5
    found, searches = centres(people)
    # every 0.2 s, which is every second frame, until both places are taken
    assert found == [[100, -1]] * 2 + [[100, 300]] * 4
    assert searches == [0, 2]


def test_who_is_found_again_near_by_is_the_same():
    people = [{"a": 100, "b": 300}] * 2 + [{}] * 4 + [{"b": 320, "a": 110}] * 2
    assert centres(people)[0] == [[100, 300]] * 2 + [[-1, -1]] * 4 + [[110, 320]] * 2


def test_who_is_found_far_away_takes_an_unused_place():
    people = [{"a": 100}] * 2 + [{}] * 2 + [{"c": 900}] * 2
    assert centres(people)[0] == [[100, -1]] * 2 + [[-1, -1]] * 2 + [[-1, 900]] * 2


def test_the_places_are_the_most_people():
    people = [{"a": 100, "b": 300, "c": 500}] * 3
    assert centres(people)[0] == [[100, 300]] * 3


def test_one_person_is_not_followed_twice():
    # b walks into a, and is a from then on
    people = [{"a": 100, "b": 125}, {"a": 100, "b": 102}, {"a": 100}]
    found, _ = centres(people)
    assert found[0] == [100, 125]
    assert found[1:] == [[100, -1]] * 2


def test_a_doubtful_find_is_not_followed_but_a_doubtful_frame_is():
    doubtful = {"b": 0.8}
    people = [{"a": 100, "b": 300}] * 2
    assert centres(people, scores=doubtful)[0] == [[100, -1]] * 2


def test_no_frames_have_no_tracks():
    assert PoseTracker(Stage([]), 2, 25.0).tracks(iter([])) is None


@pytest.mark.parametrize("n", [0, -1, 101])
def test_people_who_cannot_be_followed(n):
    with pytest.raises(TrackError, match=f"individuals must be from 1 to 100, got {n}"):
        refuse_people(n)
