"""Where a measured system stands: the published rows of its benchmark beside it."""

import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import numpy as np

from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.tables import Cell, Table
from acmnet.evaluation.tiou import parse_tiou

WEAK: Final = "video"
"""What most published systems learn from: labels of whole videos."""


class StandingError(ValueError):
    """A benchmark of which nothing published is known."""


def standing(reports: Mapping[str, DetectionReport]) -> Table:
    """Return the paper's Table I or II with measured systems as its last rows.

    Figures of different protocols differ by several points for the same detections:
    each row says by whose rules it was scored, where that is known.

    Parameters
    ----------
    reports : mapping of name to DetectionReport
        All of one protocol; a threshold that was not scored is left blank.

    Returns
    -------
    Table
        System, labels it learnt from, protocol, mAP at each tIoU and on average.

    Raises
    ------
    StandingError
        If the protocol is of another benchmark.

    References
    ----------
    Qu et al. 2021, Tables I and II; newer rows as `published.toml` says.
    """
    first = next(iter(reports.values()))
    benchmark = first.protocol.name.partition("-")[0]
    text = resources.files(__package__).joinpath("published.toml")
    benchmarks: Mapping[str, Any] = tomllib.loads(text.read_text(encoding="utf-8"))
    if benchmark not in benchmarks:
        raise StandingError(
            f"nothing published is known for the protocol {first.protocol.name!r}; "
            f"give --protocol, one of {', '.join(benchmarks)}, or leave --published out"
        )
    known = benchmarks[benchmark]
    tiou = tuple(known["tiou"])
    rows = [
        (
            row["name"],
            row.get("labels", WEAK),
            row.get("protocol") or "?",
            *(None if math.isnan(x) else x / 100 for x in row["map"]),
        )
        for row in known["rows"]
    ]
    averaged = parse_tiou(known["average_over"])
    rows += [
        (
            f"{name}, measured",
            WEAK,
            report.protocol.name,
            *_cells(report, tiou, averaged),
        )
        for name, report in reports.items()
    ]
    columns = ("system", "labels", "protocol", *(f"{t:g}" for t in tiou), "Avg")
    sha = {"ground truth SHA-256": first.ground_truth_sha256 or "not known"}
    return Table(columns, tuple(rows), sha)


def _cells(
    report: DetectionReport, tiou: tuple[float, ...], averaged: tuple[float, ...]
) -> list[Cell]:
    """Return a report's mAP at each tIoU and on average, where it was scored."""
    scored = dict(zip(report.tiou.tolist(), report.map.tolist(), strict=True))
    each: list[Cell] = [scored.get(t) for t in tiou]
    values = [scored[t] for t in averaged if t in scored]
    complete = len(values) == len(averaged)
    return [*each, float(np.mean(values)) if complete else None]
