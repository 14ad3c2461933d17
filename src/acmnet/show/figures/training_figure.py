"""The figure of a training: each term of the loss over the epochs."""

import json
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.segments import FloatArray
from acmnet.show.figures.figure_style import PALETTE, FigureError, drawing, save

FEW_EPOCHS: Final = 10
"""Up to this many epochs are marked by dots: a line through one is invisible."""
NOT_TERMS: Final = ("epoch", "step", "videos", "seconds")
"""Values of a line of the log that are not terms of the loss."""


def write_training_figure(log: Path, path: Path) -> tuple[Path, ...]:
    """Write a panel for each term of the loss: its mean in each epoch.

    Parameters
    ----------
    log : Path
        The ``log.jsonl`` of a run; a half-written last line is skipped.
    path : Path
        The files without their suffix.

    Raises
    ------
    FigureError
        If there is no log, or it holds no step.
    """
    epochs, terms = epoch_means(log)
    marker = "o" if len(epochs) <= FEW_EPOCHS else ""
    columns = 2 if len(terms) > 1 else 1
    rows = -(-len(terms) // columns)
    with drawing(16.0, 1.0 + 3.6 * rows) as figure:
        axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        for panel, (name, values) in zip(axes, terms.items(), strict=False):
            panel.plot(epochs, values, color=PALETTE[0], marker=marker, markersize=3)
            panel.set_title(name)
            panel.set_ylim(bottom=min(0.0, float(values.min())))
        for unused in axes[len(terms) :]:
            unused.set_visible(False)
            # then the panel above is the lowest one of its column
            axes[len(terms) - 1 - (columns - 1)].tick_params(labelbottom=True)
        figure.supxlabel("epoch", fontsize=9)
        figure.supylabel("loss, by term", fontsize=9)
        return save(figure, path)


def epoch_means(log: Path) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Return the epochs, and the mean of each term over the videos of each epoch.

    Raises
    ------
    FigureError
        If there is no log, or it holds no step.
    """
    if not log.is_file():
        raise FigureError(f"there is no log at {log}; give the directory of a run")
    records = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError):  # half written: training goes on
            continue
    steps = [x for x in records if isinstance(x, dict) and {"epoch", "videos"} <= {*x}]
    if not steps:
        raise FigureError(f"{log} holds no step of a training; train first")
    names = [name for name in steps[0] if name not in NOT_TERMS]
    if not names or any(name not in x for x in steps for name in names):
        raise FigureError(
            f"{log}: steps must all have the same loss terms, got {names} in the first "
            "and others later or none; was another run's log appended?"
        )
    epoch = np.array([x["epoch"] for x in steps])
    weight = np.array([x["videos"] for x in steps], dtype=np.float64)
    epochs, place = np.unique(epoch, return_inverse=True)
    total = np.bincount(place, weight)
    means = {
        name: np.bincount(place, weight * np.array([float(x[name]) for x in steps]))
        / total
        for name in names
    }
    return epochs.astype(np.float64), means
