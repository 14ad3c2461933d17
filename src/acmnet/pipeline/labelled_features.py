"""A user's annotations and features, opened together and checked against each other."""

import dataclasses
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from acmnet.data.annotations import Annotations, Video, read_annotations, weak_labels
from acmnet.data.features import FeatureError, FeatureStore, open_store
from acmnet.extraction.records import read_failures
from acmnet.messages import counted, some
from acmnet.segments import SnippetGrid

REFUSED_MISMATCH: Final = 0.3
"""A video whose duration and features differ by more than this share is refused."""
NOTED_MISMATCH: Final = 0.05
"""From here on the difference is mentioned: THUMOS-14's durations assume 30 fps."""


class DataError(ValueError):
    """Annotations and features that do not fit together; the message names both."""


@dataclasses.dataclass(frozen=True)
class DataSource:
    """Where a user's data lies."""

    annotations: Path
    features: Path
    subset: str | None = None
    """The subset to take; all videos when left out."""
    grid: SnippetGrid | None = None
    """The features' grid, where their directory has no ``features.json``."""


@dataclasses.dataclass(frozen=True)
class Data:
    """What a `DataSource` holds."""

    source: DataSource
    annotations: Annotations
    """Of the subset; its class names are the whole file's."""
    store: FeatureStore
    everything: Annotations | None = None
    """The whole label file; None where that is what ``annotations`` are."""
    left_out: tuple[str, ...] = ()
    """Videos that are listed, but have no features, and that are left out so."""

    @property
    def whole(self) -> Annotations:
        """The label file with the videos of every subset."""
        return self.everything or self.annotations

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Each video's class names: all that training is given."""
        return weak_labels(self.annotations)

    def only(self, videos: Mapping[str, object] | set[str]) -> "Data":
        """Return the same data with some of its videos."""
        kept = {k: v for k, v in self.annotations.videos.items() if k in videos}
        annotations = dataclasses.replace(self.annotations, videos=kept)
        return dataclasses.replace(self, annotations=annotations)


def open_data(
    source: DataSource,
    on_left_out: Callable[[str], None] | None = None,
    without: Container[str] = (),
    skip_missing: bool | None = None,
) -> Data:
    """Open annotations and features.

    Parameters
    ----------
    source : DataSource
        Where they are.
    on_left_out : callable, optional
        Videos without features that the store's ``failed.jsonl`` lists are left out,
        and it is called with a sentence on them. They are refused when it is not given.
    without : container of str, optional
        Further videos that are left out so where they have no features.
    skip_missing : bool, optional
        Leave out every video without features, of a partial release of features; if
        it is False, the refusal of such videos names the option.

    Raises
    ------
    AnnotationError, FeatureError
        If either cannot be read, or a video has no features.
    """
    everything = read_annotations(source.annotations)
    annotations = everything.subset(source.subset)
    store = open_store(source.features, grid=source.grid)
    missing = [video for video in annotations.videos if video not in store.files]
    left_out: tuple[str, ...] = ()
    if len(missing) < len(annotations.videos):
        left_out = tuple(missing) if skip_missing else ()
        if missing and on_left_out is not None and not skip_missing:
            failures = read_failures(store.directory)
            left_out = tuple(v for v in missing if v in failures or v in without)
    if left_out:
        if on_left_out is not None:
            why = (
                "" if skip_missing else "their files were missing or could not be read"
            )
            on_left_out(_left_out(len(annotations.videos), left_out, store, why))
        gone = set(left_out)
        kept = {k: v for k, v in annotations.videos.items() if k not in gone}
        annotations = dataclasses.replace(annotations, videos=kept)
    try:
        store.require(annotations.videos)
    except FeatureError as error:
        some_are_there = len(missing) < len(annotations.videos)
        if skip_missing is None or not some_are_there:
            raise
        raise FeatureError(f"{error}; --skip-missing leaves them out") from None
    return Data(source, annotations, store, everything, left_out)


def _left_out(total: int, videos: Sequence[str], store: FeatureStore, why: str) -> str:
    """Return a sentence on videos that are left out."""
    have, are = ("have", "are") if videos[1:] else ("has", "is")
    return (
        f"{len(videos)} of {counted(total, 'video')} {have} no features in "
        f"{store.directory}{f', as {why},' if why else ''} and {are} left out: "
        f"{some(videos)}"
    )


def unlabelled(source: DataSource, videos: Container[str] | None = None) -> Data:
    """Open features without a label file, of all videos or of those given."""
    store = open_store(source.features, grid=source.grid)
    kept = {
        video: Video(video, None, None, (), ())
        for video in store.video_ids
        if videos is None or video in videos
    }
    return Data(source, Annotations(str(source.features), kept, ()), store)


def problems(data: Data, *, for_training: bool) -> Iterator[tuple[bool, str]]:
    """Yield what is wrong with the data: whether it must be refused, and a sentence.

    Values of the features are not looked at; `bad_features` does that.
    """
    if for_training:
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
    noted = []
    for video in data.annotations.videos.values():
        if video.duration_s is None:
            continue
        try:
            span_s = data.store.grid.span_s(data.store.shape(video.id)[0])
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
            data.store.read(video)
        except FeatureError as error:
            yield str(error)


def refuse_problems(data: Data, *, for_training: bool) -> list[str]:
    """Refuse data that cannot be used; return what should only be mentioned.

    Raises
    ------
    DataError
        With the first problem, and how many more there are.
    """
    found = list(problems(data, for_training=for_training))
    refused = [sentence for refuse, sentence in found if refuse]
    if refused:
        more = f" (and {len(refused) - 1} more: acmnet check)" if refused[1:] else ""
        raise DataError(refused[0] + more)
    return [sentence for _, sentence in found]


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


def _mismatch(data: Data, video: str, duration_s: float, span_s: float) -> str:
    grid = data.store.grid
    return (
        f"video {video!r} lasts {duration_s:g} s in {data.annotations.source}, but its "
        f"{counted(data.store.shape(video)[0], 'row')} of features in "
        f"{data.store.directory} cover {span_s:g} s, at {grid.fps:g} fps with a row "
        f"for {counted(grid.snippet_frames, 'frame')} every {grid.stride_frames}; are "
        "these three the features' own?"
    )
