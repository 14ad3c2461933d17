"""The verb render: a video with its detections drawn into the picture."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.progress import Waiting
from acmnet.data.annotations import Instance, read_annotations
from acmnet.data.detections import read_detections
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.names import one_form
from acmnet.show.rendered_video import (
    TOP,
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
    detections: Path,
    out: Path,
    annotations: Path | None = None,
    video: str | None = None,
    min_score: float | None = None,
    top: int | None = None,
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
) -> None:
    """Draw detections into a video: labels, scores and a strip of the time.

    Every frame keeps its time, and the sound is copied. The strip at the bottom has a
    lane for each class; a white line shows where the video is.

    Parameters
    ----------
    path
        The video file.
    detections
        ActivityNet results JSON, of one video or many.
    out
        The MP4 file to write.
    annotations
        Label file whose true segments get a lane of their own, the last.
    video
        Its id in these files; the video file's name without suffix when left out.
    min_score
        Leave out detections with a lower score. Otherwise drawing starts at the score
        that the detections file names (shown_from): when a run is trained, the score is
        chosen that tells best, by the labels alone, which of its videos carry an
        action. A file without that score is drawn from its lowest one on.
    top
        Draw at most this many detections, those with the highest scores; 20 when left
        out.
    everything
        Draw every detection, however low its score.
    """
    if everything and not (min_score is None and top is None):
        raise UsageError("--all draws everything: give it, or --min-score and --top")
    refuse_unwritable(out)
    name = one_form(path.stem if video is None else video)
    file = read_detections(detections)
    if min_score is None and not everything:
        min_score = file.shown_from
    most = None if everything else TOP if top is None else top
    found = detections_of(file, name, min_score=min_score, top=most)
    truth = () if annotations is None else _truth(annotations, name)
    total = len(detections_of(file, name, top=None))
    if not total:
        note(f"{detections} has no detection of {name!r} to draw")
    elif len(found) < total:
        _tell_left_out(total, len(found), min_score)
    with Waiting(errors, "rendering", "frames", silent=quiet()) as waiting:
        done = render_detections(path, found, out, truth=truth, on_frame=waiting.update)
    lost = {
        "left out of the picture as damaged": done.skipped_packets,
        "left out of the sound": done.dropped_sound,
    }
    for what, n in lost.items():
        if n:
            note(f"{path}: {counted(n, 'packet')} {what}")
    console.print(
        f"{counted(done.frames, 'frame')} with {counted(len(found), 'detection')}: "
        f"{out}",
        markup=False,
    )


def _tell_left_out(total: int, drawn: int, min_score: float | None) -> None:
    """Say how many of a video's detections are not drawn, and how to draw them."""
    below = "" if min_score is None else f" from a score of {min_score:.3g} on"
    note(
        f"{drawn} of {counted(total, 'detection')} drawn, the surest{below}; --all "
        "draws all, --min-score X and --top N choose others"
    )


def _truth(annotations: Path, video: str) -> tuple[Instance, ...]:
    """Return the annotated instances of a video."""
    read = read_annotations(annotations)
    for sentence in read.notes:
        note(sentence)
    videos = read.videos
    if video not in videos:
        raise RenderError(not_among(video, list(videos), str(annotations)))
    return videos[video].instances
