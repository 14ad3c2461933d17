"""The figure of an ablation: what criteria without true segments would choose."""

from pathlib import Path
from typing import Final

import numpy as np

from acmnet.show.figures.figure_style import PALETTE, drawing, fitted_name, save
from acmnet.validation.ablation_table import Ablation

MARKS: Final = "osD^vP*Xh<>dp8"
"""Markers of the rows, one for each."""


def write_choice_figure(ablation: Ablation, path: Path) -> tuple[Path, ...]:
    """Write each label-free criterion of an ablation against the true mAP.

    A point is a row of the table: the mean over its trainings. The row that the
    criterion chooses has a black ring. The upper panels show all rows, the lower ones
    the better half of them.

    Parameters
    ----------
    ablation : Ablation
    path : Path
        The files without their suffix.
    """
    choices = ablation.choices()
    true = np.array([100 * float(row.averages.mean()) for row in ablation.rows])
    lowest = (-np.inf, float(np.median(true)))
    height = max(12.0, 0.42 * len(true) + 2.0)
    with drawing(8.0 * len(choices) + 5.0, height) as figure:
        grid = figure.subplots(2, len(choices), sharey="row", squeeze=False)
        for axes, least in zip(grid, lowest, strict=True):
            for panel, choice in zip(axes, choices, strict=True):
                for i, row in enumerate(ablation.rows):
                    if true[i] < least:
                        continue
                    value = 100 * float(row.label_free[choice.criterion].mean())
                    is_chosen = row.variant.name == choice.chosen
                    panel.plot(
                        *([value], [true[i]]),
                        marker=MARKS[i % len(MARKS)],
                        linestyle="none",
                        color=PALETTE[i % len(PALETTE)],
                        markersize=7,
                        markeredgecolor="black" if is_chosen else "none",
                        markeredgewidth=1.5,
                        label=fitted_name(row.variant.name),
                    )
            axes[0].set_ylabel("true average mAP (%)")
        for above, below, choice in zip(*grid, choices, strict=True):
            above.set_title(f"all: Spearman {choice.correlation:.2f}", fontsize=9)
            below.set_title("the better half", fontsize=9)
            below.set(xlabel=f"{choice.criterion} (%)")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize=7)
        return save(figure, path)
