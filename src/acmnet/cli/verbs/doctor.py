"""The verb doctor: everything that is wrong with labels, features and splits."""

from pathlib import Path

from acmnet.cli.options.shared_options import Grid, GridOptions, JsonPath, LabelFps
from acmnet.cli.terminal.app import app, console, errors, fail, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.checks.examination import ExaminedFiles, examine
from acmnet.data.checks.findings import summed_up
from acmnet.files.file_access import refuse_unwritable, write_json
from acmnet.messages import counted


@app.command
def doctor(
    *,
    annotations: Path,
    features: Path | None = None,
    detections: Path | None = None,
    split: Path | None = None,
    subset: str | None = None,
    label_fps: LabelFps = None,
    grid: Grid = GridOptions(),
    json_path: JsonPath = None,
) -> None:
    """Report everything that is wrong with labels, features and splits, with remedies.

    Exits with 1 if there is an error, with 0 if there are only warnings.

    For example: acmnet doctor --annotations labels.csv --features features/

    Parameters
    ----------
    annotations
        Label file: ActivityNet-style JSON, or CSV with the columns video,labels.
    features
        Directory with one .npy or .safetensors file per video. Every file is read.
    detections
        ActivityNet results JSON. Reports annotated videos that have no detections in
        it.
    split
        Text file with the video ids of a split, one per line. Reports annotated videos
        that are not in it.
    subset
        Examine only this subset of the label file.
    label_fps
        Frames per second of the videos, for labels that count frames, such as SimBA's.
        When left out, that of the features.
    json_path
        Also write all findings to this JSON file.
    """
    refuse_unwritable(json_path)
    patient = ExaminedFiles(
        annotations=annotations,
        features=features,
        detections=detections,
        split=split,
        subset=subset,
        label_fps=label_fps,
        grid=grid.grid(),
    )
    with Waiting(errors, "reading features", "done", silent=quiet()) as bar:

        def show(what: str, done: int, total: int) -> None:
            bar.what = what
            bar.update(done, total)

        diagnosis = examine(patient, show)
    for line in summed_up(diagnosis.findings):
        console.print(line, markup=False)
    if diagnosis.holds:
        console.print(f"{annotations} holds {diagnosis.holds}", markup=False)
    console.print(str(diagnosis), markup=False)
    if features is detections is split is None:
        note(
            "give --features, --detections or --split to find videos that are never "
            "predicted, too"
        )
    if json_path is not None:
        write_json(json_path, diagnosis.to_json())
    n_errors = diagnosis.count("error")
    if n_errors:
        errors_found = counted(n_errors, "error")
        fail(f"{errors_found} in the data; mend them before training or evaluating")
