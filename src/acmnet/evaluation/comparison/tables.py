"""Results as text tables: CSV for programs, Markdown and LaTeX for people.

CSV has fractions of 1 with all digits. Markdown and LaTeX have percent with two
decimals. Nothing here computes a figure.
"""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from acmnet.evaluation.comparison.bootstrap import Comparison
from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.tiou import labelled_averages

Cell = str | int | float | Decimal | None
"""A cell of a table. A float is a fraction of 1, a Decimal a percentage as it was
printed. None becomes a blank cell."""

LATEX_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells, and facts that are needed to quote them.

    Examples
    --------
    >>> table = Table(("class", "0.5"), (("run", 0.25),), {"protocol": "custom"})
    >>> print(stacked_csv([table]), end="")
    class,0.5,protocol
    run,0.25,custom
    >>> print(table.to_markdown(), end="")
    | class | 0.5 |
    | :--- | ---: |
    | run | 25.00 |
    <BLANKLINE>
    protocol: custom
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    facts: Mapping[str, str]
    """What is true for all rows, by name."""

    def to_markdown(self) -> str:
        """Return a Markdown table, followed by the facts."""
        rules = [":---", *("---:" for _ in self.columns[1:])]
        lines = [
            f"| {' | '.join(map(_markdown, row))} |"
            for row in (self.columns, rules, *map(_percent, self.rows))
        ]
        facts = [f"{name}: {_markdown(value)}" for name, value in self.facts.items()]
        if facts:
            lines += ["", "; ".join(facts)]
        return "\n".join(lines) + "\n"

    def to_latex(self) -> str:
        r"""Return a `tabular` for ``\usepackage{booktabs}``, facts as comments."""
        alignment = "l" + "r" * (len(self.columns) - 1)
        body = [_latex_row(row) for row in map(_percent, self.rows)]
        facts = [f"% {k}: {' '.join(v.split())}" for k, v in self.facts.items()]
        lines = [
            *facts,
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _latex_row(self.columns),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join(lines) + "\n"


def stacked_csv(tables: Sequence[Table]) -> str:
    """Return several tables as one CSV, with the columns of all of them.

    A row is blank in the columns that its own table does not have.

    Each row ends with the facts of its table. Fractions have every digit, and published
    percentages become fractions with the digits that they are printed with.

    Examples
    --------
    >>> one = Table(("class", "0.5"), (("run", 0.25),), {"videos": "3"})
    >>> other = Table(("system", "0.5"), (("SSN", Decimal("29.8")),), {})
    >>> print(stacked_csv([one, other]), end="")
    class,0.5,videos,system
    run,0.25,3,
    ,0.298,,SSN
    """
    heads = [(*table.columns, *table.facts) for table in tables]
    columns = list(dict.fromkeys(name for head in heads for name in head))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for head, table in zip(heads, tables, strict=True):
        for row in table.rows:
            cells = (*map(_fraction, row), *table.facts.values())
            by_column = dict(zip(head, cells, strict=True))
            writer.writerow([by_column.get(name) for name in columns])
    return text.getvalue()


def _fraction(cell: Cell) -> Cell:
    """Return a percentage as a fraction of 1 with the same digits."""
    return cell.scaleb(-2) if isinstance(cell, Decimal) else cell


def with_column(table: Table, column: str, value: str) -> Table:
    """Return a table with a new first column that has the same value in each row."""
    rows = tuple((value, *row) for row in table.rows)
    return Table((column, *table.columns), rows, table.facts)


def report_table(report: DetectionReport) -> Table:
    """Return a table of one system's AP: a row for each class, and mAP last.

    The columns are the thresholds, their average, and the averages over usual ranges.
    """
    thresholds = [f"{t:g}" for t in report.tiou.tolist()]
    values = [*report.ap.T, report.map]
    averages = [labelled_averages(report.tiou, ap) for ap in values]
    rows = [
        (name, *ap.tolist(), float(ap.mean()), *average.values())
        for name, ap, average in zip(
            (*report.class_names, "mAP"), values, averages, strict=True
        )
    ]
    return Table(
        ("class", *thresholds, "average", *(f"average {x}" for x in averages[0])),
        tuple(rows),
        _facts(report)
        | {
            "detections": str(report.detections),
            "dropped": "; ".join(f"{n} ({why})" for why, n in report.dropped.items())
            or "0",
            "notes": "; ".join(report.notes),
        },
    )


def comparison_table(comparison: Comparison) -> Table:
    """Return a table of systems' mAP, with 95 % intervals of the average."""
    first = next(iter(comparison.reports.values()))
    rows = []
    for name, report in comparison.reports.items():
        interval, less = comparison.interval(name), comparison.difference(name)
        is_first = report is first
        rows.append(
            (
                name,
                *report.map.tolist(),
                report.average,
                interval.low,
                interval.high,
                *((None,) * 3 if is_first else (less.value, less.low, less.high)),
                report.detections,
                sum(report.dropped.values()),
            )
        )
    columns = (
        "system",
        *(f"{t:g}" for t in first.tiou.tolist()),
        *("average", "average low", "average high"),
        *("difference", "difference low", "difference high"),
        *("detections", "dropped"),
    )
    draws = f"{comparison.draws} draws of the videos, seed {comparison.seed}"
    facts = _facts(first) | {"intervals": f"95 %, {draws}"}
    return Table(columns, tuple(rows), facts | {"notes": "; ".join(first.notes)})


def _facts(report: DetectionReport) -> dict[str, str]:
    """Return the facts of a report that every table states."""
    return {
        "protocol": report.protocol.name,
        "videos": str(report.videos),
        "instances": str(report.instances),
        "ground truth SHA-256": report.ground_truth_sha256 or "unknown",
    }


def _percent(row: Sequence[Cell]) -> list[str]:
    """Return cells as texts in percent."""
    return [
        "" if x is None else f"{100 * x:.2f}" if isinstance(x, float) else str(x)
        for x in row
    ]


def _markdown(text: str) -> str:
    """Return a text escaped for a cell of a Markdown table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _latex_row(cells: Sequence[str]) -> str:
    """Return a row of a tabular."""
    escaped = ("".join(LATEX_ESCAPES.get(x, x) for x in cell) for cell in cells)
    return " & ".join(escaped) + r" \\"
