"""Tracks of people in a video: the points of each person, frame by frame.

A person is found by the detector, which looks at every few frames, and then followed:
the points in one frame say where to look in the next, until the person is lost.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final

import numpy as np

from acmnet.data.tracks.person_points import PERSON_POINTS, PERSON_WITH_HANDS
from acmnet.data.tracks.track_layout import MOST_INDIVIDUALS
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.pose.hand_tracker import HandFinder, HandTracker
from acmnet.extraction.pose.pose_geometry import Region
from acmnet.extraction.pose.pose_networks import PersonPose, PoseNetworks
from acmnet.video.frames import Frame

SEARCH_S: Final = 0.2
"""Seconds from one look of the detector to the next."""
LEAST_NEW: Final = 0.9
"""Score of the points of somebody new below which nobody is followed: in pictures that
were looked at, wrong finds of the detector had less, and people had more."""
SAME_PLACE: Final = 0.05
"""Distance of two regions' centres, in sides of the smaller one, below which they are
of one person."""
SAME_POINTS: Final = 0.08
"""Mean distance of two people's points, in sides of the smaller region, below which
they are one person who was found twice. Two people who hug are farther apart."""
REUNITED_S: Final = 2.0
"""Seconds for which a person who was lost may be found again as the same one."""
REUNITED_SIDES: Final = 0.5
"""Distance, in sides of the region, within which that person must be found again."""


def refuse_people(n: int) -> None:
    """Refuse a number of people who cannot be followed.

    Raises
    ------
    TrackError
        If it is not from 1 to `MOST_INDIVIDUALS`.
    """
    if not 1 <= n <= MOST_INDIVIDUALS:
        raise TrackError(f"individuals must be from 1 to {MOST_INDIVIDUALS}, got {n}")


@dataclasses.dataclass
class _Place:
    """One of the individuals of the tracks: a person who is followed, or was."""

    pose: PersonPose | None = None
    """The person in the frame before; None while nobody is followed."""
    region: Region | None = None
    """Where the person was last seen; None if there was none yet."""
    last: int = -1
    """The frame in which the person was last seen."""

    def follow(self, pose: PersonPose | None, frame: int) -> None:
        """Take the pose of a frame; with None the person is lost."""
        self.pose = pose
        if pose is not None:
            self.region, self.last = pose.region, frame


class PoseTracker:
    """Follows people through the frames of one video.

    Parameters
    ----------
    networks : PoseNetworks
        What finds people and their points.
    most_people : int
        People who are followed at the same time, from 1. The detector's surest come
        first, and who is followed is not given up for another.
    fps : float
        Frames a second.
    hands : HandFinder, optional
        What finds hands. Without it, nobody's hands are looked at.
    """

    def __init__(
        self,
        networks: PoseNetworks,
        most_people: int,
        fps: float,
        hands: HandFinder | None = None,
    ) -> None:
        self._networks, self._fps = networks, fps
        self._places = [_Place() for _ in range(most_people)]
        self._hands = None if hands is None else HandTracker(hands, most_people)
        self._every = max(1, round(SEARCH_S * fps))
        self._n_frames = 0

    def tracks(self, frames: Iterable[Frame]) -> Tracks | None:
        """Return the tracks of a video's people; None if it has no frames.

        A person who is lost and found again within `REUNITED_S` is the same individual;
        otherwise an individual of the tracks may be one person after another.
        """
        positions, likelihood = [], []
        shape = (len(self._places), len(PERSON_POINTS))
        for frame in frames:
            is_search = self._n_frames % self._every == 0
            places = np.full((*shape, 2), np.nan, np.float32)
            sure = np.zeros(shape, np.float32)
            poses = self._next(frame)
            for i, pose in enumerate(poses):
                if pose is not None:
                    places[i], sure[i] = pose.positions, pose.likelihood
            if self._hands is not None:
                of_hands = self._hands.next(frame, poses, is_search)
                places = np.concatenate([places, of_hands[0]], axis=1)
                sure = np.concatenate([sure, of_hands[1]], axis=1)
            positions.append(places)
            likelihood.append(sure)
        if not positions:
            return None
        return Tracks(
            np.stack(positions),
            PERSON_POINTS if self._hands is None else PERSON_WITH_HANDS,
            tuple(f"person_{i + 1}" for i in range(len(self._places))),
            np.stack(likelihood),
            fps=self._fps,
        )

    def _next(self, frame: Frame) -> list[PersonPose | None]:
        """Return the pose of each individual in the next frame."""
        now, self._n_frames = self._n_frames, self._n_frames + 1
        for place in self._places:
            if place.pose is not None:
                place.follow(self._networks.pose(frame, place.pose.region), now)
        self._drop_doubles()
        if now % self._every == 0:
            self._search(frame, now)
        return [place.pose for place in self._places]

    def _search(self, frame: Frame, now: int) -> None:
        """Follow people who are not followed yet, as long as there are places."""
        if all(place.pose is not None for place in self._places):
            return
        for region in self._networks.find(frame):
            if any(_apart(pose.region, region) < SAME_PLACE for pose in self._now()):
                continue
            place = self._place_for(region, now)
            if place is None:
                return
            pose = self._networks.pose(frame, region)
            if pose is None or pose.score < LEAST_NEW:
                continue
            if not any(_is_double(other, pose) for other in self._now()):
                place.follow(pose, now)

    def _now(self) -> list[PersonPose]:
        """Return the poses of those who are followed."""
        return [place.pose for place in self._places if place.pose is not None]

    def _place_for(self, region: Region, now: int) -> _Place | None:
        """Return the individual that somebody new becomes; None if all are taken.

        It is one who was lost near by a short time ago, else one who never was, else
        the one who was lost first.
        """
        free = [place for place in self._places if place.pose is None]
        for place in free:
            if (
                place.region is not None
                and now - place.last <= REUNITED_S * self._fps
                and _apart(place.region, region) < REUNITED_SIDES
            ):
                return place
        return min(free, key=lambda place: place.last, default=None)

    def _drop_doubles(self) -> None:
        """Stop following a person by two places; the first place goes on."""
        kept: list[PersonPose] = []
        for place in self._places:
            if place.pose is None:
                continue
            if any(_is_double(other, place.pose) for other in kept):
                place.pose = None
            else:
                kept.append(place.pose)


def _is_double(first: PersonPose, second: PersonPose) -> bool:
    """Return whether two poses are of one person."""
    steps = first.positions - second.positions
    apart = float(np.hypot(steps[:, 0], steps[:, 1]).mean())
    return apart < SAME_POINTS * min(first.region.side, second.region.side)


def _apart(first: Region, second: Region) -> float:
    """Return the distance of two regions' centres, in sides of the smaller one."""
    distance = float(np.hypot(first.x - second.x, first.y - second.y))
    return distance / max(1e-6, min(first.side, second.side))
