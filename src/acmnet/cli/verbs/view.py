"""The verb view: a run at the bench, to review and correct what it found."""

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from acmnet import recipes
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.cli.options.detection_limits import LimitOptions, Limits
from acmnet.cli.options.dotted_settings import RUN_EPILOGUE
from acmnet.cli.options.run_data import RunData, RunDataOptions
from acmnet.cli.options.shared_options import Device
from acmnet.cli.terminal.app import UsageError, app, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting, counting
from acmnet.cli.verb_parts.bench_server import serve
from acmnet.cli.verb_parts.run_page import RunPage, opened_page
from acmnet.cli.verb_parts.trained_run import (
    note_reviewed_precision,
    refuse_nothing_left,
)
from acmnet.cli.verbs.label import MEDIA_FOLDER, label_export, opened_bench
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.formats.format_table import target_format
from acmnet.data.labelled_features import Data
from acmnet.data.labels.annotations import Annotations
from acmnet.files.file_access import refuse_unwritable
from acmnet.inference.kept_detections import KeptDetections, localize_unless_kept
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score, training_stamp
from acmnet.recipes import Settings, as_values
from acmnet.runs.run_data import annotations_of
from acmnet.segments import Detections
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import BenchSite, ShownVideo
from acmnet.show.bench.marks.label_export import LabelExport
from acmnet.show.bench.marks.label_file_intake import (
    UnsignedMark,
    marks_in_annotations,
    new_mark,
)
from acmnet.show.bench.marks.mark_store import MarkStore, present_time
from acmnet.show.bench.reviewed_precision import MARKS_FILE
from acmnet.show.bench.rounds.round_plan import RoundPlan
from acmnet.show.bench.rounds.training_progress import state_of

LOOKED_AT: Final = 20
"""Most videos that are compared with the training videos before the page opens, for a
warning if they look unlike them."""
FROM_RUN: Final = "names of the run"
"""Who said what the run was trained on."""


@app.command(name="view", help_epilogue=RUN_EPILOGUE)
def view_command(
    run: Path,
    *,
    run_data: RunData = RunDataOptions(),
    videos: Path | None = None,
    out: Path | None = None,
    to_format: str | None = None,
    who: str = "",
    port: int = 0,
    browser: Annotated[bool, Parameter(negative=())] = False,
    limits: Limits = LimitOptions(),
    device: Device = "auto",
) -> None:
    """Show a run in the browser, to review and correct what it found.

    You can accept, reject, move and relabel what the run found, mark what it missed,
    and learn again from all of it. Everything is saved at once to marks.json in the
    run, a label file that `train` and `evaluate` read. The run itself is never changed;
    each round of learning is kept in marks.bench/rounds. While the run is still
    training, the page tells how far it is. Any local user can open the page, no other
    machine can. Ctrl-C ends it.

    For example: acmnet view runs/first --videos videos/

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or is writing.
    videos
        Folder of the video files, to play them beside the timeline.
    out
        A label file for another program, in any format of docs/formats.md, or a folder,
        for formats with a file for each video. It is written anew after each change.
    to_format
        Format of that label file. When left out, the suffix tells it.
    who
        Your name, which is kept with each mark. When left out, your name on this
        machine.
    port
        Port on 127.0.0.1. 0 chooses one that is the same each time for this run, or a
        free one if that is in use.
    browser
        Open the page in the default browser.
    """
    page = opened_page(run, run_data, videos, limits, device)
    site = bench_of_run(page, who, export_of_run(page, out, to_format))
    note_reviewed_precision(run)
    serve(site, port, browser)


def export_of_run(
    page: RunPage, out: Path | None, to_format: str | None
) -> LabelExport | None:
    """Return what writes the label file for another program, if one was asked for.

    Raises
    ------
    FormatError
        If the suffix does not tell the format.
    UsageError
        If a format is given without a file, or the two do not fit.
    AnnotationError
        If there is such a file that the bench of this run did not write.
    """
    if out is None:
        if to_format is not None:
            raise UsageError("--to-format is the format of --out; give --out, too")
        return None
    labels = page.run / MARKS_FILE
    folder = labels.with_suffix(".bench")
    target = target_format(out, to_format)
    export = label_export(out, target, folder, page.files, labels)
    export.refuse_changed()
    refuse_unwritable(export.tried)
    return export


def bench_of_run(page: RunPage, who: str, export: LabelExport | None) -> BenchSite:
    """Return the bench of a run, with what it found and what was marked before.

    Parameters
    ----------
    page
        The run and what is shown of it.
    who
        Name of who marks.
    export
        What writes a label file for another program.
    """
    run = page.run
    config, settings = page.used_settings()
    first = _FirstRound(page)
    results = first.look()
    remarks = page.remarks(results, config, LOOKED_AT)
    names = list(page.data.only(results).annotations.videos)
    plan = _plan(page, config, settings)
    labels = run / MARKS_FILE
    with Waiting(errors, "opening", "videos", silent=quiet()) as opening:
        media = BenchMedia(
            [page.files.get(name) for name in names],
            labels.with_suffix(".bench") / MEDIA_FOLDER,
            opening.update,
        )
    site = opened_bench(
        title=run.resolve().name,
        labels=labels,
        export=export,
        shown={name: _shown(page, config, name) for name in names},
        media=media,
        plan=plan,
        classes=list(config.class_names),
        who=who,
        run=run,
        run_notes=remarks,
        first_found=first.file,
        refresh=first.refresh,
        outside=lambda: str(state_of(run)["sentence"]),
    )
    first.shown_in(site)
    if site.detections.round == 0:
        file = site.store.folder / f"suggestions_{training_stamp(run)}.json"
        site.suggesting.look(
            [*plan.suggest(run, file), *_options_for_suggest(page, config)], file
        )
    _take_in(site.store, page, config)
    return site


