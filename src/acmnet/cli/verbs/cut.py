"""The verb cut: a file for each detection, and pictures that show them together."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.cli.options.detection_limits import LimitOptions, Limits, left_out_of_all
from acmnet.cli.options.shared_options import LabelFps, OutputFolder
from acmnet.cli.terminal.app import app, console, errors, fail_for_left_out, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.format_conversion import holds_detections
from acmnet.data.formats.exchange_format import FrameRates
from acmnet.data.formats.writing import detections_of
from acmnet.data.label_files import read_annotations
from acmnet.data.tables.csv_tables import Cell, table_csv
from acmnet.extraction.many_videos.video_search import find_videos, frame_rates
from acmnet.files.file_access import refuse_unwritable, write_text
from acmnet.messages import counted, quoted
from acmnet.segments import Segment
from acmnet.show.clips.clip_cutting import (
    Clip,
    ClipError,
    Span,
    cut_clips,
    placed_clips,
)
from acmnet.show.clips.contact_sheet import write_contact_sheets

TABLE: Final = "clips.csv"
"""File that lists the clips."""
COLUMNS: Final = ("file", "video", "class", "start_s", "end_s", "score")


@app.command
def cut(
    source: Path,
    videos: Annotated[list[Path], Parameter(negative=())],
    /,
    *,
    out: OutputFolder,
    limits: Limits = LimitOptions(),
    label_fps: LabelFps = None,
) -> None:
    """Cut each detection out of its video, into a folder for each class.

    A clip begins with the first frame at or after the start, and ends before the first
    frame at or after the end. It is encoded again, as H.264 in MP4, with its sound. In
    each folder, contact sheets show the middle frame of each clip; clips.csv lists all
    of them. Clips that are there from an earlier call are kept.

    For example: acmnet cut found.json videos/ --out clips/ --top 5

    Parameters
    ----------
    source
        Detections of localize as JSON or CSV, or a label file with times.
    videos
        Video files, or folders that are searched for video files.
    out
        Folder for the clips.
    label_fps
        Frames per second of the videos, for labels that count frames, such as SimBA's.
        When left out, what each video's file says.
    """
    refuse_unwritable(out / TABLE)
    rates = label_fps or frame_rates(*videos)
    wanted = placed_clips(_clips_to_cut(source, limits, rates))
    if not wanted:
        raise ValueError(
            f"{source} has no action with a start and an end, so there is nothing to "
            "cut; give detections of acmnet localize, or labels with times"
        )
    files = find_videos(videos)
    by_video: dict[str, dict[PurePath, Clip]] = {}
    for path, clip in wanted.items():
        by_video.setdefault(clip.video, {})[path] = clip
    done = _Done()
    with Waiting(errors, "cutting", "clips", silent=quiet()) as bar:
        bar.total = len(wanted)
        for video in sorted(by_video):
            _cut_video(video, files.get(video), by_video[video], out, done, bar)
    if not done.spans:
        fail_for_left_out(done.reasons, 0)
    _write_table(out / TABLE, done.spans, wanted)
    n_sheets = _write_sheets(out, done.spans, wanted)
    if done.kept:
        note(f"{counted(done.kept, 'clip')} kept from an earlier call")
    n_videos = len({wanted[place].video for place in done.spans})
    console.print(
        f"{counted(len(done.spans), 'clip')} of {counted(n_videos, 'video')}: "
        f"{out}, with {counted(n_sheets, 'contact sheet')} and {TABLE}",
        markup=False,
    )
    fail_for_left_out(done.reasons, len(by_video) - len(done.reasons))


@dataclasses.dataclass
class _Done:
    """What was cut so far."""

    spans: dict[PurePath, Span] = dataclasses.field(default_factory=dict)
    kept: int = 0
    reasons: list[str] = dataclasses.field(default_factory=list)
    """One sentence for each video of which a clip is missing."""


def _clips_to_cut(source: Path, limits: LimitOptions, rates: FrameRates) -> list[Clip]:
    """Return what is to be cut: detections with enough score, or true segments."""
    if not holds_detections(source):
        return _labelled(source, rates)
    file = read_detections(source)
    results, n_empty = detections_of(file)
    rule = limits.shown(file.shown_from)
    shown = rule.of_all(results)
    if n_empty:
        note(f"{counted(n_empty, 'detection')} without a length left out")
    left_out = left_out_of_all(results, shown, rule, "cut", "cuts")
    if left_out is not None and not any(map(len, shown.values())):
        raise ValueError(f"{source}: {left_out}")
    if left_out is not None:
        note(left_out)
    return [
        Clip(
            video,
            detection.label,
            Segment(detection.start_s, detection.end_s),
            detection.score,
        )
        for video, detections in shown.items()
        for detection in detections
    ]


def _labelled(source: Path, rates: FrameRates) -> list[Clip]:
    """Return the true segments of a label file."""
    annotations = read_annotations(source, rates)
    for sentence in annotations.notes:
        note(sentence)
    return [
        Clip(video.id, instance.label, instance.segment)
        for video in annotations.videos.values()
        for instance in video.instances
    ]


def _cut_video(
    video: str,
    file: Path | None,
    clips: Mapping[PurePath, Clip],
    out: Path,
    done: _Done,
    bar: Waiting,
) -> None:
    """Cut all clips of one video; keep the reason if one cannot be cut."""
    if file is None:
        done.reasons.append(
            f"{quoted(video)}: no file of this name was given; name its folder, too"
        )
        return
    segments = {place: clip.segment for place, clip in clips.items()}
    try:
        for place, one in cut_clips(file, segments, out):
            done.spans[place] = one.span
            done.kept += one.is_kept
            if one.damaged:
                packets = counted(one.damaged, "packet")
                note(f"{file}: {packets} left out because of damage")
            bar.one_more()
    except ClipError as error:
        done.reasons.append(f"{quoted(video)}: {error}")


def _write_table(
    path: Path, spans: Mapping[PurePath, Span], clips: Mapping[PurePath, Clip]
) -> None:
    """Write which clip shows what."""
    rows: list[Sequence[Cell]] = []
    for place, span in sorted(spans.items()):
        clip = clips[place]
        times = span.start_s, span.end_s
        rows.append((place.as_posix(), clip.video, clip.label, *times, clip.score))
    write_text(path, table_csv(COLUMNS, rows), newline="")


def _write_sheets(
    out: Path, spans: Mapping[PurePath, Span], clips: Mapping[PurePath, Clip]
) -> int:
    """Write the contact sheets of each class; return how many."""
    by_folder: dict[PurePath, list[PurePath]] = {}
    for place in sorted(spans):
        by_folder.setdefault(place.parent, []).append(place)
    n = 0
    for folder, places in by_folder.items():
        cells = [(out / place, _words(clips[place], spans[place])) for place in places]
        n += len(write_contact_sheets(out / folder, cells))
    return n


def _words(clip: Clip, span: Span) -> tuple[str, str]:
    """Return the two lines below a clip's picture."""
    score = "" if clip.score is None else f"  {clip.score:.2f}"
    return clip.video, f"{span.start_s:.2f} to {span.end_s:.2f} s{score}"
