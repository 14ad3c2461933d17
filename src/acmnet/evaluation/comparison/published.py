"""Compare measured systems with the published results of their benchmark."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from typing import Any, Final

import numpy as np

from acmnet.evaluation.comparison.tables import Cell, Table
from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.tiou import parse_tiou

VIDEO_LABELS: Final = "video"
"""What most published systems are trained on: labels of whole videos."""


class ComparisonError(ValueError):
    """A benchmark without known published results."""


def table_with_measured(reports: Mapping[str, DetectionReport]) -> Table:
    """Return the paper's Table I or II with measured systems as its last rows.

    The same detections get figures that differ by several points under different
    protocols. Therefore each row states the protocol, if it is known.

    Parameters
    ----------
    reports : mapping of name to DetectionReport
        Reports of one protocol. A threshold that was not scored is left blank.

    Returns
    -------
    Table
        The table of `published_table`, with the measured systems below.

    Raises
    ------
    ComparisonError
        If the protocol is of another benchmark.

    References
    ----------
    Qu et al. 2021, Tables I and II. `published.toml` states the sources of newer rows.
    """
    first = next(iter(reports.values()))
    known = _benchmark(first.protocol.name)
    table = published_table(first.protocol.name)
    tiou, averaged = _thresholds(known)
    measured = [
        (
            f"{name}, measured",
            VIDEO_LABELS,
            report.protocol.name,
            *_cells(report, tiou, averaged),
        )
        for name, report in reports.items()
    ]
    sha = first.ground_truth_sha256 or "not known"
    return Table(
        table.columns,
        (*table.rows, *measured),
        {"ground truth SHA-256 of what was measured": sha},
    )


def published_table(protocol: str) -> Table:
    """Return the published systems of a protocol's benchmark, as they were printed.

    Returns
    -------
    Table
        The system, the labels it was trained on, the protocol (blank if it is not
        known), and mAP in percent at each tIoU and on average.

    Raises
    ------
    ComparisonError
        If the benchmark has no known published results.
    """
    known = _benchmark(protocol)
    tiou, averaged = _thresholds(known)
    rows = tuple(
        (
            row["name"],
            row.get("labels", VIDEO_LABELS),
            row.get("protocol") or None,
            *(None if x.is_nan() else x for x in row["map"]),
        )
        for row in known["rows"]
    )
    average = f"average {averaged[0]:g}:{averaged[-1]:g}"
    columns = ("system", "labels", "protocol", *(f"{t:g}" for t in tiou), average)
    return Table(columns, rows, {})


def _benchmark(protocol: str) -> Mapping[str, Any]:
    """Return the published results of a protocol's benchmark, as they were printed."""
    text = resources.files(__package__).joinpath("published.toml")
    benchmarks: Mapping[str, Any] = tomllib.loads(
        text.read_text(encoding="utf-8"), parse_float=Decimal
    )
    benchmark = protocol.partition("-")[0]
    if benchmark not in benchmarks:
        raise ComparisonError(
            f"nothing published is known for the protocol {protocol!r}; "
            f"give --protocol, one of {', '.join(benchmarks)}, or leave --published out"
        )
    entry: Mapping[str, Any] = benchmarks[benchmark]
    return entry


def _thresholds(known: Mapping[str, Any]) -> tuple[tuple[float, ...], ...]:
    """Return the thresholds of a benchmark's table, and those it averages over."""
    return tuple(map(float, known["tiou"])), parse_tiou(known["average_over"])


def _cells(
    report: DetectionReport, tiou: tuple[float, ...], averaged: tuple[float, ...]
) -> list[Cell]:
    """Return a report's mAP at each tIoU and on average; None if not scored."""
    scored = dict(zip(report.tiou.tolist(), report.map.tolist(), strict=True))
    cells: list[Cell] = [scored.get(t) for t in tiou]
    values = [scored[t] for t in averaged if t in scored]
    complete = len(values) == len(averaged)
    return [*cells, float(np.mean(values)) if complete else None]
