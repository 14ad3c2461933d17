"""Figures of a diagnosis: kinds of errors, their cost, and missed instances."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from acmnet.evaluation.diagnosis.diagnosis import Diagnosis
from acmnet.evaluation.diagnosis.false_positives import (
    DETECTIONS_PER_INSTANCE,
    KINDS,
    MISFITS,
)
from acmnet.segments import FloatArray
from acmnet.show.figures.figure_style import drawing, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#009E73", "#CC79A7", "#E69F00", "#0072B2", "#D55E00", "#BBBBBB")
"""A colour for each of `KINDS`, which colour-blind people can tell apart."""
MISFIT_COLOURS: Final = ("#D55E00", "#0072B2", "#F0E442")
"""A colour for each of `MISFITS`."""
BUCKET_COLOURS: Final = {
    "length": "#0072B2",
    "coverage": "#009E73",
    "instances": "#D55E00",
}
"""The colour of each characteristic's bars."""
CHARACTERISTIC_NAMES: Final = {
    "length": "length (s)",
    "coverage": "coverage (% of the video)",
    "instances": "instances in the video",
}
"""The name of each characteristic below its bars."""


def write_diagnosis_figures(diagnosis: Diagnosis, directory: Path) -> tuple[Path, ...]:
    """Write the figures of a diagnosis, each as PNG, SVG and PDF.

    With several thresholds, means over them are drawn.

    Parameters
    ----------
    diagnosis : Diagnosis
        The diagnosis to draw.
    directory : Path
        The folder to write to; made if it does not exist.

    Returns
    -------
    tuple of Path
        ``false_positives``, ``gains``, ``localisation``, ``false_negatives`` and
        ``sensitivity``, each as three files.

    Raises
    ------
    FigureError
        If ``directory`` is a file.
    """
    height_cm = 3.8 + 1.0 * len(diagnosis.report.tiou)
    written: list[Path] = []
    for name, draw, size in (
        ("false_positives", _profile, (17.8, 9.1)),
        ("gains", _gains, (13.2, 8.1)),
        ("localisation", _localisation, (13.2, height_cm)),
        ("false_negatives", _missed, (18.3, 8.6)),
        ("sensitivity", _sensitivity, (18.3, 8.6)),
    ):
        with drawing(*size) as figure:
            draw(figure, diagnosis)
            written += save(figure, directory / name)
    return tuple(written)


def _titled(figure: "Figure", title: str) -> "Axes":
    """Return the axes of a figure that has only one, with a title."""
    axes = figure.add_subplot()
    axes.set_title(title)
    return axes


def _at(diagnosis: Diagnosis) -> str:
    """Return the tIoU thresholds in words, for a title."""
    tiou = diagnosis.report.tiou
    if len(tiou) == 1:
        return f"tIoU {tiou[0]:g}"
    return f"mean of {len(tiou)} tIoUs, {tiou.min():g} to {tiou.max():g}"


def _percent(values: FloatArray) -> FloatArray:
    """Return the mean over the thresholds in percent, with 0 for undefined values."""
    mean: FloatArray = 100 * np.nan_to_num(values).mean(axis=0)
    return mean


def _profile(figure: "Figure", diagnosis: Diagnosis) -> None:
    """Draw the kinds of detections by rank, in steps of G: the class's instances."""
    axes = _titled(figure, f"Kinds of detections, {_at(diagnosis)}")
    below = np.zeros(DETECTIONS_PER_INSTANCE)
    for kind, colour, height in zip(
        KINDS, COLOURS, _percent(diagnosis.shares).T, strict=True
    ):
        axes.bar(
            range(DETECTIONS_PER_INSTANCE),
            height,
            bottom=below,
            color=colour,
            label=kind,
            width=0.9,
        )
        below += height
    counts = diagnosis.profile.sum(axis=2).mean(axis=0)
    names = [f"{g}G\n{n:.0f}" for g, n in enumerate(counts, start=1)]
    axes.set_xticks(range(DETECTIONS_PER_INSTANCE), names)
    axes.set_xlabel("rank in multiples of the class's instances; detections there")
    axes.set_ylabel("share (%)")
    axes.set_ylim(0, 100)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center")


