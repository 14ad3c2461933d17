"""The verb features: the features of a public release, for acmnet to read."""

from pathlib import Path
from typing import Final

from acmnet.cli.options.shared_options import Grid, GridOptions, LabelFps, OutputFolder
from acmnet.cli.terminal.app import app, console, errors, fail_for_left_out, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.features.feature_manifest import MANIFEST_NAME
from acmnet.data.label_files import read_annotations
from acmnet.data.releases.collected_features import collect
from acmnet.data.releases.release_table import release_named
from acmnet.files.file_access import refuse_unwritable
from acmnet.messages import counted

MOST_NAMED: Final = 5
"""How many videos with another number of rows are named."""


@app.command
def features(
    release: str,
    source: Path,
    /,
    *,
    out: OutputFolder,
    annotations: Path | None = None,
    names: Path | None = None,
    label_fps: LabelFps = None,
    grid: Grid = GridOptions(),
) -> None:
    """Turn the features of a public release into a directory that acmnet reads.

    Releases: i3d, w-talc, i3d-stride4, tsp, other. Their grids, and the ways in which
    their files may lie, are in docs/own-features.md. Each video gets a file, and
    features.json states the grid. No code in a file is run.

    For example: acmnet features w-talc Thumos14reduced/ --out features/

    Parameters
    ----------
    release
        Name of the release, which tells the grid and the number of columns.
    source
        File or folder of the release.
    out
        Directory to write.
    annotations
        Label file with durations. Numbers of rows are compared with them, and names of
        videos are written as in it.
    names
        File with the names of the videos, where one array has the features of all. When
        left out, videoname.npy beside it.
    """
    refuse_unwritable(out / MANIFEST_NAME)
    fps_alone = grid.fps is not None and grid == GridOptions(fps=grid.fps)
    given_grid = None if fps_alone else grid.grid()
    chosen = release_named(release, given_grid, grid.fps if fps_alone else None)
    labels = None if annotations is None else read_annotations(annotations, label_fps)
    with Waiting(errors, "reading", "videos", silent=quiet()) as bar:
        done = collect(
            source, chosen, out, names=names, annotations=labels, on_video=bar.update
        )
    if done.unlike:
        videos = counted(len(done.unlike), "video", ("has", "have"), of=done.compared)
        more = ", ..." * (len(done.unlike) > MOST_NAMED)
        named = ", ".join(done.unlike[:MOST_NAMED])
        note(f"{videos} another number of rows: {named}{more}")
    console.print(
        f"{counted(done.videos, 'video')} with {done.dimension} columns: {out}",
        markup=False,
    )
    fail_for_left_out(done.left_out, done.videos)
