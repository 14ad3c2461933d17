"""A file of detections as it is held in memory: parallel arrays for many videos.

Nothing here knows a format of files, which network made the detections, or what they
are compared with.
"""

import dataclasses
import reprlib
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from acmnet.data.detections.shown_detections import Shown
from acmnet.limits import finite
from acmnet.names import one_form
from acmnet.segments import BoolArray, Detections, FloatArray, IntArray

DURATIONS_KEY: Final = "durations_s"
"""Key of ``external_data`` with the duration of each video, in seconds."""


class DetectionFileError(ValueError):
    """A detection file that cannot be used; the message names the place."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DetectionFile:
    """The N detections of many videos as parallel arrays, in the order of the file.

    Unlike `Detections`, it may hold a detection that does not end after it starts.
    Evaluation counts and drops such detections.

    Raises
    ------
    ValueError
        If the arrays' lengths differ, a number is not finite, or an index has no name.

    Examples
    --------
    >>> found = Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])
    >>> file = DetectionFile.of({"a": found, "b": Detections.of(["jump"])})
    >>> len(file), file.video_ids, file.end_s
    (1, ('a', 'b'), array([2.5]))
    """

    source: str
    """The file's path, for messages."""
    video_ids: tuple[str, ...]
    """All videos of the file, those without detections among them."""
    labels: tuple[str, ...]
    """The distinct labels, in the order of their first use."""
    video_index: IntArray
    """(N,) index into ``video_ids``."""
    label_index: IntArray
    """(N,) index into ``labels``."""
    start_s: FloatArray
    """(N,) start in seconds."""
    end_s: FloatArray
    """(N,) end in seconds."""
    score: FloatArray
    """(N,) score; a higher one means more confidence."""
    external_data: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """The file's ``external_data``: which data beyond the benchmark's was used."""

    @property
    def shown_from(self) -> float | None:
        """Lowest score that is shown to people; None if all detections are shown.

        Files that acmnet wrote have it as ``shown_from`` in ``external_data``.
        """
        return finite(self.external_data.get("shown_from"), in_quotes=True)

    @property
    def durations_s(self) -> dict[str, float]:
        """Seconds that each video lasts, by video id, where the file states it.

        Files that acmnet wrote have it as ``durations_s`` in ``external_data``.
        """
        stated = self.external_data.get(DURATIONS_KEY)
        if not isinstance(stated, Mapping):
            return {}
        lengths = {video: finite(length) for video, length in stated.items()}
        return {video: s for video, s in lengths.items() if s is not None and s > 0.0}

    def __post_init__(self) -> None:
        """Refuse arrays that do not describe N detections."""
        numbers = ("start_s", "end_s", "score")
        indices = {"video_index": self.video_ids, "label_index": self.labels}
        shapes = {name: getattr(self, name).shape for name in (*numbers, *indices)}
        if len(set(shapes.values())) != 1 or self.score.ndim != 1:
            raise ValueError(f"detections need arrays of one length, got {shapes}")
        for name in numbers:
            bad = ~np.isfinite(getattr(self, name))
            if bad.any():
                i = int(bad.argmax())
                raise ValueError(
                    f"{self.source}: detection {i} has {name} = "
                    f"{getattr(self, name)[i]}; it must be finite"
                )
        for name, names in indices.items():
            index = getattr(self, name)
            if len(index) and not 0 <= index.min() <= index.max() < len(names):
                raise ValueError(
                    f"{name} must be in [0, {len(names)}), got "
                    f"{int(index.min())} to {int(index.max())}"
                )

    def __len__(self) -> int:
        """Return N."""
        return len(self.score)

    def without(self, videos: Collection[str]) -> "DetectionFile":
        """Return the same file without some of its videos."""
        gone = set(videos)
        stays = np.array([video not in gone for video in self.video_ids], np.bool_)
        place = np.cumsum(stays) - 1
        kept = self.only(stays[self.video_index])
        return dataclasses.replace(
            kept,
            video_ids=tuple(x for x in self.video_ids if x not in gone),
            video_index=place[kept.video_index],
        )

    def only(self, kept: BoolArray) -> "DetectionFile":
        """Return the same file and all of its videos with some of the detections.

        ``kept`` is an array of N booleans.
        """
        arrays = ("video_index", "label_index", "start_s", "end_s", "score")
        chosen = {name: getattr(self, name)[kept] for name in arrays}
        return dataclasses.replace(self, **chosen)

    def shown(self, limits: Shown) -> "DetectionFile":
        """Return the same file with the detections that are shown of each video.

        Examples
        --------
        >>> found = Detections.of(["a"], [(0, 1, 0.2, 0), (2, 3, 0.9, 0)])
        >>> file = DetectionFile.of({"x": found, "y": found})
        >>> len(file.shown(Shown(top=1))), len(file.shown(Shown(min_score=0.95)))
        (2, 0)
        """
        return self.only(limits.kept(self.score, self.video_index))

    @classmethod
    def of(
        cls,
        results: Mapping[str, Detections],
        *,
        source: str = "the detections",
        external_data: Mapping[str, object] | None = None,
    ) -> "DetectionFile":
        """Return the detections of videos as reading the file written of them would.

        Raises
        ------
        TypeError
            If a video's value is not `Detections`.
        """
        for video, detections in results.items():
            if not isinstance(detections, Detections):
                raise TypeError(
                    f"video {video!r} must map to Detections, got "
                    f"{reprlib.repr(detections)}; for a file's content pass its path"
                )
        names = {x: one_form(x) for d in results.values() for x in d.class_names}
        labels, label_index = numbered(
            [
                names[d.class_names[i]]
                for d in results.values()
                for i in d.class_index.tolist()
            ]
        )
        lengths = [len(detections) for detections in results.values()]
        start_s, end_s, score = (
            np.concatenate(
                [
                    np.zeros(0),
                    *(getattr(detections, name) for detections in results.values()),
                ]
            )
            for name in ("start_s", "end_s", "score")
        )
        return cls(
            source=source,
            video_ids=tuple(map(one_form, results)),
            labels=labels,
            video_index=np.repeat(np.arange(len(lengths)), lengths),
            label_index=label_index,
            start_s=start_s,
            end_s=end_s,
            score=score,
            external_data=dict(external_data or {}),
        )


def numbered(labels: list[str]) -> tuple[tuple[str, ...], IntArray]:
    """Return the distinct labels and, for each label, its index among them."""
    distinct = tuple(dict.fromkeys(labels))
    place = {label: index for index, label in enumerate(distinct)}
    index = np.fromiter(map(place.__getitem__, labels), np.int64, len(labels))
    return distinct, index