def _options_for_suggest(page: RunPage, config: CheckpointConfig) -> list[str]:
    """Return the options of `acmnet suggest` for the label file that was asked for."""
    source = page.data.source
    words = []
    if source.annotations != annotations_of(page.run, config):
        words += ["--annotations", str(source.annotations)]
    if source.subset is not None:
        words += ["--subset", source.subset]
    return words


class _FirstRound:
    """What the run itself found, which is found anew with each checkpoint."""

    def __init__(self, page: RunPage) -> None:
        self.page = page
        self._checkpoint: float | None = None
        self._site: BenchSite | None = None
        self._file = DetectionFile.of({})
        self._lock = threading.Lock()

    def look(self) -> dict[str, Detections]:
        """Return the detections of each video by the newest checkpoint.

        A video whose features cannot be used is named in a note and left out.
        """
        page = self.page
        self._checkpoint = state_of(page.run)["checkpoint"]
        config, settings = page.used_settings()
        kept = KeptDetections(
            run=page.run,
            settings=settings,
            class_names=config.class_names,
            data=page.data,
        )
        results = _detections_of(kept, functools.cache(page.model))
        limit = page.limits.shown(shown_score(page.run, settings))
        data = {} if limit.min_score is None else {"shown_from": limit.min_score}
        self._file = DetectionFile.of(
            Shown(top=limit.top).of_all(results), external_data=data
        )
        return results

    def file(self) -> DetectionFile:
        """Return what was found."""
        return self._file

    def shown_in(self, site: BenchSite) -> None:
        """Show it on a bench that shows no later round."""
        self._site = site
        if site.detections.round in (None, 0):
            site.detections.show(0, self._file)

    def refresh(self) -> None:
        """Look again if there is a newer checkpoint."""
        with self._lock:
            if self._site is None or (
                state_of(self.page.run)["checkpoint"] == self._checkpoint
            ):
                return
            self.look()
            self.shown_in(self._site)


def _shown(page: RunPage, config: CheckpointConfig, name: str) -> ShownVideo:
    """Return what the label file says of a video, to be looked at."""
    video = page.data.annotations.videos[name]
    is_new = config.trained_on is not None and name not in config.trained_on
    return ShownVideo(
        truth=tuple(
            {
                "label": instance.label,
                "start_s": float(instance.segment.start_s),
                "end_s": float(instance.segment.end_s),
            }
            for instance in video.instances
        ),
        names=video.labels if is_new else (),
        duration_s=float(video.duration_s or page.data.length_s(name)),
    )


def _take_in(store: MarkStore, page: RunPage, config: CheckpointConfig) -> None:
    """Begin a new file of marks with what the run was trained on.

    Times of the label file are taken only if the run was given times.
    """
    if store.revision > 1:  # 1: its classes
        return
    at, everything = present_time(), page.data.everything or page.data.annotations
    on_page = store.snapshot().videos
    known_s = {
        name: video.duration_s for name, video in on_page.items() if video.duration_s
    }
    unsigned = list(_marks_learned_from(everything, config, known_s, page.data))
    marks = [new_mark(mark, FROM_RUN, at, config.class_names) for mark in unsigned]
    durations_s = {
        mark.video: mark.end_s
        for mark in unsigned
        if mark.kind == "watched" and not mark.label
    }
    store.take_in(marks, FROM_RUN, durations_s)


def _marks_learned_from(
    everything: Annotations,
    config: CheckpointConfig,
    known_s: Mapping[str, float],
    data: Data,
) -> Iterator[UnsignedMark]:
    """Yield what a run was trained on: names, and times if it was given times.

    A video without a label is one in which nothing happens, so it is watched as a
    whole. Its length is the known one, else that in the label file, else that of its
    features.
    """
    chosen = everything.videos if config.trained_on is None else config.trained_on
    videos = {}
    for name, video in everything.videos.items():
        if name not in chosen:
            continue
        duration_s = known_s.get(name) or video.duration_s
        if not (duration_s or video.labels) and name in data.store.files:
            duration_s = data.length_s(name)
        learned = dataclasses.replace(video, duration_s=duration_s)
        if not config.taught_times:
            learned = dataclasses.replace(learned, instances=(), points=(), watched=())
        videos[name] = learned
    yield from marks_in_annotations(dataclasses.replace(everything, videos=videos))


def _plan(page: RunPage, config: CheckpointConfig, settings: Settings) -> RoundPlan:
    """Return how rounds learn that begin with the run."""
    options = ["--recipe", config.recipe, "--profile", config.profile]
    usual = as_values(recipes.recipe(config.recipe, profile=config.profile))
    for group, values in as_values(settings).items():
        for name, value in values.items():
            if usual[group][name] != value:
                option = f"--{group}.{name}".replace("_", "-")
                options += [option, _text(value)]
    return RoundPlan(
        features=page.data.store.directory,
        options=tuple(options),
        device=page.device,
        settings=settings,
        first=page.run,
        first_classes=config.class_names,
    )


def _text(value: Any) -> str:
    """Return the value of a setting as the command line takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _detections_of(
    kept: KeptDetections, model: Callable[[], TrainedModel]
) -> dict[str, Detections]:
    """Return the detections of each video: those that the run keeps, or new ones."""
    failures: list[FeatureError] = []

    def left_out(error: FeatureError) -> None:
        failures.append(error)
        note(f"left out: {error}")

    with counting("localising", kept.data) as one_more:
        results = localize_unless_kept(
            kept, model, on_video=one_more, on_failure=left_out, on_note=note
        )
    refuse_nothing_left(results, failures)
    return results
