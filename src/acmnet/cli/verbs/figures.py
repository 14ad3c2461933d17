"""The verb figures: losses, scores and videos of a run, drawn for a paper."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.cli.options.dotted_settings import RUN_EPILOGUE
from acmnet.cli.options.run_data import RunData, RunDataOptions
from acmnet.cli.options.shared_options import Device, OutputFolder, fail_for_missing
from acmnet.cli.terminal.app import UsageError, app, console, note
from acmnet.cli.verb_parts.trained_run import loaded, localised, scored
from acmnet.data.labelled_features import Data
from acmnet.files.file_access import refuse_unwritable
from acmnet.messages import counted
from acmnet.models.stored_model import TEACHERS
from acmnet.runs.run_state import LOG_FILE
from acmnet.show.figures.score_figures import (
    write_class_figure,
    write_confusion_figure,
    write_map_figure,
)
from acmnet.show.figures.training_figure import write_training_figure
from acmnet.show.figures.video_figure import write_video_figure

DRAWN_VIDEOS: Final = 4
"""How many videos are drawn if --video is left out."""


@app.command(name="figures", help_epilogue=RUN_EPILOGUE)
def figures_command(
    run: Path,
    *,
    out: OutputFolder,
    run_data: RunData = RunDataOptions(),
    video: Annotated[list[str] | None, Parameter(negative=())] = None,
    device: Device = "auto",
) -> None:
    """Draw losses, scores and single videos of a run for a paper, as PNG, SVG and PDF.

    Draws the loss terms over the epochs. If there are true segments, it also draws the
    average precision of each class, the confusion of classes, and mAP over tIoU. The
    tIoU is the overlap of a detection with a true segment: the time that both cover,
    divided by the time that either covers. Single videos are drawn like Fig. 3 of the
    paper: true segments, detections, the attention of the three branches, and two class
    activation sequences (CAS, a score for each class at each moment), before attention
    and of the action instance branch.

    For example: acmnet figures runs/first --out figures/

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    out
        Folder to write the figures to.
    video
        Draw this video. May be given several times. When left out, the four videos with
        the most true segments.
    """
    refuse_unwritable(out / "map.png")
    model = loaded(run, device, run_data.settings)
    data = run_data.opened(run)
    chosen = _chosen(data, video)
    written = list(write_training_figure(run / LOG_FILE, out / "training"))
    teachers = model.settings.teachers.count
    for k in range(teachers):
        log = run / TEACHERS / str(k) / LOG_FILE
        written += write_training_figure(log, out / f"training_teacher_{k}")
    results = localised(model, data)
    report = scored(data, results, model.config)
    if report is not None:
        for sentence in report.notes:
            note(sentence)
        written += write_map_figure({run.name: report}, out / "map")
        written += write_class_figure(report, out / "classes")
        written += write_confusion_figure(report, out / "confusion")
    for name in chosen:
        written += write_video_figure(
            data.annotations.videos[name],
            model.activations(data.store.read(name), data.store.cuts_s(name)),
            results[name],
            out / f"video_{_file_name(name)}",
            len(model.networks) if teachers else 0,
        )
    console.print(f"{counted(len(written), 'file')}: {out}", markup=False)
    fail_for_missing(data)


def _chosen(data: Data, video: list[str] | None) -> list[str]:
    """Return the videos to draw; refuse names that the data do not have."""
    known = data.annotations.videos
    for name in video or []:
        if name not in known:
            raise UsageError(
                f"{data.annotations.source} has no video {name!r}; it has "
                f"{len(known)}, such as {next(iter(known))!r}"
            )
    most = sorted(known, key=lambda name: -len(known[name].instances))
    return list(dict.fromkeys(video or most[:DRAWN_VIDEOS]))


def _file_name(name: str) -> str:
    """Return a file name for a video id, a different one for each id.

    Examples
    --------
    >>> _file_name("v_1-a"), _file_name("../x") == _file_name("/../x")
    ('v_1-a', False)
    >>> _file_name("Straße 1").rpartition("_")[0]
    'Straße_1'
    """
    plain = re.sub(r"[^\w-]", "_", name)[:60]
    if plain == name:
        return plain
    return f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
