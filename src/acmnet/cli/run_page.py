"""The page of a run, of the verbs report and view: its options, files and posters."""

from pathlib import Path

from acmnet.cli.app import note
from acmnet.cli.dotted_settings import RecipeSettings
from acmnet.data.labelled_features import Data
from acmnet.extraction.video_search import find_videos
from acmnet.messages import counted, some
from acmnet.recipes import Settings, from_values
from acmnet.show.report.poster_strips import poster_strip
from acmnet.training.checkpoint import load_config
from acmnet.training.checkpoint_config import CheckpointConfig


def used_settings(
    run: Path, given: RecipeSettings
) -> tuple[CheckpointConfig, Settings]:
    """Return what a run says of itself, and the settings that it is used with."""
    config = load_config(run)
    trained = from_values(config.settings, str(run))
    return config, given.applied(trained)


def poster_of(data: Data, video: str, files: dict[str, Path]) -> bytes | None:
    """Return the strip of a video's frames; None where it has no file."""
    if video not in files:
        return None
    known_s = data.annotations.videos[video].duration_s
    span_s = data.store.grid.span_s(data.store.shape(video)[0])
    return poster_strip(files[video], float(known_s or span_s))


def files_of(data: Data, folder: Path | None) -> dict[str, Path]:
    """Return the files of the videos in a folder; say which videos have none."""
    if folder is None:
        return {}
    found = find_videos([folder])
    files = {name: found[name] for name in data.annotations.videos if name in found}
    missing = [video for video in data.annotations.videos if video not in files]
    if missing:
        have = "has" if len(missing) == 1 else "have"
        videos = counted(len(data.annotations.videos), "video")
        note(
            f"{len(missing)} of {videos} {have} no file in {folder}: {some(missing)}; "
            "the page shows no picture of them"
        )
    return files
