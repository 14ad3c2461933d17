"""The verb evaluate."""

from pathlib import Path

from acmnet.cli.app import app, console, note
from acmnet.cli.options import JsonPath
from acmnet.console import map_table
from acmnet.detections import read_detections
from acmnet.evaluation import evaluate, parse_tiou
from acmnet.files import write_json


@app.command(name="evaluate")
def evaluate_command(
    *,
    ground_truth: Path,
    detections: Path,
    subset: str | None = None,
    tiou: str = "0.1:0.7:0.1",
    json_path: JsonPath = None,
) -> None:
    """Score a detections file: mAP for each tIoU, AP for each class.

    Parameters
    ----------
    ground_truth
        Annotations with true segments.
    detections
        ActivityNet results JSON, of any system.
    subset
        Only this subset of the ground truth.
    tiou
        Thresholds: first:last:step, or a list such as 0.3,0.5.
    json_path
        Also write the scores here, as fractions of 1.
    """
    report = evaluate(
        ground_truth, read_detections(detections), subset=subset, tiou=parse_tiou(tiou)
    )
    rows = dict(zip(report.class_names, report.ap.T.tolist(), strict=True))
    title = f"{detections} against {ground_truth}"
    rows |= {"mAP": report.map.tolist()}
    console.print(map_table(title, report.tiou.tolist(), rows))
    console.print(
        f"{report.videos} videos, {report.instances} instances, "
        f"{report.detections} detections; average mAP {100 * report.average:.2f} %"
    )
    for reason, count in report.dropped.items():
        note(f"{count} detections were dropped: {reason}")
    absent = report.unpredicted
    if absent:
        some = ", ".join(absent[:5]) + ", ..." * (len(absent) > 5)
        note(f"{len(absent)} of {report.videos} videos have no prediction: {some}")
    chosen = report.external_data.get("checkpoint_chosen_on")
    if chosen:
        note(f"these detections' checkpoint was chosen on the {chosen}")
    if json_path is not None:
        extra = {"checkpoint_chosen_on": chosen} if chosen else {}
        write_json(json_path, report.to_json() | extra)