def _gains(figure: "Figure", diagnosis: Diagnosis) -> None:
    """Draw by how much mAP would rise without each kind of error."""
    axes = _titled(figure, f"mAP without one kind of error, {_at(diagnosis)}")
    gain = _percent(diagnosis.gain)
    bars = axes.bar(range(len(gain)), gain, color=COLOURS[1:], width=0.7)
    axes.bar_label(bars, fmt="+%.1f", padding=2)
    axes.set_xticks(range(len(gain)), [kind.replace(" ", "\n") for kind in KINDS[1:]])
    axes.set_ylabel("gain (points of mAP)")
    axes.set_ylim(0, max(1.15 * gain.max(), 1.0))


def _localisation(figure: "Figure", diagnosis: Diagnosis) -> None:
    """Draw how the segments of localisation errors differ from the true ones."""
    tiou = diagnosis.report.tiou
    axes = _titled(figure, "Localisation errors among the top 10G")
    left = np.zeros(len(tiou))
    for name, colour, width in zip(
        MISFITS,
        MISFIT_COLOURS,
        100 * np.nan_to_num(diagnosis.misfit_shares).T,
        strict=True,
    ):
        bars = axes.barh(range(len(tiou)), width, left=left, color=colour, label=name)
        axes.bar_label(
            bars,
            [f"{x:.0f}" if x >= 4 else "" for x in width],
            label_type="center",
            color="black" if colour == MISFIT_COLOURS[2] else "white",
        )
        left += width
    axes.set_yticks(range(len(tiou)), [f"{x:g}" for x in tiou])
    axes.invert_yaxis()
    axes.set_ylabel("tIoU")
    axes.set_xlim(0, 100)
    axes.set_xlabel("share (%)")
    figure.legend(ncols=len(MISFITS), loc="outside lower center")


def _missed(figure: "Figure", diagnosis: Diagnosis) -> None:
    """Draw which share of the instances in each bucket is missed."""
    axes = _titled(figure, f"Missed instances, {_at(diagnosis)}")
    axes.set_ylabel("missed (%)")
    _bars(axes, diagnosis, [bucket.missed for bucket in diagnosis.buckets])
    _overall(axes, 100 * float(diagnosis.missed.mean()))


def _sensitivity(figure: "Figure", diagnosis: Diagnosis) -> None:
    """Draw the normalised mAP within each bucket."""
    axes = _titled(figure, f"Normalised mAP, {_at(diagnosis)}")
    axes.set_ylabel("mAP$_N$ (%)")
    _bars(axes, diagnosis, [bucket.map_n for bucket in diagnosis.buckets])
    _overall(axes, 100 * float(diagnosis.map_n.mean()))


def _bars(axes: "Axes", diagnosis: Diagnosis, values: Sequence[FloatArray]) -> None:
    """Draw a bar for each bucket, grouped by characteristic."""
    ticks: list[int] = []
    names: list[str] = []
    for results, shares in zip(diagnosis.buckets, values, strict=True):
        characteristic = results.characteristic
        first = ticks[-1] + 2 if ticks else 0
        place = range(first, first + len(characteristic.buckets))
        height = _percent(shares)
        bars = axes.bar(place, height, color=BUCKET_COLOURS[characteristic.name])
        counts = characteristic.counts.tolist()
        texts = [
            f"{x:.0f}" if n else "none" for x, n in zip(height, counts, strict=True)
        ]
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.bar_label(bars, texts, padding=3, bbox=plain, zorder=3)
        axes.annotate(
            CHARACTERISTIC_NAMES[characteristic.name],
            ((place[0] + place[-1]) / 2, 0),
            (0, -50),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=BUCKET_COLOURS[characteristic.name],
        )
        ticks += place
        # a span on two lines, since one would run into those beside it
        spans = [x.replace("<=", "≤").replace("-", "-\n") for x in characteristic.spans]
        names += map("\n".join, zip(characteristic.buckets, spans, strict=True))
    axes.set_xticks(ticks, names, fontsize=8)
    axes.set_ylim(0, max(1.2 * max(map(np.max, map(_percent, values))), 1.0))


def _overall(axes: "Axes", percent: float) -> None:
    """Draw a dashed line at the value over all instances."""
    axes.axhline(percent, color="black", linestyle="--", linewidth=1)
    axes.annotate(
        f"all {percent:.1f}",
        (1, percent),
        (4, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
    )
