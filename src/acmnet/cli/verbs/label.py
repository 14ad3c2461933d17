"""The verb label: name and mark videos in the browser, and learn from the marks."""

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.options.dotted_settings import (
    TRAINING_EPILOGUE,
    GivenSettings,
    ProfileName,
    RecipeName,
    RecipeSettings,
)
from acmnet.cli.options.extractor_options import Extracting, ExtractorOptions
from acmnet.cli.options.shared_options import Device
from acmnet.cli.terminal.app import UsageError, app, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.cli.verb_parts.bench_server import serve
from acmnet.data.formats.exchange_format import Format
from acmnet.data.formats.format_table import target_format
from acmnet.data.formats.own_formats import JSON
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.json_files.label_json import label_file
from acmnet.extraction.extractors.extractor_names import KEYPOINTS, reads_tracks
from acmnet.extraction.many_videos.records import ExtractionError
from acmnet.extraction.many_videos.video_search import (
    common_frame_rate,
    find_tracks,
    find_videos,
    frame_rates,
)
from acmnet.files.file_access import make_folder, refuse_unwritable, written_whole
from acmnet.messages import counted, some
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import BenchSite, ShownVideo, known_videos
from acmnet.show.bench.marks.label_export import LabelExport
from acmnet.show.bench.marks.mark_journal import JOURNAL_FILE
from acmnet.show.bench.marks.mark_store import MarkStore
from acmnet.show.bench.rounds.learning import Learning, Method
from acmnet.show.bench.rounds.round_detections import RoundDetections
from acmnet.show.bench.rounds.round_folders import (
    DETECTIONS,
    FEATURES,
    FOLDER,
    Round,
    last_done,
    rounds_in,
)
from acmnet.show.bench.rounds.round_plan import RoundPlan
from acmnet.show.bench.rounds.suggesting import SUGGESTIONS, Suggesting

MEDIA_FOLDER: Final = "seen"
"""Folder of a bench with frame times and pictures, which can be deleted."""


@app.command(help_epilogue=TRAINING_EPILOGUE)
def label(
    videos: Path,
    *,
    out: Path,
    to_format: str | None = None,
    labels: Path | None = None,
    classes: Annotated[list[str] | None, Parameter(negative=())] = None,
    who: str = "",
    extracting: Extracting = ExtractorOptions(),
    recipe: RecipeName = "default",
    profile: ProfileName = None,
    port: int = 0,
    browser: Annotated[bool, Parameter(negative=())] = False,
    device: Device = "auto",
    given_settings: GivenSettings = RecipeSettings(),
) -> None:
    """Name and mark videos in the browser, and learn from what you marked.

    It starts with nothing but a folder of videos, and goes on with labels that were
    begun. Everything you mark is saved at once, into a plain label file. "Learn again"
    in the page trains on all marks and shows what it finds in every video; each round
    is kept in OUT.bench/rounds. Any local user can open the page, no other machine can.
    Ctrl-C ends it.

    For example: acmnet label videos/ --out labels.json

    Parameters
    ----------
    videos
        Folder of the video files, those of tracked recordings included.
    out
        The label file, in any format of docs/formats.md, or a folder, for formats with
        a file for each video. If it is there, its labels are the first ones. JSON
        holds everything; for other formats, OUT.bench/labels.json does, too.
    to_format
        Format of the label file. When left out, the suffix tells it.
    labels
        Labels to begin with, in any format of docs/formats.md. OUT must not be there
        yet.
    classes
        Names of the actions to mark, separated by commas; more can be added in the
        page.
    who
        Your name, which is kept with each mark. When left out, your name on this
        machine.
    port
        Port on 127.0.0.1. 0 chooses one that is the same each time for this label file,
        or a free one if that is in use.
    browser
        Open the page in the default browser.
    """
    overrides = given_settings.by_name()
    settings = recipes.recipe(recipe, profile=profile, overrides=overrides)
    files = _files(videos, extracting)
    folder = out.with_suffix(".bench")
    export = _export(out, to_format, folder, files)
    refuse_unwritable(export.tried if export else out, folder / JOURNAL_FILE)
    kept = out if export is None else export.labels
    if labels is not None:
        _begin_with(labels, out, kept, videos)
    elif export is not None:
        _go_on(export, videos)
    with Waiting(errors, "opening", "videos", silent=quiet()) as opening:
        media = BenchMedia(tuple(files.values()), folder / MEDIA_FOLDER, opening.update)
    shown = {video: ShownVideo() for video in files}
    plan = RoundPlan(
        features=folder / FEATURES,
        videos=videos,
        files=files,
        extracting=extracting.words(),
        options=_options(recipe, profile, overrides),
        device=device,
        settings=settings,
    )
    names = [name.strip() for text in classes or () for name in text.split(",")]
    serve(
        opened_bench(
            title=out.name,
            labels=kept,
            export=export,
            shown=shown,
            media=media,
            plan=plan,
            classes=[name for name in names if name],
            who=who,
        ),
        port,
        browser,
    )


def _files(videos: Path, extracting: ExtractorOptions) -> dict[str, Path]:
    """Return the file of each video: of all, or of those with tracks to learn from.

    Raises
    ------
    UsageError
        If tracks are given that the extractor does not read.
    """
    if reads_tracks(extracting.extractor):
        return videos_of_tracks(videos, extracting.tracks or videos)
    if extracting.tracks is not None:
        raise UsageError(f"--tracks is for --extractor {KEYPOINTS}")
    return find_videos([videos])


def _export(
    out: Path, to_format: str | None, folder: Path, files: Mapping[str, Path]
) -> LabelExport | None:
    """Return what writes the label file; None for JSON, which the bench writes itself.

    Raises
    ------
    FormatError
        If the suffix does not tell the format.
    UsageError
        As `label_export` does.
    """
    target = target_format(out, to_format)
    if target == JSON and out.suffix.lower() in JSON.suffixes:
        return None
    return label_export(out, target, folder, files)


