"""What is known of a file format: how it is read and written, and what it can hold."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from acmnet.data.labels.annotations import AnnotationError, Video
from acmnet.data.labels.json_files.label_json import KIND
from acmnet.data.tables.text_encodings import EncodingError, decoded
from acmnet.data.tables.workbooks import read_table_content
from acmnet.files.strict_json import parse_json
from acmnet.segments import Detections

Holding = Literal[
    "names",
    "points",
    "points beside segments",
    "watched",
    "durations",
    "every frame",
    "scores",
    "classes",
    "overlaps",
    "times before 0",
    "videos without marks",
    "any video name",
]
"""What a format may be able to hold, besides segments with the name of an action.

``names`` are actions without a time. ``points beside segments`` means that one class
may have both. ``every frame`` means that the file has a row for each frame, so it
always tells how long the video is. ``classes`` are classes without an example.
``overlaps`` are segments of one class that overlap or touch. ``any video name`` allows
a path or a video's suffix as part of a video's id."""

Unit = Literal["seconds", "milliseconds", "frames"]
"""What times are counted in. Seconds have as many digits as needed."""

OneFile = Literal["all", "video", "class"]
"""What one file of a format is for: all videos, one video, or one class."""


FrameRates = float | Callable[[str], float | None]
"""Frames per second of all videos; or a function that returns those of a video by its
id, None if they are not known."""


RATE_OPTION: Final = "--label-fps"
"""The option with which commands that read labels take the frame rate."""


class Source(NamedTuple):
    """A file that is to be read."""

    path: Path
    fps: FrameRates | None
    """Frames per second of the videos, if they are known from elsewhere."""

    def content(self) -> bytes:
        """Return the file's bytes, of an Excel workbook its first sheet as a CSV.

        They are read anew each time and not kept beside the text, as a file may be
        large.

        Raises
        ------
        AnnotationError
            If the file cannot be read, or is too large.
        """
        return read_table_content(self.path, KIND, AnnotationError)

    def text(self) -> str:
        """Return the file's text.

        Raises
        ------
        AnnotationError
            If the file is empty, or its encoding cannot be recognised.
        """
        try:
            text = decoded(self.content()).text
        except EncodingError as error:
            raise AnnotationError(f"{self.path} {error}; save it as UTF-8") from None
        if "\0" in text:
            line = 1 + text.count("\n", 0, text.index("\0"))
            raise AnnotationError(
                f"{self.path}, line {line}: a NUL stands here, which no text has; "
                "write the file again"
            )
        return text

    def json(
        self, made_of: Callable[[dict[str, object]], object] | None = None
    ) -> object:
        """Return the file's JSON value, read strictly; see `parse_json`."""
        text = self.text()
        path = str(self.path)
        return parse_json(path, text, KIND, AnnotationError, made_of=made_of)

    def frame_rate(self, video: str) -> float:
        """Return the frames per second of a video, which the file does not state.

        Raises
        ------
        AnnotationError
            If they are not known from elsewhere either.
        """
        fps = self.fps(video) if callable(self.fps) else self.fps
        if fps is None:
            raise AnnotationError(
                f"{self.path} counts frames and does not state how many there are in a "
                f"second: give {RATE_OPTION} RATE, or convert it with acmnet convert "
                f"{self.path} labels.json --fps RATE"
            )
        return fps


@dataclasses.dataclass(frozen=True)
class Parsed:
    """The content of a file."""

    videos: Sequence[Video]
    """The labels of a video are those of its segments and points, too."""
    classes: tuple[str, ...] = ()
    """The classes that the file lists; empty if it lists none."""
    notes: tuple[str, ...] = ()
    """Sentences on what was not read. Each names the file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Content:
    """What is to be written."""

    videos: Sequence[Video]
    class_names: tuple[str, ...]
    scores: Mapping[str, tuple[float, ...]] | None = None
    """The score of each segment of each video by its id; None unless they are
    detections."""
    fps: float | None = None
    """Frames per second, for formats that count frames."""

    def per_second(self, unit: Unit) -> float:
        """Return how many units of time a second has, for a unit that is counted."""
        return 1000.0 if unit == "milliseconds" else self.fps or 0.0

    def frames(self, time_s: float) -> int:
        """Return a time as a number of frames."""
        return round(time_s * (self.fps or 0.0))


def marked_times(video: Video) -> list[tuple[float, float, str]]:
    """Return start, end and label of each segment and point, in the order of time.

    A point ends where it starts.
    """
    rows = [(x.segment.start_s, x.segment.end_s, x.label) for x in video.instances]
    rows += [(x.time_s, x.time_s, x.label) for x in video.points]
    return sorted(rows)


def as_detections(video: Video, scores: Sequence[float]) -> Detections:
    """Return the segments of a video as detections with these scores."""
    names = tuple(dict.fromkeys(x.label for x in video.instances))
    place = {name: index for index, name in enumerate(names)}
    rows = [
        (instance.segment.start_s, instance.segment.end_s, score, place[instance.label])
        for instance, score in zip(video.instances, scores, strict=True)
    ]
    return Detections.of(names, rows)


def without_bars(name: str) -> str:
    """Return a name without ``|``, which separates or ends names in some formats.

    Examples
    --------
    >>> without_bars("a|b")
    'a/b'
    """
    return name.replace("|", "/")


def same(name: str) -> str:
    """Return the name as it is."""
    return name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """A file format."""

    name: str
    """What the user calls it, such as ``"elan"``."""
    title: str
    """What messages call it, such as ``"an ELAN file"``."""
    suffixes: tuple[str, ...]
    """Suffixes of its files; the first one is written."""
    holds: Collection[Holding] = ()
    subsets: tuple[str, ...] | None = ()
    """The names of subsets that it can hold; None for any name."""
    score_digits: int | None = None
    """Digits after the point of a score; None for as many as needed."""
    unit: Unit = "seconds"
    one_file: OneFile = "all"
    read: Callable[[Source], Parsed] | None = None
    """Reads labels; None if the format is only written."""
    write: Callable[[Content], str] | None = None
    """Writes content that `acmnet.data.formats.held_content.held` returned; None if
    the format is only read, or ``write_file`` writes it."""
    write_file: Callable[[Path, Content], None] | None = None
    """Writes such content to a path; for formats that are not text."""
    spelt: Callable[[str], str] = same
    """Returns how the name of an action is written."""
