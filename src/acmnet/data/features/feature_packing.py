"""Pack the features of many videos into shards, on a disk or in object storage."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.data.features.feature_files import FeatureError, Values
from acmnet.data.features.feature_manifest import (
    MANIFEST_NAME,
    FeatureManifest,
    manifest_content,
)
from acmnet.data.features.feature_shards import Shards, shard_name, shard_of
from acmnet.data.features.feature_store import read_storage_manifest
from acmnet.data.features.object_storage import Storage
from acmnet.data.features.stored_features import FeatureStore

SHARD_BYTES: Final = 256 * 2**20
"""A shard is complete once its features have at least this many bytes."""
MOST_VIDEOS: Final = 10_000
"""A shard has at most this many videos, so that its header stays small."""


class Packed(NamedTuple):
    """What was packed."""

    videos: int
    """Videos that were written."""
    shards: int
    """Shards that they were written to."""
    there: int
    """Videos that a shard had before."""
    failures: tuple[str, ...]
    """A sentence for each video whose features cannot be used."""


def pack(
    store: FeatureStore,
    out: str | Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    on_video: Callable[[str], None] = lambda _: None,
) -> Packed:
    """Write the features of a store to shards, those of videos that no shard has yet.

    Videos are taken in the order of their ids. A shard is written whole or not at all,
    and its name is made of its content. So a run that was killed goes on where it was,
    several processes may write to one place at once, and the shards are the same.

    Parameters
    ----------
    store : FeatureStore
        Where the features are.
    out : str or Path
        A folder, or an address such as ``s3://bucket/features``.
    shard_bytes : int
        A shard is complete once its features have at least this many bytes.
    on_video : callable
        Called with each video that was read, or that cannot be used.

    Raises
    ------
    FeatureError
        If the place has features of another kind, or cannot be written.
    """
    storage = Storage(out, FeatureError)
    names = storage.names()
    _write_manifest(store, storage, names)
    present = Shards(storage, names).files()
    missing = [video for video in store.video_ids if video not in present]
    failures: list[str] = []
    videos = shards = 0
    for features in _grouped(_read(store, missing, failures, on_video), shard_bytes):
        cuts = {v: x for v in features if (x := store.cuts_s(v)) is not None}
        content = shard_of(features, cuts)
        storage.write(shard_name(content), content)
        videos, shards = videos + len(features), shards + 1
    kept = len(store.video_ids) - len(missing)
    return Packed(videos, shards, kept, tuple(failures))


def _read(
    store: FeatureStore,
    videos: Iterable[str],
    failures: list[str],
    on_video: Callable[[str], None],
) -> Iterator[tuple[str, Values]]:
    """Yield the features of each video; those that cannot be used are failures."""
    for video in videos:
        try:
            yield video, store.read_array(video)
        except FeatureError as error:
            failures.append(str(error))
        on_video(video)


def _grouped(
    features: Iterable[tuple[str, Values]], shard_bytes: int
) -> Iterator[dict[str, Values]]:
    """Yield the features of the videos of each shard."""
    group: dict[str, Values] = {}
    size = 0
    for video, values in features:
        group[video] = values
        size += values.nbytes
        if size >= shard_bytes or len(group) >= MOST_VIDEOS:
            yield group
            group, size = {}, 0
    if group:
        yield group


def _write_manifest(
    store: FeatureStore, storage: Storage, names: Sequence[str]
) -> None:
    """Write the manifest of a store beside its shards; refuse one of other features.

    ``names`` are those of the files that are there.
    """
    manifest = store.manifest or FeatureManifest(
        grid=store.grid, dimension=store.dimension
    )
    found = read_storage_manifest(storage, names)
    if found is None:
        text = json.dumps(manifest_content(manifest), indent=1) + "\n"
        storage.write(MANIFEST_NAME, text.encode())
    elif found != manifest:
        raise FeatureError(
            f"{storage} has features of another kind than {store.place}: their "
            f"{MANIFEST_NAME} differ; name another place"
        )
