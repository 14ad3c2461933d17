"""Options and data of the verb localize: video files, or a directory of features."""

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.options.shared_options import (
    Grid,
    GridOptions,
    SkipMissing,
    note_reading,
)
from acmnet.cli.terminal.app import UsageError, errors, note, quiet
from acmnet.cli.terminal.progress import ExtractionBar
from acmnet.data.features.failed_videos import Failure
from acmnet.data.features.stored_features import RECORDS
from acmnet.data.labelled_features import Data, DataSource, open_data, unlabelled
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.video_search import Recordings
from acmnet.fitting.extracted_videos import extracted_data
from acmnet.fitting.fit_request import Hooks
from acmnet.runs.run_data import grid_of
from acmnet.workers.worker_engines import Engine, cores
from acmnet.workers.worker_tasks import Workers


@dataclasses.dataclass(frozen=True)
class SourceOptions:
    """Where the features of the videos are, or are kept after extraction."""

    features: Path | None = None
    """Directory with the features of the videos. If you give video files, their
    features are kept there; when left out, in OUT.features beside the file --out."""
    tracks: Path | None = None
    """Folder of the files of tracks, for a run that learned from videos and their
    tracks. When left out, they are looked for in the folder of the videos."""
    annotations: Path | None = None
    """Label file that names the videos to localise in. When left out, all videos with
    features."""
    subset: str | None = None
    "Only the videos of this subset of the label file."
    grid: Grid = GridOptions()
    skip_missing: SkipMissing = False
    workers: int | None = None
    """How many processes work at the same time; they share the cores. When left out, as
    many as there are cores extract the features of video files, and one of them finds
    the actions."""
    engine: Engine = "local"
    """"local" runs the processes on this machine, "ray" on a Ray cluster (needs
    pip install 'acmnet[ray]'), whose machines all have run and features at the same
    paths."""
    extractor: str | None = None
    """The module:Class that extracted the features which the run was trained on, if it
    is a class of your own; if it was one of several, all of them as they were given,
    such as motion+module:Class. For safety, a class of your own runs only if you name
    it here or in a line of ~/.config/acmnet/trusted_extractors."""
    retry_failed: Annotated[bool, Parameter(negative=())] = False
    "Try the video files again that could not be read in an earlier call."

    def refuse_contradictions(self, videos: Sequence[Path]) -> None:
        """Refuse options that do not fit the videos that are given.

        Raises
        ------
        UsageError
            If there are neither video files nor features, or there are video files and
            a label file or a grid.
        """
        if videos and self.annotations:
            raise UsageError(
                "--annotations names the videos of a feature directory: leave it out "
                "when you give video files"
            )
        if videos and self.grid != GridOptions():
            raise UsageError(
                "--fps, --snippet-frames and --stride-frames describe features that "
                "exist: leave them out when you give files of videos or tracks, which "
                "are read as the run's were"
            )
        if not videos and self.tracks is not None:
            raise UsageError("--tracks stands beside video files: give those, too")
        if not videos and self.features is None:
            raise UsageError("give video files, or a feature directory with --features")

    def finding(self) -> Workers:
        """Return the workers that find the actions with a trained run.

        Raises
        ------
        ValueError
            If the number of workers is below 1.
        """
        return self._workers(cores() if self.engine == "ray" else 1)

    def _workers(self, usual: int) -> Workers:
        """Return the workers that are asked for, ``usual`` if no number is given."""
        return Workers(usual if self.workers is None else self.workers, self.engine)

    def stored(self, run: Path | None) -> Data:
        """Open a directory of features, with the videos that a label file names.

        Features whose directory does not tell their grid are taken to be on the run's.
        """
        directory, grid = self.features or Path(), self.grid.grid()
        if grid is None and run is not None:
            grid = grid_of(directory, load_config(run))
        where = DataSource(self.annotations or Path(), directory, self.subset, grid)
        if not self.annotations:
            return unlabelled(where)
        on_left_out = note if self.skip_missing else None
        data = open_data(where, on_left_out, skip_missing=self.skip_missing)
        return note_reading(data)

    @contextlib.contextmanager
    def extracted(
        self,
        recordings: Recordings,
        extraction: ExtractionSettings,
        beside: Path | None,
        device: str,
    ) -> Iterator[tuple[Data, tuple[Failure, ...]]]:
        """Extract the features of video files, and open them until the block ends.

        Parameters
        ----------
        recordings : Recordings
            The video files, and their files of tracks where the extractor reads them.
        extraction : ExtractionSettings
            The extractor, and how it extracts.
        beside : Path or None
            Where features are kept if --features is left out; None to delete them.
        device : str
            Where a network extracts.

        Yields
        ------
        Data, tuple of Failure
            The features, and the videos that could not be read.
        """
        with tempfile.TemporaryDirectory(prefix="acmnet-") as scratch:
            features = self.features or beside or Path(scratch)
            with ExtractionBar(errors, silent=quiet()) as bar:
                with _nothing_left_if_refused(features):
                    extracted = extracted_data(
                        recordings,
                        features,
                        extraction,
                        self._workers(cores()),
                        Hooks(on_note=note, on_video=bar.video, on_working=bar.working),
                        device,
                        retry_failed=self.retry_failed,
                    )
                yield extracted


@contextlib.contextmanager
def _nothing_left_if_refused(features: Path) -> Iterator[None]:
    """Remove a folder of features in which no video was extracted.

    That is one which was not there before, and in which no video was finished when an
    error ended the extraction.
    """
    was_there = features.exists()
    try:
        yield
    except Exception:
        if not was_there and not any((features / RECORDS).glob("*.json")):
            shutil.rmtree(features, ignore_errors=True)
        raise


Source = Annotated[SourceOptions, Parameter(name="*")]
