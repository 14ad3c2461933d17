"""Which problems of labels and features stop training, and which are only noted."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from acmnet.data.checks.label_checks import few_long_videos, no_action
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.data.labels.contradictions import SLACK_S
from acmnet.data.labels.marks import VideoMarks, marked_classes
from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import counted, seconds, some

REFUSED_MISMATCH: Final = 0.3
"""A video whose duration and features differ by more than this share is refused."""
NOTED_MISMATCH: Final = 0.05
"""From here on the difference is mentioned: THUMOS-14's durations assume 30 fps."""


class DataError(ValueError):
    """Annotations and features that do not fit together; the message names both."""


def problems(
    data: Data, *, for_training: bool, marks: Mapping[str, VideoMarks] | None = None
) -> Iterator[tuple[bool, str]]:
    """Yield what is wrong with the data: whether it must be refused, and a sentence.

    Values of the features are not looked at; `bad_features` does that. The times in
    ``marks`` are learned from.
    """
    if for_training:
        yield from _label_problems(data)
        yield from _few_long_videos(data, marked_classes(marks or {}))
        yield from _marks_past_the_end(data, marks or {})
    noted = []
    for video in data.annotations.videos.values():
        if video.duration_s is None:
            continue
        try:
            span_s = data.length_s(video.id)
        except FeatureError as error:
            yield True, str(error)
            continue
        gap_s = abs(span_s - video.duration_s)
        longer = max(span_s, video.duration_s)
        if gap_s <= 2 * max(data.store.grid.window_s, data.store.grid.stride_s):
            continue
        if gap_s > REFUSED_MISMATCH * longer:
            yield True, _mismatch(data, video.id, video.duration_s, span_s)
        elif gap_s > NOTED_MISMATCH * longer:
            noted.append(video.id)
    if noted:
        yield (
            False,
            f"{data.annotations.source}: the durations of "
            f"{counted(len(noted), 'video')} differ from those of the features by over "
            f"{NOTED_MISMATCH:.0%}: {some(noted)}; were they annotated at another "
            "frame rate?",
        )


def bad_features(data: Data) -> Iterator[str]:
    """Read every video's features and yield a sentence on each that cannot be used."""
    for video in data.annotations.videos:
        try:
            data.store.read_array(video)
        except FeatureError as error:
            yield str(error)


def refuse_problems(
    data: Data, *, for_training: bool, marks: Mapping[str, VideoMarks] | None
) -> list[str]:
    """Refuse data that cannot be used; return what should only be mentioned.

    The times in ``marks`` are learned from.

    Raises
    ------
    DataError
        With the first problem, and how many more there are.
    """
    sentences = list(problems(data, for_training=for_training, marks=marks))
    refused = [sentence for refuse, sentence in sentences if refuse]
    if refused:
        more = f" (and {len(refused) - 1} more: acmnet check)" if refused[1:] else ""
        raise DataError(refused[0] + more)
    return [sentence for _, sentence in sentences]


def _label_problems(data: Data) -> Iterator[tuple[bool, str]]:
    """Yield why labels cannot be learned, and which videos have none."""
    nothing = no_action(data.annotations)
    if nothing is not None:
        yield True, nothing
        return
    yield from _classes_without_videos(data)
    unlabelled = [video for video, labels in data.labels.items() if not labels]
    if unlabelled:
        n, total = len(unlabelled), len(data.labels)
        yield (
            False,
            f"{data.annotations.source}: "
            f"{counted(n, 'video', ('carries', 'carry'), of=total)} no label, "
            f"which means no action: {some(unlabelled)}",
        )


def _classes_without_videos(data: Data) -> Iterator[tuple[bool, str]]:
    present = {name for labels in data.labels.values() for name in labels}
    absent = [name for name in data.annotations.class_names if name not in present]
    if absent:
        subset = data.source.subset
        where = f"subset {subset!r}" if subset is not None else "these annotations"
        yield (
            True,
            f"{data.annotations.source}: {len(absent)} of "
            f"{counted(len(data.annotations.class_names), 'class')} have no training "
            f"video in {where}: {some(absent)}; add videos or take them off the "
            "class list",
        )


def _few_long_videos(data: Data, marked: Collection[str]) -> Iterator[tuple[bool, str]]:
    """Yield a sentence where a name says little of videos that are few and long."""
    try:
        few = few_long_videos(data.annotations.videos.values(), data.length_s, marked)
    except FeatureError:
        return  # the file is refused elsewhere
    if few is not None:
        yield False, f"{data.annotations.source}: {few[1]}"


def _marks_past_the_end(
    data: Data, marks: Mapping[str, VideoMarks]
) -> Iterator[tuple[bool, str]]:
    """Yield the first mark of each video that lies past the end of its features.

    Times of a video whose duration is in the label file are compared with that when the
    file is read; tables have no durations.
    """
    grid = data.store.grid
    for video_id, of_video in marks.items():
        video = data.annotations.videos.get(video_id)
        if video is None or video.duration_s is not None:
            continue
        try:
            span_s = data.length_s(video_id)
        except FeatureError:
            continue  # the file is refused elsewhere
        # a last snippet that was not whole has no feature, and rates may differ
        end_s = (1 + NOTED_MISMATCH) * span_s + max(grid.window_s, grid.stride_s)
        ends = [(x.time_s, f"the point of {x.label!r}") for x in of_video.points]
        ends += [
            (x.segment.end_s, f"the segment of {x.label!r}") for x in of_video.segments
        ]
        ends += [
            (x.segment.end_s, "the watched span")
            for x in of_video.watched
            if x.segment.end_s < LARGEST_SECONDS  # a whole video of unknown length
        ]
        last_s, what = max(ends, default=(0.0, ""))
        if last_s > end_s + SLACK_S:
            yield (
                True,
                f"{data.annotations.source}: video {video_id!r}: {what} at "
                f"{seconds(last_s)} s lies outside of the video, whose features end "
                f"at {seconds(span_s)} s; correct the time, which is in seconds",
            )


def _mismatch(data: Data, video: str, duration_s: float, span_s: float) -> str:
    grid = data.store.grid
    return (
        f"video {video!r} lasts {duration_s:g} s in {data.annotations.source}, but its "
        f"{counted(data.store.shape(video)[0], 'row')} of features in "
        f"{data.store.place} cover {span_s:g} s, at {grid.fps:g} fps with a row "
        f"for {counted(grid.snippet_frames, 'frame')} every {grid.stride_frames}; are "
        "these three the features' own?"
    )
