"""The verb render: a video with its detections drawn into it, or tracks as a video."""

from pathlib import Path

import numpy as np

from acmnet.cli.options.detection_limits import LimitOptions, Limits, left_out_sentence
from acmnet.cli.options.shared_options import LabelFps
from acmnet.cli.terminal.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.formats.exchange_format import FrameRates
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Instance
from acmnet.data.tracks.tracks import Tracks
from acmnet.extraction.many_videos.video_search import frame_rates
from acmnet.files.file_access import make_folder, refuse_unwritable
from acmnet.messages import counted
from acmnet.names import MP4_SUFFIXES, TRACK_SUFFIXES, VIDEO_SUFFIXES, one_form
from acmnet.segments import Detection
from acmnet.show.rendering.rendered_video import (
    MOST_DRAWN,
    Rendered,
    RenderError,
    detections_of,
    not_among,
    render_detections,
)


@app.command
def render(
    path: Path,
    /,
    *,
    out: Path,
    detections: Path | None = None,
    tracks: Path | None = None,
    annotations: Path | None = None,
    video: str | None = None,
    limits: Limits = LimitOptions(),
    label_fps: LabelFps = None,
    fps: float | None = None,
) -> None:
    """Draw detections into a video: their labels, scores, and a timeline below.

    With --tracks, the points of people or animals are drawn as well, or alone. A file
    or a folder of tracks in place of a video is drawn on a plain ground, so that
    recordings without video can be looked at and marked, too.

    While an action lasts, its label and score are in the picture. The timeline has a
    lane for each class, and a white line at the current time. The sound is copied.

    At most 20 detections are drawn unless you give --top or --all. The score that was
    chosen at the end of training is read from the file of detections (shown_from). If
    it has none, because another program wrote it, low scores are drawn, too.

    For example: acmnet render video.mp4 --detections found.json --out drawn.mp4

    Parameters
    ----------
    path
        The video file. Or a file of tracks, or a folder of them.
    out
        The MP4 file to write; for a folder of tracks, the folder for the videos.
    detections
        ActivityNet results JSON with detections of this video, and perhaps of others.
    tracks
        File of tracks of this video, in its pixels: of `acmnet pose`, DeepLabCut, SLEAP
        or an array.
    annotations
        Label file. The video's true segments are drawn in one more lane, the last; or
        alone, without --detections.
    video
        The id of the video in these files. When left out, the name of the video file
        without its suffix.
    label_fps
        Frames per second of the video, for labels that count frames, such as SimBA's.
        When left out, what the video file says.
    fps
        Frames per second of tracks that are drawn without a video and do not state it.
    """
    if is_of_tracks(path):
        if detections or tracks or annotations:
            raise UsageError(
                f"{path} holds tracks, which are drawn alone first; then draw the "
                "detections into the video of them"
            )
        render_tracks(path, out, fps)
        return
    if fps is not None:
        raise UsageError(f"--fps is for tracks without a video, and {path} is a video")
    refuse_other_than_mp4(out)
    if detections is None and tracks is None and annotations is None:
        raise UsageError(
            "nothing to draw; give --detections, --tracks or --annotations, or several"
        )
    points = None if tracks is None else _points(tracks)
    name = one_form(path.stem if video is None else video)
    shown = () if detections is None else _drawn_detections(detections, name, limits)
    truth: tuple[Instance, ...] = ()
    if annotations is not None:
        rates = label_fps or frame_rates(path)
        truth = _true_instances(annotations, name, rates)
    with Waiting(errors, "rendering", "frames", silent=quiet()) as waiting:
        done = render_detections(
            path, shown, out, truth=truth, tracks=points, on_frame=waiting.update
        )
    _note_damage(path, done)
    drawn = [] if detections is None else [counted(len(shown), "detection")]
    if points is not None:
        drawn.append(f"tracks of {counted(len(points.individuals), 'individual')}")
    if annotations is not None:
        drawn.append(counted(len(truth), "true segment"))
    console.print(
        f"{counted(done.frames, 'frame')} with {' and '.join(drawn)}: {out}",
        markup=False,
    )


def _note_damage(path: Path, done: Rendered) -> None:
    """Print a note on what was left out of a video because of damage."""
    lost = {"picture": done.skipped_packets, "sound": done.dropped_sound}
    for what, n in lost.items():
        if n:
            packets = counted(n, "packet")
            note(f"{path}: {packets} of the {what} left out because of damage")


def _points(tracks: Path) -> Tracks:
    """Return the tracks of a file; what reads them is imported only where one is."""
    from acmnet.data.tracks.track_files import read_tracks

    return read_tracks(tracks, needs_clock=False)


def _drawn_detections(
    detections: Path, name: str, limits: LimitOptions
) -> tuple[Detection, ...]:
    """Return the detections to draw of a video; note how many are left out."""
    file = read_detections(detections)
    shown = limits.shown(file.shown_from, MOST_DRAWN)
    found = detections_of(file, name, min_score=shown.min_score, top=shown.top)
    every = detections_of(file, name, top=None)
    if not every:
        note(f"{detections} has no detection of {name!r} to draw")
    score = np.array([detection.score for detection in every])
    left_out = left_out_sentence(score, len(found), shown, "drawn", "draws")
    if left_out is not None:
        note(left_out)
    return found


def _true_instances(
    annotations: Path, video: str, rates: FrameRates
) -> tuple[Instance, ...]:
    """Return the true segments of a video, with their labels."""
    read = read_annotations(annotations, rates)
    for sentence in read.notes:
        note(sentence)
    videos = read.videos
    if video not in videos:
        raise RenderError(not_among(video, list(videos), str(annotations)))
    return videos[video].instances


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
