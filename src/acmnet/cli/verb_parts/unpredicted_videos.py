"""The note on videos that are scored without a prediction."""

from acmnet.cli.terminal.app import note
from acmnet.evaluation.reports import DetectionReport
from acmnet.messages import counted, some


def note_unpredicted(report: DetectionReport, prefix: str = "") -> None:
    """Print a note on scored videos that have no entry in the detections."""
    absent = report.unpredicted
    if absent:
        videos = counted(len(absent), "video", ("has", "have"), of=report.videos)
        note(f"{prefix}{videos} no prediction: {some(absent)}")
