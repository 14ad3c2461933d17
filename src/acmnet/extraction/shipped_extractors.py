"""The extractors that come with acmnet, and which of them settings name.

Each is imported when it is made: only some of them need torch, OpenVINO or HDF5.
"""

from collections.abc import Callable
from typing import Final

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.extractor_names import (
    KEYPOINTS,
    POSE,
    ExtractorError,
    parts_of,
)
from acmnet.extraction.extractors.own_extractors import own_extractor
from acmnet.extraction.extractors.side_by_side import SideBySide
from acmnet.extraction.motion.motion_descriptor import Motion
from acmnet.messages import did_you_mean


def _rgb(settings: ExtractionSettings, device: str) -> Extractor:
    from acmnet.extraction.i3d.i3d_extractors import RGB

    return RGB(settings, device)


def _wide_rgb(settings: ExtractionSettings, device: str) -> Extractor:
    from acmnet.extraction.i3d.i3d_extractors import WideRGB

    return WideRGB(settings, device)


def _two_stream(settings: ExtractionSettings, device: str) -> Extractor:
    from acmnet.extraction.i3d.i3d_extractors import TwoStream

    return TwoStream(settings, device)


def _pose(settings: ExtractionSettings, _: str) -> Extractor:
    from acmnet.extraction.pose.pose_extractor import Pose

    return Pose(settings)


def _keypoints(settings: ExtractionSettings, _: str) -> Extractor:
    from acmnet.extraction.keypoints.keypoint_extractor import Keypoints

    return Keypoints(settings)


SHIPPED: Final[dict[str, Callable[[ExtractionSettings, str], Extractor]]] = {
    "motion": lambda settings, _: Motion(settings),
    "i3d-rgb": _rgb,
    "i3d-rgb-wide": _wide_rgb,
    "i3d-two-stream": _two_stream,
    POSE: _pose,
    KEYPOINTS: _keypoints,
}


def refuse_unknown(extractor: str) -> None:
    """Refuse the name of an extractor that does not exist.

    Raises
    ------
    ExtractorError
        If a part of the name is neither an extractor of acmnet nor ``module:Class``.
    """
    for name in parts_of(extractor):
        if ":" not in name and name not in SHIPPED:
            raise ExtractorError(
                f"unknown extractor {name!r}; {did_you_mean(name, SHIPPED)}give "
                f"{', '.join(SHIPPED)}, module:Class of your own, or several of these "
                "joined by +"
            )


def make_extractor(settings: ExtractionSettings, device: str = "cpu") -> Extractor:
    """Return the extractor that the settings name, with its weights loaded.

    Parameters
    ----------
    settings : ExtractionSettings
        The name and settings; a user's own class is made from its name alone. Several
        names joined by ``+`` give all of these extractors side by side.
    device : str
        Device on which a network computes, such as ``"cuda"``.

    Raises
    ------
    ExtractorError, WeightsError
        If no extractor has that name, its weights are not installed, or several
        extractors do not fit together.
    """
    refuse_unknown(settings.extractor)
    names = parts_of(settings.extractor)
    makers = {
        name: own_extractor(name, is_named=settings.is_named)
        if ":" in name
        else SHIPPED[name](settings, device)
        for name in names
    }
    return makers[names[0]] if len(makers) == 1 else SideBySide(makers)
