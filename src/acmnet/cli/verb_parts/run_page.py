"""The page of a run, which the verbs report and view build: data, files, summary."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.cli.options.detection_limits import LimitOptions
from acmnet.cli.options.dotted_settings import RecipeSettings
from acmnet.cli.options.run_data import RunDataOptions
from acmnet.cli.terminal.app import note
from acmnet.cli.verb_parts.trained_run import loaded, note_unlike, scored
from acmnet.data.labelled_features import Data
from acmnet.extraction.many_videos.video_search import find_videos
from acmnet.messages import counted, some
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.recipes import Settings, from_values
from acmnet.segments import Detections
from acmnet.show.report.page_contents import remarks_of, summary_of
from acmnet.show.report.page_media import poster_strip


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunPage:
    """A run, the videos that its page shows, and what the user asked for."""

    run: Path
    data: Data
    files: Mapping[str, Path]
    """The file of each video that has one, by video id."""
    limits: LimitOptions
    """Which detections the page shows at first."""
    given: RecipeSettings
    """Settings that the user gave in place of the run's own."""
    device: str
    """Where the networks run, as `Device` has it."""

    def used_settings(self) -> tuple[CheckpointConfig, Settings]:
        """Return the newest checkpoint's config, and the settings to use it with."""
        config = load_config(self.run)
        trained = from_values(config.settings, str(self.run))
        return config, self.given.applied(trained)

    def model(self) -> TrainedModel:
        """Load the newest checkpoint."""
        return loaded(self.run, self.device, self.given)

    def poster(self, video: str) -> bytes | None:
        """Return a strip of frames of a video as a JPEG; None if it has no file."""
        if video not in self.files:
            return None
        known_s = self.data.annotations.videos[video].duration_s
        return poster_strip(
            self.files[video], float(known_s or self.data.length_s(video))
        )

    def summary(
        self,
        results: Mapping[str, Detections],
        config: CheckpointConfig,
        settings: Settings,
    ) -> dict[str, Any]:
        """Return what the page tells about the run as a whole; see `summary_of`.

        Parameters
        ----------
        results : mapping from video id to Detections
            What was found. Videos that are not in it are not on the page.
        config, settings
            What `used_settings` returned before anything was localised.
        """
        data = self.data.only(results)
        return summary_of(
            self.run,
            config,
            settings,
            data,
            scored(data, results, config),
            self.limits.shown(shown_score(self.run, settings)),
            note_unlike(self.run, data),
        )

    def remarks(
        self, results: Mapping[str, Detections], config: CheckpointConfig, most: int
    ) -> list[str]:
        """Return what a reader needs before believing what was found.

        Parameters
        ----------
        results : mapping from video id to Detections
            What was found.
        config : CheckpointConfig
            What `used_settings` returned before anything was localised.
        most : int
            How many videos are compared with the training videos, for a warning if
            they look unlike them.
        """
        warning = note_unlike(self.run, self.data.only(results), most)
        return list(remarks_of(config, warning))


def opened_page(
    run: Path,
    run_data: RunDataOptions,
    videos: Path | None,
    limits: LimitOptions,
    device: str,
) -> RunPage:
    """Open the data of a page, and find the video files in a folder.

    Parameters
    ----------
    run : Path
        The run.
    run_data : RunDataOptions
        The data and settings that the user gave.
    videos : Path or None
        The folder of the video files.
    limits : LimitOptions
        Which detections the page shows at first.
    device : str
        Where the networks run.
    """
    data = run_data.opened(run)
    return RunPage(
        run=run,
        data=data,
        files=_files_of(data, videos),
        limits=limits,
        given=run_data.settings,
        device=device,
    )


def _files_of(data: Data, folder: Path | None) -> dict[str, Path]:
    """Return the video files in a folder by video id; note which videos have none."""
    if folder is None:
        return {}
    video_files = find_videos(
        [folder],
        hint="give the folder of the videos that the tracks were made from, or leave "
        "--videos out",
    )
    files = {
        name: video_files[name]
        for name in data.annotations.videos
        if name in video_files
    }
    missing = [video for video in data.annotations.videos if video not in files]
    if missing:
        verb = ("has", "have")
        n_videos = len(data.annotations.videos)
        note(
            f"{counted(len(missing), 'video', verb, of=n_videos)} no file in {folder}: "
            f"{some(missing)}; the page shows no picture of them"
        )
    return files
