"""The verb pack: the features of many videos in few large files."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.shared_options import Grid, GridOptions, refuse_file_name
from acmnet.cli.terminal.app import app, console, errors, fail_for_left_out, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.features.feature_packing import pack
from acmnet.data.features.feature_store import open_store
from acmnet.messages import counted


@app.command(name="pack")
def pack_command(
    features: Path,
    out: Annotated[str, Parameter(validator=refuse_file_name)],
    /,
    *,
    given_grid: Grid = GridOptions(),
) -> None:
    """Put the features of many videos into few large files, for very many videos.

    Every verb reads the result in place of the directory of features, from a disk or
    from object storage. Run the command again to add new videos, or to go on after it
    was stopped: videos that are there already are not written again. Several machines
    may add their videos to one place.

    For example: acmnet pack runs/features s3://bucket/features

    Parameters
    ----------
    features
        Directory with a file of features for each video.
    out
        Directory to write to, or an address in object storage that fsspec knows, such
        as s3://bucket/features. Most addresses need a package, such as s3fs.
    """
    store = open_store(features, grid=given_grid.grid())
    with Waiting(errors, "packing", "videos", silent=quiet()) as bar:
        bar.total = len(store.video_ids)
        packed = pack(store, out, on_video=bar.one_more)
    console.print(
        f"{counted(packed.videos, 'video')} packed into "
        f"{counted(packed.shards, 'shard')}: {out} ({packed.there:,} were there)",
        markup=False,
    )
    fail_for_left_out(list(packed.failures), packed.videos + packed.there)
