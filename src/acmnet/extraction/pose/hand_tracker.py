"""Hands of the people who are followed in a video: their points, frame by frame.

Where a person's hand is not followed yet, the detector of palms looks around the wrist
that the pose of the person gives. A hand is then followed by its own points until it is
lost, or is no longer where the person's wrist is. So a hand always belongs to a person,
and is the left or the right one by the person's pose.
"""

import dataclasses
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.person_points import HAND_POINTS, PERSON_POINTS, SIDES
from acmnet.extraction.pose.hand_networks import Hand
from acmnet.extraction.pose.pose_geometry import Floats, Region
from acmnet.extraction.pose.pose_networks import PersonPose
from acmnet.video.frames import Frame

SEARCHED_SIDES: Final = 0.35
"""Side of the square in which a palm is looked for, divided by the side of the person's
region. The person is about 0.8 of that region tall."""
FARTHEST_WRIST: Final = 0.15
"""A hand belongs to a person if its wrist lies at most this far from the wrist of the
pose, in sides of the person's region."""
SAME_HAND: Final = 0.3
"""Two hands whose middles are nearer than this, in sides of the smaller region, are one
hand that was found twice."""

_ROUND_WRIST: Final = {
    side: [
        PERSON_POINTS.index(f"{side}_{point}")
        for point in ("wrist", "pinky", "index", "thumb")
    ]
    for side in SIDES
}


class HandFinder(Protocol):
    """What finds hands: `acmnet.extraction.pose.hand_networks.HandNetworks`."""

    def find(self, frame: Frame, part: Region) -> list[Region]:
        """Return a region for each hand in a part of a frame, the surest first."""

    def hand(self, frame: Frame, region: Region) -> Hand | None:
        """Return the points of the hand in a region; None if there is none."""


@dataclasses.dataclass
class HandTracker:
    """Follows the hands of people.

    Parameters
    ----------
    networks : HandFinder
        What finds palms and the points of hands.
    n_people : int
        Individuals whose hands are followed, at least 1.
    """

    networks: HandFinder
    n_people: int

    def __post_init__(self) -> None:
        """Begin with no hands."""
        self._hands: list[list[Hand | None]] = [[None, None] for _ in self._people()]

    def next(
        self, frame: Frame, people: list[PersonPose | None], is_search: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return where each person's hands are in the next frame.

        Parameters
        ----------
        frame : (H, W, 3) array
            The picture, in RGB.
        people : list of PersonPose or None
            Everybody's pose in it.
        is_search : bool
            Whether hands that are not followed are looked for.

        Returns
        -------
        positions : (I, 42, 2) array
            In pixels; those of the left hand first. NaN where no hand is seen.
        likelihood : (I, 42) array
            The score of the hand for each of its points; 0 where none is seen.
        """
        for i, person in enumerate(people):
            for side in range(len(SIDES)):
                self._hands[i][side] = self._followed(frame, person, i, side)
        if is_search:
            for i, person in enumerate(people):
                for side in range(len(SIDES)):
                    if person is not None and self._hands[i][side] is None:
                        self._hands[i][side] = self._new_hand(frame, person, side)
        return self._points()

    def _people(self) -> range:
        return range(self.n_people)

    def _followed(
        self, frame: Frame, person: PersonPose | None, i: int, side: int
    ) -> Hand | None:
        """Return a hand of the frame before in this frame; None if it is lost."""
        before = self._hands[i][side]
        if before is None or person is None:
            return None
        hand = self.networks.hand(frame, before.region)
        # those before it in the list are of this frame, those after it of the last one
        is_own = hand is not None and _is_at_wrist(hand, person, side)
        self._hands[i][side] = None
        return hand if is_own and not self._is_known(hand) else None

    def _new_hand(self, frame: Frame, person: PersonPose, side: int) -> Hand | None:
        """Return a hand that is not followed yet; None if none is near the wrist."""
        x, y = person.positions[_ROUND_WRIST[SIDES[side]]].mean(axis=0)
        reach = SEARCHED_SIDES * person.region.side
        for region in self.networks.find(frame, Region(float(x), float(y), reach, 0.0)):
            hand = self.networks.hand(frame, region)
            if hand is None or not _is_at_wrist(hand, person, side):
                continue
            if not self._is_known(hand):
                return hand
        return None

    def _is_known(self, hand: Hand | None) -> bool:
        """Return whether a hand is followed already, as this or another person's."""
        return hand is not None and any(
            _apart(hand, other) < SAME_HAND * min(hand.region.side, other.region.side)
            for followed in self._hands
            for other in followed
            if other is not None
        )

    def _points(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        shape = (self.n_people, len(SIDES), len(HAND_POINTS))
        positions = np.full((*shape, 2), np.nan, np.float32)
        likelihood = np.zeros(shape, np.float32)
        for i, own in enumerate(self._hands):
            for side, hand in enumerate(own):
                if hand is not None:
                    positions[i, side] = hand.positions
                    likelihood[i, side] = hand.score
        n = len(SIDES) * len(HAND_POINTS)
        return positions.reshape(-1, n, 2), likelihood.reshape(-1, n)


def _is_at_wrist(hand: Hand, person: PersonPose, side: int) -> bool:
    """Return whether a hand begins where the pose of a person has that wrist."""
    wrist: Floats = person.positions[_ROUND_WRIST[SIDES[side]][0]]
    apart = float(np.hypot(*(hand.positions[0] - wrist)))
    return apart < FARTHEST_WRIST * person.region.side


def _apart(first: Hand, second: Hand) -> float:
    """Return the distance of two hands' middles, in pixels."""
    return float(
        np.hypot(*(first.positions.mean(axis=0) - second.positions.mean(axis=0)))
    )
