"""What a format can hold of labels or detections, and what is lost in it."""

import collections
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format, Holding
from acmnet.data.labels.annotations import (
    AnnotationError,
    Instance,
    Point,
    Video,
    names_alone,
)
from acmnet.data.labels.tables.label_columns import LabelTableError
from acmnet.data.labels.tables.label_tables import video_id
from acmnet.messages import counted, quoted
from acmnet.names import one_form
from acmnet.segments import Segment


@dataclasses.dataclass(frozen=True)
class Held:
    """What a format can hold, and in words what it cannot."""

    content: Content
    left_out: tuple[str, ...]
    """What is missing, such as ``("2 points", "the durations of 3 videos")``."""
    changed: tuple[str, ...]
    """What is written a little differently, such as ``("4 times are rounded to
    milliseconds",)``."""


def held(content: Content, file_format: Format) -> Held:
    """Return what a format can hold of labels or detections.

    Reading back the file that the format writes of it returns exactly this.

    Raises
    ------
    AnnotationError
        If two videos would get one name.

    Examples
    --------
    >>> subtitles = Format(
    ...     name="srt", title="SubRip", suffixes=(".srt",), unit="milliseconds"
    ... )
    >>> jump = Instance("jump", Segment(1.0, 2.00012))
    >>> video = Video(id="a", duration_s=9.0, labels=("jump",), instances=(jump,))
    >>> kept = held(Content(videos=[video], class_names=("jump",)), subtitles)
    >>> kept.content.videos[0].instances[0].segment
    Segment(start_s=1.0, end_s=2.0)
    >>> kept.left_out, kept.changed
    (('the duration of 1 video',), ('1 time is rounded to milliseconds',))
    """
    return _Holder(content, file_format).held()


