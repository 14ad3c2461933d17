"""The verb doctor."""

from pathlib import Path

from acmnet.cli.app import app, console, errors, fail, note, quiet
from acmnet.cli.data_options import Grid, GridOptions, JsonPath
from acmnet.cli.progress import Waiting
from acmnet.data.checks.examination import Patient, examine
from acmnet.data.checks.findings import summed_up
from acmnet.files import refuse_unwritable, write_json
from acmnet.messages import counted


@app.command
def doctor(
    *,
    annotations: Path,
    features: Path | None = None,
    detections: Path | None = None,
    split: Path | None = None,
    subset: str | None = None,
    grid: Grid = GridOptions(),
    json_path: JsonPath = None,
) -> None:
    """Say all that is wrong with labels, splits and features, and what to do.

    Exits with 1 on an error, with 0 on warnings.

    Parameters
    ----------
    annotations
        Label file: ActivityNet-style JSON, or CSV with the columns video,labels.
    features
        Directory with one .npy or .safetensors a video. Every file is read.
    detections
        ActivityNet results JSON: finds test videos that are never predicted.
    split
        List of the videos that are predicted, one a line: finds those that are not.
    subset
        Look at this subset of the annotations only.
    json_path
        Also write all findings here.
    """
    refuse_unwritable(json_path)
    patient = Patient(annotations, features, detections, split, subset, grid.grid())
    with Waiting(errors, "reading features", "done", silent=quiet()) as bar:

        def show(what: str, done: int, total: int) -> None:
            bar.what = what
            bar.update(done, total)

        diagnosis = examine(patient, show)
    for line in summed_up(diagnosis.findings):
        console.print(line, markup=False)
    console.print(str(diagnosis), markup=False)
    if features is detections is split is None:
        note(
            "videos that are never predicted show only beside --features, "
            "--detections or --split"
        )
    if json_path is not None:
        write_json(json_path, diagnosis.to_json())
    n_errors = diagnosis.count("error")
    if n_errors:
        errors_found = counted(n_errors, "error")
        fail(f"{errors_found} in the data; mend that before training or evaluating")
