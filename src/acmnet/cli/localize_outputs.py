"""Where localize puts its detections, and how many of them people are shown."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import UsageError, console, note
from acmnet.cli.detection_limits import limits_given
from acmnet.cli.terminal_tables import SHOWN, detections_table
from acmnet.data.detection_output import Format, Output, output_of
from acmnet.data.shown_detections import Shown
from acmnet.messages import counted
from acmnet.pipeline.nothing_found import why_nothing_shown
from acmnet.segments import Detections


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Where detections go; printed when left out."""

    out: Annotated[list[str] | None, Parameter(negative=())] = None
    """File to write: .json (ActivityNet results, what evaluate and render read), .csv
    (for spreadsheets), .srt or .vtt (subtitles of one video). Or a folder, which gets a
    file for each video. May be given several times."""
    format: Format | None = None
    "What a folder given with --out gets: json, csv, srt or vtt."
    min_score: float | None = None
    """Leave out detections with a lower score. Otherwise tables, CSV and subtitles
    start at the score that was chosen when the run was trained, and JSON has all."""
    top: int | None = None
    "Leave out all but this many detections of a video, those with the highest scores."
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False
    "Show every detection, however low its score, in tables, CSV and subtitles too."

    def __post_init__(self) -> None:
        """Refuse limits beside --all, and limits that nobody means."""
        limits_given(self.min_score, self.top, self.everything)

    def outputs(self) -> list[Output]:
        """Return the files and folders, refused if they cannot be written as asked."""
        outputs = [output_of(text, self.format) for text in self.out or []]
        if self.format and not any(output.is_folder for output in outputs):
            raise UsageError(
                "--format says what a folder gets, as in --out FOLDER/ --format "
                f"{self.format}; a file's format is its suffix"
            )
        return outputs

    def limits(self) -> Shown:
        """Return what was asked to be left out, from JSON too."""
        return Shown(self.min_score, self.top)

    def shown(self, from_score: float | None) -> Shown:
        """Return what people are shown, from a score on unless another was given."""
        if self.everything:
            return Shown()
        given = self.min_score
        return Shown(from_score if given is None else given, self.top)


Given = Annotated[OutputOptions, Parameter(name="*")]


def features_beside(outputs: list[Output]) -> Path | None:
    """Return where the features of video files are kept; None for nowhere."""
    return outputs[0].path.with_suffix(".features") if outputs else None


def put_out(
    results: Mapping[str, Detections],
    options: OutputOptions,
    outputs: list[Output],
    from_score: float | None,
    external_data: Mapping[str, object],
) -> None:
    """Write detections, or print them, and say how many are left out.

    Parameters
    ----------
    results : mapping from video id to Detections
        Everything that was found.
    options, outputs
        What the user asked for.
    from_score : float or None
        Where tables, CSV and subtitles start unless another score was given.
    external_data : mapping
        What results JSON says of the detections.
    """
    results = dict(sorted(results.items()))
    limits = options.limits()
    if limits != Shown():
        external_data = {**external_data, "left_out": dataclasses.asdict(limits)}
    everything = limits.of_all(results)
    rule = options.shown(from_score)
    shown = rule.of_all(results)
    for output in outputs:
        done = output.write(everything, shown, external_data)
        console.print(done, markup=False)
    if not outputs:
        most = None if options.everything else SHOWN
        for video, found in shown.items():
            console.print(detections_table(video, found, most))
    if all(output.format == "json" for output in outputs) and outputs:
        shown = everything
    _tell_hidden(results, shown, rule)


def _tell_hidden(
    results: Mapping[str, Detections], shown: Mapping[str, Detections], rule: Shown
) -> None:
    """Say how many detections are left out, why, and how to see them."""
    total = sum(map(len, results.values()))
    hidden = total - sum(map(len, shown.values()))
    if not hidden:
        return
    reason = why_nothing_shown(results, rule.min_score)
    if reason is not None:
        note(f"{reason}; --all shows them, --min-score X starts at another score")
        return
    why = []
    if rule.min_score is not None:
        why.append(f"scores below {rule.min_score:.3g}")
    if rule.top is not None:
        why.append(f"more than {rule.top} in a video")
    note(
        f"{hidden} of {counted(total, 'detection')} left out ({' or '.join(why)}); "
        "--all shows all, --min-score X starts at another score"
    )
