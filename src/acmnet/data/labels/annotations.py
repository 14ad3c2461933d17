"""What a label file says: which actions a video shows and what is known of their times.

These are values only. `acmnet.data.label_files` reads them from files. Nothing here
knows features or the network.
"""

import abc
import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from acmnet.messages import counted
from acmnet.names import one_form
from acmnet.segments import Segment

BENCH: Final = "acmnet bench"
"""What a label file that the bench (``acmnet label``) wrote says under ``made_by``."""


class AnnotationError(ValueError):
    """A label file that cannot be used; the message names the place that is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class Instance:
    """One annotated action: its label and its time."""

    label: str
    segment: Segment


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One instant inside an annotated action, whose start and end are not known."""

    label: str
    time_s: float
    """Seconds from the start of the video, finite."""


@dataclasses.dataclass(frozen=True, slots=True)
class WatchedSpan:
    """A span that a person watched: what is not marked there is known to be absent."""

    label: str | None
    """The class that was looked for; None if all classes were."""
    segment: Segment
    """The span, in seconds. If the duration of the video is not known, the span may end
    later than the video does."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    """What a label file says about one untrimmed video."""

    id: str
    labels: tuple[str, ...]
    """Distinct labels in the order of the class list; empty if the video has none."""
    subset: str | None = None
    """Name of the subset, such as ``"training"``; None if the file states none."""
    duration_s: float | None = None
    """Length in seconds, at least 0; None if the file states none."""
    instances: tuple[Instance, ...] = ()
    """Annotated actions in the file's order; empty if only labels are known.

    A segment may start before 0 or end after the duration, as in THUMOS14.
    """
    points: tuple[Point, ...] = ()
    """Instants inside further actions, in the file's order."""
    watched: tuple[WatchedSpan, ...] = ()
    """Spans that were watched, in the file's order. Outside of them, whatever is not
    marked is unknown."""

    @property
    def has_names_alone(self) -> bool:
        """Whether it carries labels but no segment, so that it cannot be scored."""
        return bool(self.labels) and not self.instances


class ManyVideos(Mapping[str, Video]):
    """Videos by id that are not kept as objects, because there are very many."""

    def __eq__(self, other: object) -> bool:
        """Return whether another mapping has the same ids and equal videos."""
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    @abc.abstractmethod
    def subsets(self) -> Iterable[str | None]:
        """Return the subset of each video."""

    @abc.abstractmethod
    def only(self, keep: Callable[[str, str | None], bool]) -> "ManyVideos":
        """Return the videos for whose id and subset ``keep`` returns true."""


@dataclasses.dataclass(frozen=True)
class Annotations:
    """The videos of a label file, and its classes.

    Examples
    --------
    >>> jump = Video(id="a", subset="training", duration_s=9.0, labels=("jump",))
    >>> empty = Video(id="b", subset="test", duration_s=9.0, labels=())
    >>> both = Annotations("labels.json", {"a": jump, "b": empty}, ("jump", "run"))
    >>> list(both.subset("test").videos), both.subset("test").class_names
    (['b'], ('jump', 'run'))
    """

    source: str
    """The file's path, for messages."""
    videos: Mapping[str, Video]
    """Videos by id, in the file's order."""
    class_names: tuple[str, ...]
    """The C classes. A class index is a position in this tuple."""
    notes: tuple[str, ...] = ()
    """Sentences on how the file was read that the user should be told. Each names the
    file."""
    made_by: str | None = None
    """What wrote the file, such as `BENCH`; None if it does not say."""

    def subset(self, name: str | None) -> "Annotations":
        """Return the videos of one subset, with the same classes; None means all.

        Raises
        ------
        AnnotationError
            If no video is in the subset, or if a video is in no subset at all.
        """
        if name is None:
            return self
        name = one_form(name)
        counts = collections.Counter(self.subsets())
        if None in counts:
            first = next(v.id for v in self.videos.values() if v.subset is None)
            raise AnnotationError(
                f"{self.source}: video {first!r} is in no subset ("
                f"{counted(counts[None], 'video', ('is', 'are'), of=len(self.videos))} "
                f"in none), so {name!r} cannot be picked "
                "out; give each video a subset or ask for all videos"
            )
        if name not in counts:
            present = ", ".join(
                f"{subset!r} ({n})" for subset, n in sorted(counts.items(), key=repr)
            )
            raise AnnotationError(
                f"{self.source} has no subset {name!r}; its subsets (videos) are "
                f"{present or 'none'}"
            )
        return self.only(lambda _, subset: subset == name)

    def only(self, keep: Callable[[str, str | None], bool]) -> "Annotations":
        """Return the videos for whose id and subset ``keep`` returns true."""
        videos = self.videos
        kept = (
            videos.only(keep)
            if isinstance(videos, ManyVideos)
            else {key: v for key, v in videos.items() if keep(key, v.subset)}
        )
        return dataclasses.replace(self, videos=kept)

    def subsets(self) -> Iterable[str | None]:
        """Return the subset of each video."""
        if isinstance(self.videos, ManyVideos):
            return self.videos.subsets()
        return (video.subset for video in self.videos.values())


def weak_labels(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """Return each video's labels, which is all that training is given.

    No temporal truth is returned: neither segments nor their number.

    Examples
    --------
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video(
    ...     id="a", duration_s=9.0, labels=("fight",), instances=(fight, fight)
    ... )
    >>> weak_labels(Annotations("labels.json", {"a": video}, ("fight",)))
    {'a': ('fight',)}
    """
    return {video.id: video.labels for video in annotations.videos.values()}


def names_alone(video: Video) -> list[str]:
    """Return the actions of a video that have neither a segment nor a point."""
    placed = {x.label for x in video.instances} | {x.label for x in video.points}
    return [name for name in video.labels if name not in placed]
