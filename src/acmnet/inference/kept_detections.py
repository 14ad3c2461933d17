"""Keep a run's detections in its folder until anything that they depend on changes.

Localising thousands of videos takes minutes, and looking at a run should not. So the
detections are kept beside the weights, each video's under a stamp of its feature file,
and all of them under a key of everything else that they depend on: weights, settings,
classes, grid, and the code that finds them. What does not match is found anew, never
shown.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files.file_access import open_regular, written_whole
from acmnet.inference.localized_videos import localize_videos
from acmnet.messages import one_line
from acmnet.models.stored_model import TEACHERS
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import Settings, as_values
from acmnet.segments import Detections

FOUND_FILE: Final = "found.safetensors"
FINDING: Final = ("network", "localization", "models")
"""Folders of acmnet whose code decides what given weights find in given features."""

ARRAYS: Final = ("start_s", "end_s", "score", "class_index")


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptDetections:
    """The detections that a run keeps of the videos in its data.

    Parameters
    ----------
    run : Path
        The run's directory.
    settings : Settings
        Those that it is used with.
    class_names : tuple of str
        The run's classes.
    data : Data
        The videos.
    """

    run: Path
    settings: Settings
    class_names: tuple[str, ...]
    data: Data

    @classmethod
    def of(cls, model: TrainedModel, run: Path, data: Data) -> Self:
        """Return the file of what a model that was read from a run finds in videos."""
        names = model.class_names
        return cls(run=run, settings=model.settings, class_names=names, data=data)

    def read(self) -> dict[str, Detections]:
        """Return the kept detections that are still valid, by video."""
        stamped = self._stamped()
        return {
            video: stamped[video][1]
            for video in self.data.annotations.videos
            if video in stamped and stamped[video][0] == self._stamp(video)
        }

    def keep(self, results: Mapping[str, Detections]) -> None:
        """Keep detections, beside those of further videos that are kept already.

        Raises
        ------
        OSError
            If the run cannot be written to.
        """
        stamped = self._stamped() | {
            video: (self._stamp(video), detections)
            for video, detections in results.items()
        }
        counts = [len(detections) for _, detections in stamped.values()]
        arrays = {
            name: np.concatenate(
                [
                    np.zeros(0),
                    *(getattr(detections, name) for _, detections in stamped.values()),
                ]
            )
            for name in ARRAYS
        }
        arrays["counts"] = np.array(counts, dtype=np.int64)
        videos = json.dumps([[video, stamp] for video, (stamp, _) in stamped.items()])
        with written_whole(self.run / FOUND_FILE) as part:
            part.write_bytes(save(arrays, {"key": self._key(), "videos": videos}))

    def _stamped(self) -> dict[str, tuple[str, Detections]]:
        """Return each kept video's stamp and detections, if the file can be used."""
        try:
            return self._read()
        except (
            *(OSError, ValueError, KeyError, TypeError, IndexError),
            *(RecursionError, SafetensorError),
        ):
            return {}

    def _read(self) -> dict[str, tuple[str, Detections]]:
        """Return what the file holds under this key; fails where it is damaged."""
        with open_regular(self.run / FOUND_FILE):  # a pipe would never be read
            pass
        with safe_open(self.run / FOUND_FILE, framework="np") as file:
            known = file.metadata()
            if known["key"] != self._key():
                return {}
            arrays = {name: file.get_tensor(name) for name in (*ARRAYS, "counts")}
        arrays["class_index"] = arrays["class_index"].astype(np.int64)
        counts = arrays["counts"]
        if counts.min(initial=0) < 0 or counts.sum() != len(arrays["score"]):
            raise ValueError("the counts do not fit the detections")
        ends = np.cumsum(counts).tolist()
        result = {}
        for (video, stamp), start, end in zip(
            json.loads(known["videos"]), [0, *ends[:-1]], ends, strict=True
        ):
            of_video = {name: arrays[name][start:end] for name in ARRAYS}
            detections = Detections(**of_video, class_names=self.class_names)
            result[str(video)] = str(stamp), detections
        return result

    def _key(self) -> str:
        """Return a digest of all that the detections of every video depend on."""
        networks = [self.run]
        networks += [
            self.run / TEACHERS / str(k) for k in range(self.settings.teachers.count)
        ]
        values: list[Any] = [metadata.version("acmnet"), code_sha256()]
        values += [[weights_sha256(network) for network in networks]]
        values += [as_values(self.settings), self.class_names]
        values += [dataclasses.asdict(self.data.store.grid)]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def _stamp(self, video: str) -> str:
        """Return what changes whenever a video's feature file is written."""
        return self.data.store.stamp(video)


@functools.cache
def code_sha256(package: Path = Path(__file__).parents[1]) -> str:
    """Return a digest of the code in `FINDING`, which shows that it was changed.

    Parameters
    ----------
    package : Path
        The folder that holds these folders.
    """
    digest = hashlib.sha256()
    for folder in FINDING:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(package)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def localize_unless_kept(
    file: KeptDetections,
    model: Callable[[], TrainedModel],
    *,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> dict[str, Detections]:
    """Return the detections of every video, finding only those that are not kept.

    Parameters
    ----------
    file : KeptDetections
        Where they are kept.
    model : callable
        Returns the model; not called where all detections are kept.
    on_video, on_failure : callable
        As for `localize_videos`; a kept video counts as done at once.
    on_note : callable
        Called with a sentence where the run cannot be written to.
    """

    def find(missing: Data) -> dict[str, Detections]:
        results = localize_videos(model(), missing, on_video, on_failure)
        keep(file, results, on_note)
        return results

    return with_kept(file, find, on_video)


def with_kept(
    file: KeptDetections,
    find: Callable[[Data], dict[str, Detections]],
    on_video: Callable[[str], None],
) -> dict[str, Detections]:
    """Return the detections of every video: kept ones, and what is found in the rest.

    Parameters
    ----------
    file : KeptDetections
        Where detections are kept; nothing is written to it.
    find : callable
        Given the videos whose detections are not kept, if there are any, returns those
        that it finds.
    on_video : callable
        Called with the id of each video whose detections are kept.
    """
    videos, kept = file.data.annotations.videos, file.read()
    for video in kept:
        on_video(video)
    missing = {video for video in videos if video not in kept}
    results = kept | find(file.data.only(missing)) if missing else kept
    return {video: results[video] for video in videos if video in results}


def keep(
    file: KeptDetections,
    results: Mapping[str, Detections],
    on_note: Callable[[str], None],
) -> None:
    """Keep detections in the run, or tell the user why that is impossible."""
    try:
        file.keep(results)
    except OSError as error:
        on_note(
            f"the detections could not be kept in {file.run / FOUND_FILE} "
            f"({one_line(error)}): they are found anew each time, until the run can "
            "be written to"
        )