class _Holder:
    """Reduces videos to what a format can hold, and counts what it leaves out."""

    def __init__(self, content: Content, file_format: Format) -> None:
        self.content, self.format = content, file_format
        self.count = collections.Counter[str]()
        self.renamed: dict[str, str] = {}
        self.with_segments = {x.label for v in content.videos for x in v.instances}

    def _can(self, holding: Holding) -> bool:
        return holding in self.format.holds

    def held(self) -> Held:
        videos: dict[str, Video] = {}
        scores: dict[str, tuple[float, ...]] = {}
        for given in self.content.videos:
            video, of_video = self._video(given)
            if video.id in videos:
                raise AnnotationError(
                    f"two videos would both be named {quoted(video.id)} in "
                    f"{self.format.title}; rename one"
                )
            has_marks = video.labels or video.points or video.watched
            if has_marks or self._can("videos without marks"):
                videos[video.id], scores[video.id] = video, of_video
            else:
                self.count["empty"] += 1
        used = {x for video in videos.values() for x in video.labels}
        spelt = [self._name(x) for x in self.content.class_names]
        classes = tuple(dict.fromkeys(spelt))
        if not self._can("classes"):
            self.count["classes"] += len(set(classes) - used)
            classes = tuple(sorted(used))
            videos = {key: self._only_known(x, used) for key, x in videos.items()}
        keeps = self._can("scores") and self.content.scores is not None
        kept = dataclasses.replace(
            self.content,
            videos=tuple(videos.values()),
            class_names=classes,
            scores=scores if keeps else None,
        )
        return Held(kept, tuple(self._left_out()), tuple(self._changed()))

    def _only_known(self, video: Video, used: set[str]) -> Video:
        """Return a video without spans that were watched for a class never seen."""
        known = [x for x in video.watched if x.label is None or x.label in used]
        self.count["watched"] += len(video.watched) - len(known)
        return dataclasses.replace(video, watched=tuple(known))

    def _name(self, name: str) -> str:
        """Return how the name of an action is written."""
        spelt = one_form(self.format.spelt(name)).strip() or "_"
        if spelt != name:
            self.renamed[name] = spelt
        return spelt

    def _video(self, video: Video) -> tuple[Video, tuple[float, ...]]:
        """Return what can be held of a video, and the scores of its segments."""
        instances, scores = self._instances(video)
        points = tuple(self._points(video))
        watched = video.watched if self._can("watched") else ()
        self.count["watched"] += len(video.watched) - len(watched)
        names = video.labels if self._can("names") else ()
        if not self._can("names"):
            self.count["names"] += len(names_alone(video))
        labels = [x.label for x in instances] + [x.label for x in points]
        labels += [self._name(x) for x in names]
        held_video = Video(
            id=self._id(video.id),
            subset=self._subset(video.subset),
            duration_s=self._duration(video, instances, points),
            labels=tuple(dict.fromkeys(labels)),
            instances=tuple(instances),
            points=points,
            watched=watched,
        )
        return held_video, tuple(scores)

    def _subset(self, name: str | None) -> str | None:
        known = self.format.subsets
        if name is None or known is None or name in known:
            return name
        self.count["subsets"] += 1
        return None

    def _score(self, score: float) -> float:
        """Return a score with as many digits as the format has."""
        digits = self.format.score_digits
        if digits is None:
            return score
        self.count["digits"] += round(score, digits) != score
        return round(score, digits)

    def _id(self, name: str) -> str:
        if self._can("any video name"):
            return name
        try:
            short = video_id(self.format.title, name)
        except LabelTableError as error:
            raise AnnotationError(str(error)) from None
        if short != name:
            self.count["ids"] += 1
        return short

    def _instances(self, video: Video) -> tuple[list[Instance], list[float]]:
        """Return the segments that can be held, and their scores."""
        known = (self.content.scores or {}).get(video.id)
        if known is not None and not self._can("scores"):
            self.count["scores"] += len(known)
        instances: list[Instance] = []
        scores: list[float] = []
        for index, instance in enumerate(video.instances):
            segment = self._segment(instance.segment)
            if segment is None:
                self.count["before"] += 1
                continue
            instances.append(Instance(self._name(instance.label), segment))
            scores.append(0.0 if known is None else self._score(known[index]))
        if not self._can("overlaps"):
            merged = list(_merged(instances))
            self.count["merged"] += len(instances) - len(merged)
            return merged, []
        return instances, scores

    def _segment(self, segment: Segment) -> Segment | None:
        """Return a segment with times as the format has them; None before time 0."""
        start_s, end_s = segment.start_s, segment.end_s
        if start_s < 0 and not self._can("times before 0"):
            if end_s <= 0:
                return None
            start_s = 0.0
            self.count["cut"] += 1
        if self.format.unit != "seconds":
            k = self.content.per_second(self.format.unit)
            start = round(start_s * k)
            end = max(round(end_s * k), start + 1)
            self.count["rounded"] += (start / k != start_s) + (end / k != end_s)
            start_s, end_s = start / k, end / k
        return Segment(start_s, end_s)

    def _points(self, video: Video) -> Iterator[Point]:
        for point in video.points:
            clash = point.label in self.with_segments
            fits = not clash or self._can("points beside segments")
            is_early = point.time_s < 0 and not self._can("times before 0")
            if not self._can("points") or not fits or is_early:
                self.count["points"] += 1
                continue
            time_s = point.time_s
            if self.format.unit != "seconds":
                k = self.content.per_second(self.format.unit)
                time_s = round(time_s * k) / k
                self.count["rounded"] += time_s != point.time_s
            yield Point(self._name(point.label), time_s)

    def _duration(
        self, video: Video, instances: Sequence[Instance], points: Sequence[Point]
    ) -> float | None:
        """Return the duration that the file will state; None if it states none."""
        duration_s = video.duration_s
        if self._can("every frame"):
            k = self.content.per_second("frames")
            ends = [round(x.segment.end_s * k) for x in instances]
            ends += [round(x.time_s * k) + 1 for x in points]
            exact = max([round((duration_s or 0.0) * k), *ends]) / k
            self.count["lengths"] += duration_s is not None and exact != duration_s
            return exact
        if duration_s is None or self._can("durations"):
            return duration_s
        self.count["durations"] += 1
        return None

    def _left_out(self) -> Iterator[str]:
        """Yield a phrase for each kind of thing that is missing."""
        for key, phrase in LEFT_OUT.items():
            n = self.count[key]
            if n:
                noun, _, rest = phrase.partition("|")
                yield _phrase(n, noun) + rest

    def _changed(self) -> Iterator[str]:
        """Yield a sentence for each kind of thing that is written differently."""
        units = {"frames": f"frames of 1/{self.content.fps or 0:g} s"}
        unit = units.get(self.format.unit, self.format.unit)
        for key, noun, what in (
            ("rounded", "time", f"rounded to {unit}"),
            ("digits", "score", f"rounded to {self.format.score_digits} digits"),
            ("lengths", "duration", "rounded to frames, or to the end of an action"),
            ("cut", "segment", "cut at time 0"),
            ("ids", "video", "named without folder and suffix"),
        ):
            if self.count[key]:
                yield f"{counted(self.count[key], noun, ('is', 'are'))} {what}"
        if self.renamed:
            name, spelt = next(iter(self.renamed.items()))
            names = counted(len(self.renamed), "name", ("is", "are"))
            yield f"{names} spelt otherwise, such as {quoted(spelt)} for {quoted(name)}"


LEFT_OUT: Final = {
    "points": "point",
    "watched": "watched span",
    "names": "name| of actions without a time",
    "scores": "score of detection",
    "durations": "duration of video",
    "subsets": "subset of video",
    "classes": "class| without an example",
    "empty": "video| without anything that can be held",
    "before": "segment| before the start of the video",
    "merged": "segment| as such, because they overlap or touch another one of the same "
    "action",
}
"""What may be left out, and how it is called; the sign | ends what is counted."""


def _phrase(n: int, what: str) -> str:
    """Return what is counted with its number.

    Examples
    --------
    >>> _phrase(3, "duration of video"), _phrase(1, "point")
    ('the durations of 3 videos', '1 point')
    """
    part, of, whole = what.partition(" of ")
    return (
        f"the {part}{'s' * (n > 1)} of {counted(n, whole)}" if of else counted(n, part)
    )


def _merged(instances: Sequence[Instance]) -> Iterator[Instance]:
    """Yield the segments, those of one class that overlap or touch put together."""
    last: dict[str, Segment] = {}
    for instance in sorted(
        instances, key=lambda x: (x.segment.start_s, x.segment.end_s)
    ):
        before = last.get(instance.label)
        if before is not None and instance.segment.start_s <= before.end_s:
            end_s = max(before.end_s, instance.segment.end_s)
            last[instance.label] = Segment(before.start_s, end_s)
        else:
            if before is not None:
                yield Instance(instance.label, before)
            last[instance.label] = instance.segment
    for label, segment in last.items():
        yield Instance(label, segment)
