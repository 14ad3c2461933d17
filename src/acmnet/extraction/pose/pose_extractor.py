"""The extractor `pose`: people's points are found in videos, and described as tracks.

The points of each frame become tracks (`acmnet.extraction.pose.pose_tracker`), and
these the features that the extractor `keypoints` makes of tracks.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.person_points import BODY_AND_HANDS, BODY_POINTS, PERSON_POINTS
from acmnet.data.tracks.track_layout import TrackLayout, arranged
from acmnet.data.tracks.tracks import Tracks
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.keypoints.keypoint_features import (
    features_of_nobody,
    keypoint_features,
    n_columns,
)
from acmnet.extraction.keypoints.signal_plan import plan_of
from acmnet.extraction.keypoints.track_gaps import filled
from acmnet.extraction.pose.hand_networks import HandNetworks
from acmnet.extraction.pose.pose_networks import PoseNetworks
from acmnet.extraction.pose.pose_tracker import PoseTracker
from acmnet.extraction.pose.pose_weights import (
    MEMBERS,
    PEOPLE,
    POSE_WEIGHTS,
    pose_sha256,
)
from acmnet.video.frames import Frame

FRAME_SIDE: Final = 480
"""Shorter side in pixels of the frames in which people are looked for."""
MOST_PEOPLE: Final = 4
"""People who are followed at the same time where the user does not say how many."""


def pose_layout(
    most_people: int = MOST_PEOPLE, *, has_hands: bool = False
) -> TrackLayout:
    """Return the layout of the features: pooled, since people have no fixed order.

    Parameters
    ----------
    most_people : int
        People who are followed at the same time.
    has_hands : bool
        Whether their hands are looked at, too.
    """
    points = BODY_AND_HANDS if has_hands else BODY_POINTS
    return TrackLayout(points, most_people, 2, are_pooled=True)


class Pose:
    """Features of the people in a video, as those of tracks.

    See `acmnet.extraction.keypoints.keypoint_features`.
    """

    frame_side: Final = FRAME_SIDE
    streams: Final = ("pose",)

    def __init__(self, settings: ExtractionSettings) -> None:
        self.layout = settings.tracks or pose_layout()
        self.grid = settings.grid
        self.dimension = n_columns(plan_of(self.layout))
        self.networks = PoseNetworks()
        has_hands = not set(self.layout.points) <= set(PERSON_POINTS)
        self.hands = HandNetworks() if has_hands else None
        self.versions: Mapping[str, str] = {
            "numpy": np.__version__,
            "openvino": metadata.version("openvino"),
            POSE_WEIGHTS: pose_sha256(MEMBERS if has_hands else PEOPLE),
        }
        self.settings: Mapping[str, Any] = {"tracks": self.layout.to_json()}

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks, after the last frame was read."""
        tracker = PoseTracker(
            self.networks, self.layout.n_individuals, self.grid.fps, self.hands
        )
        tracks = tracker.tracks(frames)
        if tracks is not None:
            yield from self._features(tracks)

    def _features(self, tracks: Tracks) -> Iterator[npt.NDArray[np.float32]]:
        held = arranged(tracks, self.layout)
        plan, least = plan_of(self.layout), self.layout.min_likelihood
        if not held.seen(least).any():
            yield features_of_nobody(plan, self.grid.n_snippets(held.n_frames))
            return
        steady = filled(held, self.grid.fps, least_likelihood=least)
        yield from keypoint_features(steady, plan, self.grid)
