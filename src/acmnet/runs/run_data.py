"""What a run keeps of its data, so that it can be used from anywhere.

The checkpoint of a run holds the label file, and the videos and labels that training
was given. Features are looked for relative to the run, and where they were.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import FOLDER, labels_file
from acmnet.data.features.feature_store import has_manifest
from acmnet.data.features.object_storage import address_of
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.segments import SnippetGrid

CHECKPOINTS = "checkpoints"
"""Folder of a run's earlier checkpoints, where they are kept."""


TRAINED_ON_DIGESTS: Final = "trained_on_sha256"
"""Key in ``training`` of a published config: digests of the training videos' names."""
TAUGHT_DIGESTS: Final = "taught_times_sha256"
"""The same for the videos that gave the training their times."""
DIGEST_CHARACTERS: Final = 16
"""Hexadecimal digits of a digest: of a million names, no two share one by chance."""


def place_of_features(run: Path, features: Path) -> dict[str, str]:
    """Return a feature directory as absolute path and as path from the run.

    An address in object storage is returned as it is.
    """
    address = address_of(features)
    if address is not None:
        return {"features": address}
    there = features.resolve()
    return {
        "features": str(there),
        "features_from_run": os.path.relpath(there, run.resolve()),
    }


def annotations_of(run: Path, config: CheckpointConfig) -> Path | None:
    """Return the label file of a run; None where it is gone.

    It is the run's own copy. A run of an older acmnet has none: it says where its label
    file was.

    Raises
    ------
    CheckpointError
        If the copy is damaged.
    """
    return labels_file(run) or _existing(config.training.get("annotations"))


def features_of(run: Path, config: CheckpointConfig) -> Path | None:
    """Return the directory of the features that a run was trained on; None if gone.

    Features that lay in the run are looked for there first, so that those of a copied
    run are its own.
    """
    known = config.training
    there = known.get("features")
    from_run = known.get("features_from_run")
    if isinstance(there, str) and address_of(there) is not None:
        return Path(there)
    if not isinstance(from_run, str):
        return _existing(there)
    beside = str(_root(run) / from_run)
    is_inside = from_run.partition(os.sep)[0] != os.pardir
    first, second = (beside, there) if is_inside else (there, beside)
    found = _existing(first) or _existing(second)
    return found and _short(found)


def grid_of(features: Path, config: CheckpointConfig) -> SnippetGrid | None:
    """Return the run's snippet grid if the features do not name their own."""
    return None if has_manifest(features) else config.grid


def taught_videos(config: CheckpointConfig, videos: Iterable[str]) -> list[str]:
    """Return which of some videos gave a run their times, in order.

    A published model knows them by digests of their names (`name_digest`).
    """
    listed = _listed(config, TAUGHT_DIGESTS) or frozenset()
    return sorted(x for x in videos if x in config.taught_times or _is_in(x, listed))


def trained_on(config: CheckpointConfig, videos: Iterable[str]) -> list[str] | None:
    """Return which of some videos a run was trained on, in order; None if not known.

    A published model knows them by digests of their names (`name_digest`).
    """
    known = training_videos(config)
    if known is not None:
        return sorted(known.intersection(videos))
    listed = _listed(config, TRAINED_ON_DIGESTS)
    return None if listed is None else sorted(x for x in videos if _is_in(x, listed))


def name_digest(video: str) -> str:
    """Return a digest of a video's name, which tells the name to those who know it."""
    return hashlib.sha256(video.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _is_in(video: str, digests: frozenset[str]) -> bool:
    return bool(digests) and name_digest(video) in digests


def _listed(config: CheckpointConfig, key: str) -> frozenset[str] | None:
    """Return the digests that a published config lists under a key."""
    values = config.training.get(key)
    if not isinstance(values, list):
        return None
    return frozenset(x for x in values if isinstance(x, str))


def training_videos(config: CheckpointConfig) -> frozenset[str] | None:
    """Return the videos that a run was trained on; None where that cannot be told.

    Those of the earlier runs that it began with are among them.
    A run of an older acmnet names its label file and how many of its videos it was
    trained on: when the file is gone or has another number, the videos are not known.
    """
    known: Mapping[str, Any] = config.training
    if config.trained_on is not None:
        earlier = known.get("earlier_videos", ())
        return frozenset((*config.trained_on, *earlier))
    try:
        videos = read_annotations(known["annotations"]).subset(known["subset"]).videos
    except (KeyError, TypeError, AnnotationError):
        return None
    return frozenset(videos) if len(videos) == known.get("videos") else None


def _existing(path: object) -> Path | None:
    found = Path(path) if isinstance(path, str) and path else None
    return found if found is not None and found.exists() else None


def _short(path: Path) -> Path:
    """Return a path below the working directory relative to it, others unchanged."""
    relative = Path(os.path.relpath(path))
    return path if os.pardir in relative.parts else relative


def _root(directory: Path) -> Path:
    """Return the run that a directory is, or that it is a checkpoint of."""
    place = directory.resolve()
    if place.name == FOLDER:
        return place.parent
    if place.parent.name == CHECKPOINTS:
        return place.parent.parent
    return place
