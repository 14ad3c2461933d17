"""The verb diagnose: which kinds of errors detections have, and what they miss."""

from pathlib import Path

import numpy as np

from acmnet.cli.options.shared_options import JsonPath, LabelFps, OutputFolder
from acmnet.cli.terminal.app import app, console, note
from acmnet.cli.terminal.terminal_tables import note_unpredicted, plain_table
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.formats.exchange_format import Source
from acmnet.evaluation.comparison.tables import Cell, Table
from acmnet.evaluation.diagnosis.diagnosis import Diagnosis, diagnose
from acmnet.evaluation.diagnosis.false_positives import (
    DETECTIONS_PER_INSTANCE,
    KINDS,
    MISFITS,
)
from acmnet.evaluation.tiou import parse_tiou
from acmnet.files.file_access import refuse_unwritable, write_json
from acmnet.messages import counted
from acmnet.show.figures.diagnosis_figures import write_diagnosis_figures


@app.command(name="diagnose")
def diagnose_command(
    *,
    ground_truth: Path,
    detections: Path,
    protocol: str = "custom",
    subset: str | None = None,
    tiou: str = "0.5",
    ambiguous: Path | None = None,
    json_path: JsonPath = None,
    figures: OutputFolder | None = None,
    label_fps: LabelFps = None,
) -> None:
    """Report which kinds of errors detections have, and which actions they miss.

    Follows DETAD (Alwassel et al., ECCV 2018). For each class, with G true
    segments, the 10 G detections with the highest scores are sorted by kind of error.
    The overlap of a detection with a true segment is their tIoU: the time that both
    cover, divided by the time that either covers.

    The kinds: double detection of an action that another one finds; wrong label;
    localisation (right label, wrong boundaries); confusion (both wrong); background (a
    tIoU of less than 0.1 with every action).

    For example: acmnet diagnose --ground-truth labels.json --detections found.json

    Parameters
    ----------
    ground_truth
        Label file with true segments. Their coverage (share of the video) can only be
        told if it also has the durations of the videos.
    detections
        ActivityNet results JSON of any system, or a CSV file that localize wrote.
    protocol
        Name of the rules to score by, from `acmnet protocols`. "custom" takes the
        ground truth as it is.
    subset
        Use only this subset of the ground truth, if the protocol prescribes none.
    tiou
        Smallest overlap (tIoU) at which a detection is correct, 0.1 or more: one value,
        a list such as 0.3,0.5, or first:last:step.
    ambiguous
        File with the intervals that the protocol thumos14-2014 does not count
        (Ambiguous_test.txt of THUMOS-14).
    json_path
        Also write all results to this JSON file, as fractions of 1.
    figures
        Also draw the results into this folder, as PNG, SVG and PDF.
    """
    refuse_unwritable(json_path)
    diagnosis = diagnose(
        Source(ground_truth, label_fps),
        read_detections(detections),
        subset=subset,
        tiou=parse_tiou(tiou),
        protocol=protocol,
        ambiguous=ambiguous,
    )
    if json_path is not None:
        write_json(json_path, diagnosis.to_json())
    if figures is not None:
        write_diagnosis_figures(diagnosis, figures)
    _print_diagnosis(f"{detections} against {ground_truth}", diagnosis)


def _print_diagnosis(subject: str, diagnosis: Diagnosis) -> None:
    """Print mAP, both tables, and what a reader of them should know.

    ``subject`` names the detections and the ground truth.
    """
    report = diagnosis.report
    at = ", ".join(f"{x:g}" for x in report.tiou)
    many = " (means over tIoU)" if len(report.tiou) > 1 else ""
    console.print(
        f"{subject}{report.protocol.phrase}: mAP {100 * report.average:.2f} % at tIoU "
        f"{at}, normalised {100 * diagnosis.map_n.mean():.2f} %{many}",
        markup=False,
    )
    title = "kinds of detections in %, and points of mAP gained without that kind"
    console.print(plain_table(title, kinds_table(diagnosis)))
    _tell_misfit(diagnosis)
    title = (
        f"instances: missed and normalised mAP in %, x overall; of all "
        f"{100 * diagnosis.missed.mean():.1f} % are missed"
    )
    console.print(plain_table(title, buckets_table(diagnosis)))
    if report.ground_truth_sha256:
        console.print(f"ground truth SHA-256 {report.ground_truth_sha256}")
    for reason, count in report.dropped.items():
        note(f"dropped {counted(count, 'detection')}: {reason}")
    note_unpredicted(report)
    for sentence in (*report.notes, *diagnosis.notes):
        note(sentence)


def kinds_table(diagnosis: Diagnosis) -> Table:
    """Return the share of each kind of detection at each depth, and what it costs.

    With several thresholds, shares are means over them, and the gain has a column for
    each of them beside its mean.
    """
    tiou = diagnosis.report.tiou
    gains = [f"gain {x:g}" for x in tiou] if len(tiou) > 1 else []
    depths = [f"{depth}G" for depth in range(1, DETECTIONS_PER_INSTANCE + 1)]
    shares, totals = diagnosis.shares.mean(axis=0), diagnosis.total_shares.mean(axis=0)
    rows: list[tuple[Cell, ...]] = []
    for k, kind in enumerate(KINDS):
        cells = [_share(x) for x in (*shares[:, k], totals[k])]
        gain: list[Cell] = [None] * (len(gains) + 1)
        if k:
            of_kind = diagnosis.gain[:, k - 1]
            gain = [*(of_kind.tolist() if gains else []), float(of_kind.mean())]
        rows.append((kind, *cells, *gain))
    columns = ("kind", *depths, "to 10G", *gains, "gain")
    return Table(columns, tuple(rows), {})


def buckets_table(diagnosis: Diagnosis) -> Table:
    """Return how well the instances of each bucket are found, as means over tIoU."""
    overall = diagnosis.map_n.mean()
    rows: list[tuple[Cell, ...]] = []
    for results in diagnosis.buckets:
        characteristic = results.characteristic
        unit = {"length": "s", "coverage": "%"}.get(characteristic.name, "")
        values = zip(
            characteristic.buckets,
            characteristic.spans,
            characteristic.counts.tolist(),
            results.missed.mean(axis=0),
            results.map_n.mean(axis=0),
            strict=True,
        )
        for bucket, span, n, missed, map_n in values:
            ratio = f"{map_n / overall:.2f}" if n and overall else None
            name = f"{characteristic.name} {bucket}"
            row = (name, f"{span} {unit}".strip(), n, _share(missed), _share(map_n))
            rows.append((*row, ratio))
    columns = ("bucket", "holds", "instances", "missed", "mAP_N", "x overall")
    return Table(columns, tuple(rows), {})


def _share(value: float) -> float | None:
    """Return a fraction for a table: None, a blank cell, where it is undefined."""
    return None if np.isnan(value) else float(value)


def _tell_misfit(diagnosis: Diagnosis) -> None:
    """Print how the segments of localisation errors differ from the true ones."""
    misfit = diagnosis.misfit
    for i, tiou in enumerate(diagnosis.report.tiou):
        n = int(misfit.counts[i].sum())
        if not n:
            console.print(f"no localisation errors at tIoU {tiou:g}")
            continue
        shares = ", ".join(
            f"{100 * share:.0f} % {name}"
            for name, share in zip(MISFITS, diagnosis.misfit_shares[i], strict=True)
        )
        console.print(
            f"{counted(n, 'localisation error')} at tIoU {tiou:g}: {shares}; "
            f"{100 * misfit.completeness[i]:.0f} % of the instance is covered and "
            f"{100 * misfit.purity[i]:.0f} % of the detection is action, on average"
        )
