"""The public releases of features that are known by name, with their grids.

References
----------
W-TALC's ``dataset.py`` (sujoyp/wtalc-pytorch) for the array of all videos and its
lists; ActionFormer's
``configs/thumos_i3d.yaml`` (``feat_stride: 4, num_frames: 16``) for the stride of 4;
OpenTAD's ``tools/prepare_data/activitynet/README.md`` for TSP (15 frames a second,
``snippet_stride=16, clip_length=16``).
"""

import dataclasses
from typing import Final

from acmnet.data.features.feature_files import FeatureError
from acmnet.messages import quoted
from acmnet.segments import SnippetGrid


@dataclasses.dataclass(frozen=True)
class Release:
    """What holds for all features of a release."""

    name: str
    what: str
    """Who made the features and who uses them, for people."""
    grid: SnippetGrid | None
    """Where the snippets lie in time; None if the user has to say."""
    dimension: int | None
    """Number of columns, all streams together; None if it is not known."""


RELEASES: Final = (
    Release(
        "i3d",
        "I3D at 25 frames a second, RGB and flow (ACM-Net, FTCL, ASM-Loc, BaSNet, UM, "
        "CoLA; ActivityNet as of OpenTAD)",
        SnippetGrid(25.0, 16, 16),
        2048,
    ),
    Release(
        "w-talc",
        "I3D in one array of all videos, NAME-I3D-JOINTFeatures.npy (W-TALC, CO2-Net, "
        "DELU, DDG-Net, P-MIL)",
        SnippetGrid(25.0, 16, 16),
        2048,
    ),
    Release(
        "i3d-stride4",
        "I3D every four frames of the video's own frame rate, ten crops or one (CMCS, "
        "ActionFormer, TriDet, OpenTAD)",
        SnippetGrid(30.0, 16, 4),
        2048,
    ),
    Release(
        "tsp",
        "R(2+1)D-34 of TSP on ActivityNet, at 15 frames a second",
        SnippetGrid(15.0, 16, 16),
        512,
    ),
    Release("other", "any other features; state their grid", None, None),
)
"""All releases that are known."""


def release_named(name: str, grid: SnippetGrid | None, fps: float | None) -> Release:
    """Return a release, with its grid.

    Parameters
    ----------
    name : str
        The name of one of `RELEASES`.
    grid : SnippetGrid or None
        The grid that the user states, for ``other``.
    fps : float or None
        Another frame rate than the usual one of the release.

    Raises
    ------
    FeatureError
        If there is no such release, or its grid is not known.
    """
    release = next((known for known in RELEASES if known.name == name.casefold()), None)
    if release is None:
        names = ", ".join(known.name for known in RELEASES)
        raise FeatureError(f"there is no release {quoted(name)}; known are {names}")
    if release.grid is None:
        if grid is None:
            raise FeatureError(
                f"features of the release {release.name!r} need their grid: --fps, "
                "--snippet-frames and --stride-frames"
            )
        return dataclasses.replace(release, grid=grid)
    if grid is not None:
        raise FeatureError(
            f"the release {release.name!r} states its grid; of its options give --fps "
            "at most, or name the release other"
        )
    if fps is None:
        return release
    return dataclasses.replace(release, grid=dataclasses.replace(release.grid, fps=fps))
