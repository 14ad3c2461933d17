"""The part of the verb render that draws tracks alone, without a video of them."""

from pathlib import Path

from acmnet.cli.terminal.app import UsageError, console, errors, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.files.file_access import make_folder, refuse_unwritable
from acmnet.files.file_suffixes import MP4_SUFFIXES, TRACK_SUFFIXES, VIDEO_SUFFIXES
from acmnet.messages import counted


def is_of_tracks(path: Path) -> bool:
    """Return whether a path is a file of tracks, or a folder, by its name."""
    return path.is_dir() or path.suffix.lower() in TRACK_SUFFIXES


def refuse_other_than_mp4(out: Path) -> None:
    """Refuse a file that cannot be written, or whose name is not that of an MP4 file.

    Raises
    ------
    UsageError
        If the suffix is another one.
    OSError
        If the file cannot be written.
    """
    if out.suffix.lower() not in MP4_SUFFIXES:
        raise UsageError(f"--out must end in .mp4, because MP4 is written, got {out}")
    refuse_unwritable(out)


def render_tracks(path: Path, out: Path, fps: float | None) -> None:
    """Draw a file of tracks into the video ``out``, or those of a folder into a folder.

    Raises
    ------
    UsageError
        If the names of input and output do not fit each other.
    TrackError
        If a file cannot be read, or its frame rate is neither stated nor given.
    """
    # what reads tracks is imported only where there are some
    from acmnet.data.tracks.track_files import read_tracks
    from acmnet.extraction.keypoints.track_gaps import required_fps, stated_fps
    from acmnet.extraction.many_videos.video_search import find_tracks
    from acmnet.show.rendering.drawn_tracks import draw_tracks

    if path.is_dir():
        if out.suffix.lower() in VIDEO_SUFFIXES:
            raise UsageError(
                f"{path} is a folder, so --out must name a folder for the videos of "
                f"its tracks, such as {out.with_suffix('')}, got {out}"
            )
        make_folder(out)
        targets = {
            file: out / f"{name}.mp4" for name, file in find_tracks([path]).items()
        }
    else:
        refuse_other_than_mp4(out)
        targets = {path: out}
    is_one = len(targets) == 1
    unit = "frames" if is_one else "videos"
    with Waiting(errors, "drawing tracks", unit, silent=quiet()) as waiting:
        for done, (file, target) in enumerate(targets.items(), start=1):
            tracks = read_tracks(file, needs_clock=fps is None)
            rate = stated_fps(tracks) or fps or required_fps(tracks, file)
            on_frame = waiting.update if is_one else _nothing
            draw_tracks(tracks, target, rate, on_frame=on_frame)
            if not is_one:
                waiting.update(done, len(targets))
    console.print(f"{counted(len(targets), 'video')} of tracks: {out}", markup=False)


def _nothing(*_: int) -> None:
    """Say nothing of single frames."""
