"""The two pose networks: one finds people in a frame, one finds a person's points.

They are the published BlazePose networks, run by OpenVINO on the CPU.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.person_points import PERSON_POINTS
from acmnet.extraction.openvino_on_cpu import cpu_settings, without_reports
from acmnet.extraction.pose.pose_geometry import (
    DETECTOR_SIDE,
    Candidates,
    Floats,
    Region,
    anchors,
    decoded,
    merged,
    refined,
    region_of,
    sigmoid,
    whole_frame,
)
from acmnet.extraction.pose.pose_weights import pose_network_files
from acmnet.extraction.weight_files import WeightsError
from acmnet.video.frames import Frame

LANDMARK_SIDE: Final = 256
"""Height and width of the picture in which the points of a person are found, in
pixels."""
OUTPUT_POINTS: Final = 39
"""Points that the network gives: those of `PERSON_POINTS`, the two that say where the
person will be in the next frame, and four that are not used."""
LEAST_FOUND: Final = 0.3
"""Score below which the detector has not found a person. MediaPipe takes 0.5 and misses
people who are small or seen from behind; what is found wrongly is refused by
`acmnet.extraction.pose.pose_tracker.LEAST_NEW`."""
LEAST_SEEN: Final = 0.5
"""Score below which nobody is in a region, as MediaPipe has it."""

Network = Callable[[npt.NDArray[np.float32]], dict[str, npt.NDArray[np.float32]]]
"""Takes a (1, S, S, 3) picture; returns the outputs by their names in the file."""


class PersonPose(NamedTuple):
    """The points of one person in one frame."""

    score: float
    """How sure the network is that there is a person, from 0 to 1."""
    positions: Floats
    """(33, 2): in pixels of the frame."""
    likelihood: Floats
    """(33,): from 0 to 1, how likely each point is in the frame and not hidden."""
    region: Region
    """Where to look for the person in the next frame."""


class PoseNetworks:
    """Finds people, and the points of a person.

    Raises
    ------
    WeightsError
        If OpenVINO or the weights are not installed.
    """

    def __init__(self) -> None:
        finder, pointer = pose_network_files()
        self._finder, self._pointer = loaded(finder), loaded(pointer)
        self._anchors = anchors()

    def find(self, frame: Frame) -> list[Region]:
        """Return a region for each person in an RGB frame, the surest first."""
        seen = whole_frame(frame)
        picture = seen.cut(frame, DETECTOR_SIDE, fill=True).astype(np.float32)
        outputs = self._finder((picture / np.float32(127.5) - 1)[None])
        candidates: Candidates = merged(
            decoded(
                outputs["Identity"][0],
                outputs["Identity_1"][0, :, 0],
                self._anchors,
                LEAST_FOUND,
            )
        )
        return [region_of(*seen.to_frame(points[:2])) for points in candidates.points]

    def pose(self, frame: Frame, region: Region) -> PersonPose | None:
        """Return the points of the person in a region; None if nobody is there."""
        picture = region.cut(frame, LANDMARK_SIDE, fill=False).astype(np.float32)
        outputs = self._pointer((picture / np.float32(255))[None])
        score = float(outputs["Identity_1"][0, 0])
        if score < LEAST_SEEN:
            return None
        values = outputs["Identity"].reshape(OUTPUT_POINTS, 5).astype(np.float64)
        points = refined(values[:, :2] / LANDMARK_SIDE, outputs["Identity_3"][0])
        places = region.to_frame(points)
        n = len(PERSON_POINTS)
        return PersonPose(
            score,
            places[:n],
            sigmoid(values[:n, 3]),
            region_of(places[n], places[n + 1]),
        )


def loaded(file: Path) -> Network:
    """Return a function that runs a network on a picture.

    Raises
    ------
    WeightsError
        If OpenVINO is not installed.
    """
    openvino = _import_openvino()
    with without_reports():
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(file), "CPU", cpu_settings("f32"))
    names = [output.any_name for output in compiled.outputs]

    def run(picture: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        outputs = compiled([picture])
        return {name: outputs[i] for i, name in enumerate(names)}

    return run


def _import_openvino() -> Any:
    try:
        with without_reports():
            return importlib.import_module("openvino")
    except ImportError:
        raise WeightsError(
            "the extractor pose needs OpenVINO, which is not installed; run: pip "
            "install 'acmnet[openvino]'"
        ) from None
