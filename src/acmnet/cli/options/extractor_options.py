"""Options of the verbs extract and fit: which extractor, with which settings."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Group, Parameter

from acmnet.cli.terminal.app import UsageError, note
from acmnet.data.tracks.track_layout import TrackLayout
from acmnet.extraction.default_extractor import AUTO, unnamed_extractor
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import (
    KEYPOINTS,
    PLUS,
    POSE,
    reads_tracks,
    reads_videos,
)
from acmnet.extraction.extractors.i3d_choices import Crop, Precision
from acmnet.extraction.flow.optical_flow import FlowMethod
from acmnet.extraction.keypoints.keypoint_request import KeypointRequest

FIRST_OPTIONS: Final = Group("Parameters", sort_key=1)
FEATURE_OPTIONS: Final = Group("Features", sort_key=2)
TRAINING_OPTIONS: Final = Group("Training", sort_key=3)
PROCESSES: Final = Group("How it runs", sort_key=4)
"""Groups of options in the help of a verb, in the order in which they matter."""

GRID_OPTIONS: Final = ("fps", "snippet_frames", "stride_frames")
TRACK_OPTIONS: Final = (
    "tracks",
    "points",
    "individuals",
    "pool_individuals",
    "min_likelihood",
    "directions",
)
"""Options of the extractor keypoints; pose has the second one, too."""
POSE_OPTIONS: Final = ("individuals", "hands")
"""Options of the extractor pose."""

Running: Final = Parameter(group=PROCESSES)
RunningFlag: Final = Parameter(group=PROCESSES, negative=())


@dataclasses.dataclass(frozen=True)
class ExtractorOptions:
    """The extractor, and the settings that its features depend on."""

    extractor: str = AUTO
    """"motion", "i3d-rgb", "i3d-rgb-wide" (i3d-rgb over twice as many frames around
    each snippet), "i3d-two-stream", "pose" for how people move (needs acmnet weights
    install pose), "keypoints" for files of tracks instead of videos, or "module:Class"
    for an extractor of your own, which may lie in the working directory. Several joined
    by "+", such as i3d-rgb-wide+motion, describe each snippet side by side; a video is
    decoded once for all of them. keypoints+motion describes videos and their tracks.
    "auto" continues with the extractor that the feature directory names; in a new
    directory it takes i3d-rgb-wide if the weights of i3d-rgb are installed, else
    motion. For safety, a class of your own runs only if you name it here or in a line
    of ~/.config/acmnet/trusted_extractors."""
    tracks: Path | None = None
    """With keypoints: folder of the files of tracks. When left out, they are looked for
    in the folder of the videos. A recording and its video have the same name."""
    fps: float | None = None
    """Frames per second that the video is sampled at before its features are computed:
    25 when left out. With keypoints alone: the rate that the files state when left out;
    files that state none need it."""
    snippet_frames: int | None = None
    """Frames in a snippet, a short piece of video that one row of features describes.
    When left out: 16, or with keypoints alone as many as last 0.6 s."""
    stride_frames: int | None = None
    """Frames from the start of one snippet to the start of the next. When left out: 16,
    or with keypoints alone as many as last 0.25 s."""
    flow: FlowMethod = ExtractionSettings.flow
    """Only for i3d-two-stream: how exactly the motion between frames (TV-L1 optical
    flow) is computed, from exact and slow to fast. "dis" is another, rough method for a
    quick preview; its features are marked as such."""
    crop: Crop = ExtractionSettings.crop
    "Only for I3D: look at the centre of a frame, or at ten crops (ten times as slow)."
    precision: Precision = ExtractionSettings.precision
    """Only for I3D: the number format, and the program that computes it. "auto"
    continues in the format of features that exist already. For new features of more
    than five minutes of video, it measures once on each machine which format is the
    fastest that --least-cosine allows; for less it takes bf16. "openvino-int8" is
    calibrated on frames of your own videos. The formats of OpenVINO need
    pip install 'acmnet[openvino]'. acmnet extract --benchmark compares all."""
    least_cosine: float = ExtractionSettings.least_cosine
    """Only for I3D with --precision auto or openvino-int8: the least cosine between the
    features of a snippet and those in fp32. Faster formats that change features more
    are refused."""
    points: Annotated[list[str] | None, Parameter(negative=())] = None
    """Only for keypoints: names of the points to describe, separated by commas. When
    left out: all points of the first file."""
    individuals: int | None = None
    """Only for keypoints and pose: how many individuals to describe. When left out: as
    many as the first file has, or with pose up to 4 people at a time."""
    pool_individuals: Annotated[bool, Parameter(negative=())] = False
    """Only for keypoints: give this if two individuals cannot be told apart, or the
    tracker swaps them. More than two are always described so."""
    min_likelihood: float | None = None
    """Only for keypoints: a point of which the tracker is less sure counts as not seen.
    When left out: 0.6 for DeepLabCut, 0.2 for SLEAP, 0.5 for others."""
    directions: bool | None = None
    """Only for keypoints: whether left, right, up and down in a recording mean
    something, as for a hand that swipes to the left, or a person who lies. When left
    out: yes if individuals mostly keep their direction in the first file, as people do
    in front of a camera; no if they turn all the way round, as mice seen from above."""
    hands: Annotated[bool, Parameter(negative=())] = False
    """Only for pose: look at people's hands, too, where they are large enough to be
    seen: three fingertips of each then stand in the place of knees and ankles. It takes
    about twice the time."""

    def settings(self, *features: Path) -> ExtractionSettings | KeypointRequest:
        """Return the settings to extract with; "auto" is resolved to an extractor.

        What features of tracks are made of may still depend on the files
        (`acmnet.extraction.keypoints.keypoint_request.settled`).

        Parameters
        ----------
        *features : Path
            Directories of features; "auto" goes on with those of the first that holds
            some.

        Raises
        ------
        UsageError
            If an option is given that the extractor does not have.
        """
        self._refuse_tracks()
        options = {
            name: value
            for name in (*GRID_OPTIONS, "flow", "crop", "precision", "least_cosine")
            if (value := getattr(self, name)) != getattr(ExtractorOptions, name)
        }
        if self.extractor == AUTO:
            return unnamed_extractor(options, features, note)
        if reads_tracks(self.extractor):
            return self._of_tracks(options)
        tracks = self._layout_of_people() if self._has_pose else None
        return ExtractionSettings(self.extractor, tracks=tracks, **options)

    def words(self) -> tuple[str, ...]:
        """Return the options as they are given to `acmnet extract`.

        Examples
        --------
        >>> ExtractorOptions(extractor="keypoints", fps=30.0, directions=False).words()
        ('--extractor', 'keypoints', '--fps', '30.0', '--no-directions')
        """
        words = ["--extractor", self.extractor]
        for name, value in dataclasses.asdict(self).items():
            if name == "extractor" or value == getattr(ExtractorOptions, name):
                continue
            option = name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{'' if value else 'no-'}{option}")
            else:
                text = ",".join(value) if isinstance(value, list) else str(value)
                words += [f"--{option}", text]
        return tuple(words)

    def _of_tracks(self, options: Mapping[str, Any]) -> KeypointRequest:
        """Return what is asked of features of tracks.

        ``options`` has the settings of videos that were given, by name.
        """
        points = ",".join(self.points or ())
        names = [name.strip() for name in points.split(",") if name.strip()]
        beside = {x: value for x, value in options.items() if x not in GRID_OPTIONS}
        return KeypointRequest(
            extractor=self.extractor,
            beside=beside if reads_videos(self.extractor) else {},
            fps=self.fps,
            snippet_frames=self.snippet_frames,
            stride_frames=self.stride_frames,
            points=tuple(names) or None,
            individuals=self.individuals,
            pool_individuals=self.pool_individuals,
            min_likelihood=self.min_likelihood,
            directions=self.directions,
        )

    @property
    def _has_pose(self) -> bool:
        return POSE in self.extractor.split(PLUS)

    def _layout_of_people(self) -> TrackLayout | None:
        """Return what is asked of the features of people; None where nothing is."""
        if self.individuals is None and not self.hands:
            return None
        # it imports torch
        from acmnet.extraction.pose.pose_extractor import MOST_PEOPLE, pose_layout

        most = MOST_PEOPLE if self.individuals is None else self.individuals
        return pose_layout(most, has_hands=self.hands)

    def _refuse_tracks(self) -> None:
        """Refuse options of keypoints and pose for another extractor."""
        for name in dict.fromkeys((*TRACK_OPTIONS, *POSE_OPTIONS)):
            if getattr(self, name) == getattr(ExtractorOptions, name):
                continue
            if name == "tracks" and self.extractor == AUTO:
                continue  # which extractor it is tells the directory of features
            has_it = (reads_tracks(self.extractor) and name in TRACK_OPTIONS) or (
                self._has_pose and name in POSE_OPTIONS
            )
            if not has_it:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} is for --extractor {_takers(name)}")


def _takers(name: str) -> str:
    """Return which extractors have an option of tracks or people."""
    takers = {KEYPOINTS: name in TRACK_OPTIONS, POSE: name in POSE_OPTIONS}
    return " or ".join(taker for taker, takes in takers.items() if takes)


Extracting = Annotated[ExtractorOptions, Parameter(name="*", group=FEATURE_OPTIONS)]
