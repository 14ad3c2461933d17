"""The verb localize."""

from pathlib import Path

from acmnet import recipes
from acmnet.annotations import Annotations, Video
from acmnet.cli.app import app, console, errors, fail, note, quiet
from acmnet.cli.options import Grid, GridOptions, overrides
from acmnet.console import Waiting
from acmnet.detections import write_detections
from acmnet.features import FeatureError, open_store
from acmnet.pipeline.data import Data, DataSource, open_data
from acmnet.pipeline.runs import LAST, join_processes
from acmnet.pipeline.trained import load, localize_videos


@app.command
def localize(
    *,
    run: Path,
    features: Path,
    out: Path,
    annotations: Path | None = None,
    subset: str | None = None,
    device: str = "auto",
    grid: Grid = GridOptions(),
) -> None:
    """Find actions in videos with a trained run; write detections in seconds.

    Parameters
    ----------
    run
        Directory that `acmnet train` wrote, or any checkpoint in it.
    features
        Directory with the videos' features.
    out
        Detections file to write (ActivityNet results JSON).
    annotations
        Label file that names the videos; all videos with features when left out.
    subset
        Only this subset of the annotations.
    """
    model = load(
        run,
        settings=lambda trained: recipes.override(trained, overrides),
        device=join_processes(device),
    )
    source = DataSource(annotations or Path(), features, subset, grid.grid())
    data = open_data(source) if annotations else _all_videos(source)
    n_videos = len(data.annotations.videos)
    failures: list[FeatureError] = []
    done = 0
    with Waiting(errors, "localising", "videos", silent=quiet()) as bar:

        def count(_video: str) -> None:
            nonlocal done
            done += 1
            bar.update(done, n_videos)

        results = localize_videos(model, data, count, failures.append)
    used: dict[str, object] = {"used": True, "details": f"features in {features}"}
    if model.config is not None and model.config.selection != LAST:
        used["checkpoint_chosen_on"] = model.config.selection
        note(f"the checkpoint of {run} was chosen on the {model.config.selection}")
    write_detections(out, results, external_data=used)
    total = sum(map(len, results.values()))
    console.print(f"{total} detections in {len(results)} videos: {out}")
    if failures:
        rest = f"; {len(failures) - 1} more: acmnet check" if failures[1:] else ""
        fail(f"{len(failures)} of {n_videos} videos were left out: {failures[0]}{rest}")


def _all_videos(source: DataSource) -> Data:
    """Return every video that has features, without any label."""
    store = open_store(source.features, grid=source.grid)
    videos = {video: Video(video, None, None, (), ()) for video in store.video_ids}
    return Data(source, Annotations(str(source.features), videos, ()), store)
