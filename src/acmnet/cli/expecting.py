"""What a run is expected to be worth, told where no true segments are known."""

from pathlib import Path

from acmnet.cli.app import console, note
from acmnet.cli.console import plain_table
from acmnet.evaluation.tables import Table
from acmnet.messages import counted
from acmnet.pipeline.expectation import Expectation
from acmnet.show.view.precision import precision_of_reviews


def tell_expectation(run: Path, expected: Expectation, videos: Path) -> None:
    """Print what names and networks say, and which detections to look at."""
    for sentence in expected.sentences():
        console.print(sentence, markup=False)
    reviewed = precision_of_reviews(run)
    if reviewed is None:
        return
    if reviewed.looked_at:
        console.print(reviewed.sentence(), markup=False)
    if reviewed.looked_at < reviewed.asked:
        rows = tuple(
            (one.video, one.label, *(f"{x:.1f}" for x in one[2:4]), f"{one.score:.2f}")
            for one in expected.to_review
        )
        columns = ("video", "label", "start s", "end s", "score")
        asked = counted(reviewed.asked, "detection")
        title = f"look at these {asked}, and the precision can be told"
        console.print(plain_table(title, Table(columns, rows, {})))
        console.print(
            f"accept or reject each in acmnet view {run} --videos {videos}; then view, "
            "report and fit tell the precision",
            markup=False,
        )


def note_precision(run: Path) -> None:
    """Tell what a person's reviews say of the run, if they say anything."""
    reviewed = precision_of_reviews(run)
    if reviewed is not None:
        note(reviewed.sentence())
