"""Read and write detection files: which action was found in which video, and when.

The format is ActivityNet's results JSON, which evaluation programs commonly read::

    {"version": "...", "external_data": {...},
     "results": {"a_video": [{"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}]}}

Nothing here knows which network made the detections or what they are compared with.
"""

import dataclasses
import json
import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.data.detection_csv import entries_of
from acmnet.data.detection_entries import EXAMPLE_ENTRY, faults, numbers, times_of
from acmnet.files import FileError, written_whole
from acmnet.limits import finite
from acmnet.names import one_form
from acmnet.segments import Detections, FloatArray, IntArray
from acmnet.text_files import outline, parse_json, read_text

VERSION = "acmnet"
"""Value of ``version`` in the files written here; nothing reads it."""

KIND = "detection file"
SUBTITLES: Final = (".srt", ".vtt")
"""Suffixes of files of subtitles, which are not read back."""
EMPTY = 'a file without detections is {"results": {}}'


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
        kept = stays[self.video_index]
        return dataclasses.replace(
            self,
            video_ids=tuple(x for x in self.video_ids if x not in gone),
            video_index=place[self.video_index[kept]],
            label_index=self.label_index[kept],
            start_s=self.start_s[kept],
            end_s=self.end_s[kept],
            score=self.score[kept],
        )

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
        for video, found in results.items():
            if not isinstance(found, Detections):
                raise TypeError(
                    f"video {video!r} must map to Detections, got "
                    f"{reprlib.repr(found)}; for a file's content pass its path"
                )
        names = {x: one_form(x) for d in results.values() for x in d.class_names}
        labels, label_index = _numbered(
            [
                names[d.class_names[i]]
                for d in results.values()
                for i in d.class_index.tolist()
            ]
        )
        lengths = [len(found) for found in results.values()]
        start_s, end_s, score = (
            np.concatenate(
                [np.zeros(0), *(getattr(found, name) for found in results.values())]
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


def read_detections(path: str | Path) -> DetectionFile:
    """Read a detection file in ActivityNet's results format.

    Parameters
    ----------
    path : str or Path
        JSON in UTF-8, or a CSV file that `acmnet.data.detection_csv` wrote. Times are
        in seconds. Times and scores may be numbers or text. ``version`` and unknown
        fields are ignored. Names of videos and labels are brought to their composed
        Unicode form.

    Returns
    -------
    DetectionFile
        The detections in the file's order, which decides between equal scores. A
        detection that does not end after it starts is among them; evaluation counts
        and drops it.

    Raises
    ------
    DetectionFileError
        If the file cannot be read, names a video twice, or has an entry without a
        label, a finite score, and a segment of two finite times.
    """
    source, suffix = str(path), Path(path).suffix.lower()
    if suffix in SUBTITLES:
        raise DetectionFileError(
            f"{source} holds subtitles, which round their scores; give the detections "
            "as JSON or CSV, which acmnet localize writes beside them: --out found.json"
        )
    text = read_text(Path(path), KIND, DetectionFileError, EMPTY)
    if suffix == ".csv":
        return _checked(source, entries_of(source, text, DetectionFileError), {})
    content = parse_json(source, text, KIND, DetectionFileError, _is_video)
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(results, dict):
        raise DetectionFileError(
            f"{source} must be a JSON object with 'results' by video, got "
            f"{outline(content, 'results')}; wrap the detections as "
            f'{{"results": {{"a_video": [{EXAMPLE_ENTRY}]}}}}'
        )
    external_data = content.get("external_data") or {}
    if not isinstance(external_data, dict):
        raise DetectionFileError(
            f"{source}: external_data must be an object, got "
            f"{reprlib.repr(external_data)}; correct it or leave it out"
        )
    for video, entries in results.items():
        if not isinstance(entries, list):
            raise DetectionFileError(
                f"{source}: video {video!r} must have a list of detections, got "
                f"{reprlib.repr(entries)}; write [] for a video without any"
            )
    return _checked(source, results, external_data)


def _checked(
    source: str,
    results: Mapping[str, list[Any]],
    external_data: Mapping[str, object],
) -> DetectionFile:
    """Return all entries as arrays; refuse the first entry that cannot be used."""
    results = _in_one_form(source, results)
    try:
        return _gathered(source, results, external_data)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DetectionFileError(next(faults(source, results))) from None


def _in_one_form(source: str, results: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the entries by each video's name in its composed Unicode form."""
    found: dict[str, list[Any]] = {}
    for video, entries in results.items():
        if found.setdefault(one_form(video), entries) is not entries:
            raise DetectionFileError(
                f"{source}: video {one_form(video)!r} is listed twice, in two Unicode "
                "forms of one name; keep one, or merge the two"
            )
    return found


def _is_video(key: str, value: object) -> bool:
    """Whether a repeated key's value looks like a video's list of entries."""
    return isinstance(value, list) and key != "segment"


def _gathered(
    source: str,
    results: Mapping[str, list[Any]],
    external_data: Mapping[str, object],
) -> DetectionFile:
    """Return all entries as arrays.

    An entry that cannot be used raises an error that does not say which one it is;
    `acmnet.data.detection_entries.faults` finds that.
    """
    entries = [entry for found in results.values() for entry in found]
    label = [entry["label"] for entry in entries]
    segment = [entry["segment"] for entry in entries]
    if not (set(map(type, label)) <= {str} and set(map(type, segment)) <= {list}):
        raise TypeError("a label must be text and a segment a list")
    labels, label_index = _numbered(list(map(one_form, label)))
    return DetectionFile(
        source=source,
        video_ids=tuple(results),
        labels=labels,
        video_index=np.repeat(
            np.arange(len(results)), [len(found) for found in results.values()]
        ),
        label_index=label_index,
        start_s=times_of([start for start, _ in segment]),
        end_s=times_of([end for _, end in segment]),
        score=numbers([entry["score"] for entry in entries]),
        external_data=external_data,
    )


def _numbered(labels: list[str]) -> tuple[tuple[str, ...], IntArray]:
    """Return the distinct labels and, for each label, its index among them."""
    distinct = tuple(dict.fromkeys(labels))
    place = {label: index for index, label in enumerate(distinct)}
    index = np.fromiter(map(place.__getitem__, labels), np.int64, len(labels))
    return distinct, index


def write_detections(
    path: str | Path,
    results: Mapping[str, Detections],
    *,
    external_data: Mapping[str, object] | None = None,
) -> None:
    """Write detections by video in ActivityNet's results format.

    Videos are sorted by id, and their detections by time. Times and scores are written
    so that `read_detections` returns exactly equal numbers. The file is written under a
    temporary name in the same folder and then renamed, so ``path`` is never half
    written.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made if it is missing.
    results : mapping from video id to Detections
        A video without detections is written with an empty list.
    external_data : mapping, optional
        Which data beyond the benchmark's was used, in values that JSON can hold.

    Raises
    ------
    DetectionFileError
        If the file cannot be written, or ``external_data`` cannot be put in JSON.
    """
    path = Path(path)
    try:
        extra = json.dumps(dict(external_data or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DetectionFileError(
            f"external_data must be what JSON can hold: {error}; pass text, numbers, "
            "lists and mappings"
        ) from error
    try:
        with (
            written_whole(path) as part,
            part.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.write(f'{{"version": "{VERSION}", "external_data": {extra},\n')
            file.write('"results": {')
            separator = "\n"
            for video, found in sorted(results.items()):
                file.write(f"{separator}{json.dumps(video)}: {_entries(found)}")
                separator = ",\n"
            file.write("\n}}\n")
    except FileError as error:
        raise DetectionFileError(str(error)) from error


def _entries(found: Detections) -> str:
    """Return one video's detections as JSON; each float in its shortest exact form."""
    found = found.by_time()
    columns = (found.class_index, found.score, found.start_s, found.end_s)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return json.dumps(
        [
            {"label": found.class_names[c], "score": score, "segment": [start, end]}
            for c, score, start, end in rows
        ]
    )
