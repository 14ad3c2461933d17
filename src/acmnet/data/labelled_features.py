"""Open a user's annotations and features together, and check that they fit."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path

from acmnet.data.features.failed_videos import read_failures
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_store import open_store
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.formats.exchange_format import RATE_OPTION
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations, Video, weak_labels
from acmnet.messages import counted, some
from acmnet.segments import SnippetGrid


@dataclasses.dataclass(frozen=True)
class DataSource:
    """The paths of a user's annotations and features."""

    annotations: Path
    features: Path
    subset: str | None = None
    """The subset to use; all videos if it is left out."""
    grid: SnippetGrid | None = None
    """The grid of the features, for a directory without ``features.json``."""
    label_fps: float | None = None
    """Frames per second of the videos, for labels that count frames. Where it is left
    out, the rate of the features' grid is taken, and a note says so."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """The opened annotations and features of a `DataSource`."""

    source: DataSource
    annotations: Annotations
    """Annotations of the subset, with the class names of the whole file."""
    store: FeatureStore
    everything: Annotations | None = None
    """The annotations of the whole file; None if ``annotations`` are the whole file."""
    left_out: tuple[str, ...] = ()
    """Videos of the label file that are left out because they have no features."""

    @property
    def whole(self) -> Annotations:
        """The annotations of the whole file, with the videos of all subsets."""
        return self.everything or self.annotations

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The class names of each video, which is all that training is given."""
        return weak_labels(self.annotations)

    @property
    def lengths(self) -> list[int]:
        """The snippets of each video, in the order of `labels`."""
        return [self.store.shape(video)[0] for video in self.labels]

    def length_s(self, video_id: str) -> float:
        """Return how long a video is by its features, in seconds."""
        return self.store.grid.span_s(self.store.shape(video_id)[0])

    def durations_s(self, videos: Iterable[str]) -> dict[str, float]:
        """Return how long videos are, as labels state it or else by their features."""
        stated = {video: self.annotations.videos[video].duration_s for video in videos}
        return {
            video: round(known or self.length_s(video), 3)
            for video, known in stated.items()
        }

    def only(self, videos: Mapping[str, object] | set[str]) -> "Data":
        """Return the same data with only some of the videos."""
        kept = {k: v for k, v in self.annotations.videos.items() if k in videos}
        annotations = dataclasses.replace(self.annotations, videos=kept)
        return dataclasses.replace(self, annotations=annotations)

    def part(self, videos: Collection[str]) -> "Data":
        """Return what is known of some of the videos, to be sent to another process."""
        chosen = self.only(set(videos))
        store = self.store.only(videos)
        return dataclasses.replace(chosen, store=store, everything=None, left_out=())


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
        The paths of annotations and features.
    on_left_out : callable, optional
        Called with a sentence on videos that are left out because they have no features
        and are listed in the directory's ``failed.jsonl``. If it is not given, such
        videos are refused.
    without : container of str, optional
        Further videos that are left out if they have no features.
    skip_missing : bool, optional
        True leaves out every video without features, for features that were released
        for some videos only. False names the option ``--skip-missing`` when it refuses
        such videos.

    Raises
    ------
    AnnotationError, FeatureError
        If annotations or features cannot be read, or a video has no features.
    """
    everything = _annotations(source)
    annotations = everything.subset(source.subset)
    store = open_store(source.features, grid=source.grid)
    missing = [video for video in annotations.videos if video not in store.files]
    left_out: tuple[str, ...] = ()
    if len(missing) < len(annotations.videos):
        left_out = tuple(missing) if skip_missing else ()
        if missing and on_left_out is not None and not skip_missing:
            is_packed = store.shards is not None  # extraction writes single files
            failures = {} if is_packed else read_failures(store.directory)
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
    return Data(
        source=source,
        annotations=annotations,
        store=store,
        everything=everything,
        left_out=left_out,
    )


def _annotations(source: DataSource) -> Annotations:
    """Return the whole label file, with a note if a frame rate had to be assumed."""
    if source.label_fps is not None:
        return read_annotations(source.annotations, source.label_fps)
    assumed: list[float] = []

    def rate_of_features(_: str) -> float:
        if not assumed:
            store = open_store(source.features, grid=source.grid)
            assumed.append(store.grid.fps)
        return assumed[0]

    annotations = read_annotations(source.annotations, rate_of_features)
    if not assumed:
        return annotations
    sentence = (
        f"{source.annotations} counts frames, which are taken for those of the "
        f"features, {assumed[0]:g} a second; if the videos have another frame rate, "
        f"give it with {RATE_OPTION}"
    )
    return dataclasses.replace(annotations, notes=(*annotations.notes, sentence))


def _left_out(total: int, videos: Sequence[str], store: FeatureStore, why: str) -> str:
    """Return a sentence on videos that are left out."""
    have, are = ("have", "are") if videos[1:] else ("has", "is")
    return (
        f"{len(videos)} of {counted(total, 'video')} {have} no features in "
        f"{store.place}{f', as {why},' if why else ''} and {are} left out: "
        f"{some(videos)}"
    )


def labels_sha256(data: Data) -> str:
    """Return a digest, in hexadecimal, of the videos and their video-level labels."""
    text = json.dumps(sorted((k, list(v)) for k, v in data.labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def unlabelled(source: DataSource, videos: Container[str] | None = None) -> Data:
    """Open features without a label file, of all videos or of the given ones."""
    store = open_store(source.features, grid=source.grid)
    kept = {
        video: Video(id=video, labels=())
        for video in store.video_ids
        if videos is None or video in videos
    }
    return Data(
        source=source,
        annotations=Annotations(str(source.features), kept, ()),
        store=store,
    )