def label_export(
    out: Path,
    target: Format,
    folder: Path,
    files: Mapping[str, Path],
    of_run: Path | None = None,
) -> LabelExport:
    """Return what writes a label file for another program.

    The arguments are those of `LabelExport`, and the file of each video.

    Raises
    ------
    UsageError
        If the format has a file for each video or class, or counts frames, and the
        label file or the videos do not fit that.
    """
    is_file = out.suffix.lower() in target.suffixes and not out.is_dir()
    if target.one_file != "all" and is_file:
        raise UsageError(
            f"{target.title} is for one {target.one_file}, so --out must be a folder: "
            f"--out {out.with_suffix('')}/ --to-format {target.name}"
        )
    fps = common_frame_rate(files.values()) if target.unit == "frames" else None
    if target.unit == "frames" and fps is None:
        raise UsageError(
            f"{target.title} counts frames, and the videos do not all have one known "
            "frame rate; name a format with seconds, such as --out labels.csv"
        )
    return LabelExport(out, folder, target, fps, of_run)


def _begin_with(labels: Path, out: Path, kept: Path, videos: Path) -> None:
    """Write labels of any format as the bench's own label file.

    Raises
    ------
    UsageError
        If there is such a label file already.
    """
    existing = next((x for x in (out, kept) if x.exists() and not _is_empty(x)), None)
    if existing is not None:
        raise UsageError(
            f"{existing} is there already, and its labels are the first ones: leave "
            "out --labels, or name another --out"
        )
    annotations = read_annotations(labels, frame_rates(videos))
    for sentence in annotations.notes:
        note(sentence)
    make_folder(kept.parent)
    with written_whole(kept) as part:
        part.write_bytes(label_file(annotations))


def _is_empty(path: Path) -> bool:
    """Return whether a path is that of a folder with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


def _go_on(export: LabelExport, videos: Path) -> None:
    """Begin with the label file of another program, if no bench has begun yet."""
    if export.is_begun:
        export.refuse_changed()
        return
    if export.keep_present():
        _begin_with(export.path, export.labels, export.labels, videos)


def videos_of_tracks(videos: Path, tracks: Path) -> dict[str, Path]:
    """Return the video of each recording that has tracks, by the recording's id.

    Recordings without a video and videos without tracks are named in notes.

    Raises
    ------
    ExtractionError
        If no recording has a video.
    """
    recordings = find_tracks([tracks])
    try:
        files = find_videos([videos], hint="")
    except ExtractionError:
        files = {}
    with_tracks = {name: file for name, file in files.items() if name in recordings}
    if not with_tracks:
        name, file = next(iter(recordings.items()))
        raise ExtractionError(
            f"no video in {videos} belongs to the tracks in {tracks}, and nothing can "
            f"be marked without seeing it; name the folder of the videos, in which "
            f"that of {file.name} is called {name}.mp4, and the folder of the tracks "
            f"with --tracks; acmnet render {tracks} --out DRAWN/ draws tracks as "
            "videos where there are none"
        )
    for kind, lacking, others in (
        ("recording", recordings, f"no video in {videos}"),
        ("video", files, f"no tracks in {tracks}"),
    ):
        missing = [name for name in lacking if name not in with_tracks]
        if missing:
            have = counted(len(missing), kind, ("has", "have"), of=len(lacking))
            note(f"{have} {others} and cannot be marked here: {some(missing)}")
    return with_tracks


def opened_bench(
    *,
    title: str,
    labels: Path,
    shown: dict[str, ShownVideo],
    media: BenchMedia,
    plan: RoundPlan,
    classes: list[str],
    who: str,
    export: LabelExport | None = None,
    **options: Any,
) -> BenchSite:
    """Return the bench of a label file, with what its last round found.

    Notes on the files are printed; the page shows them, too.

    Parameters
    ----------
    title, labels, shown, media, plan, classes, who
        What is labelled, where, and how it is learned from.
    export
        What writes the label file of another program.
    options
        Further fields of `BenchSite`, for a bench with a run.
    """
    folder = labels.with_suffix(".bench") if export is None else export.folder
    detections = RoundDetections()
    known = known_videos(shown, media)
    store = MarkStore(labels, folder, known, classes, detections.proposal, export)
    rounds = folder / FOLDER
    may_be_looked_at = {
        video for video, known_video in shown.items() if not known_video.names
    }
    suggesting = Suggesting(may_be_looked_at, detections.renew)

    def show(learned: Round) -> None:
        detections.show_file(learned.number, learned.folder / DETECTIONS)
        file = learned.folder / SUGGESTIONS
        suggesting.look(plan.suggest(learned.folder, file), file)

    last = last_done(rounds_in(rounds))
    if last is not None:
        show(last)
    method = Method(plan.steps, plan.progress)
    learning = Learning(rounds, method, show, suggesting.resume)
    for sentence in store.notes:
        note(sentence)
    if export is not None:
        note(export.limits())
    return BenchSite(
        title=title,
        who=who or user_name(),
        videos=shown,
        store=store,
        media=media,
        detections=detections,
        learning=learning,
        suggesting=suggesting,
        **options,
    )


def user_name() -> str:
    """Return the name of the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without an entry, as in some containers
        return "somebody"


def _options(
    recipe: str, profile: str | None, overrides: dict[str, object]
) -> tuple[str, ...]:
    """Return the options of `acmnet train` that say how to train."""
    options = ["--recipe", recipe]
    if profile is not None:
        options += ["--profile", profile]
    for name, value in overrides.items():
        options += [f"--{name.replace('_', '-')}", str(value)]
    return tuple(options)
