"""Draw how an ablation of simulated features changes with their amount of context."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acmnet.show.figures.figure_style import PALETTE, drawing, fitted_name, save
from acmnet.show.figures.score_figures import MARKS


def write_context_figure(
    studies: Mapping[float, Mapping[str, Any]], path: Path
) -> tuple[Path, ...]:
    """Write the average mAP of each row of a study over the amount of context.

    Parameters
    ----------
    studies : mapping of amount to `Ablation.to_json`
        The same study at each amount of context, in [0, 1]. Error bars are standard
        deviations over seeds.
    path : Path
        The files without their suffix.
    """
    amounts = sorted(studies)
    rows = [row["name"] for row in studies[amounts[0]]["rows"]]
    with drawing(13.0, 8.0) as figure:
        axes = figure.subplots()
        for i, row in enumerate(rows):
            by_seed = [
                np.mean(found["average_by_seed_and_fold"], axis=1)
                for amount in amounts
                for found in studies[amount]["rows"]
                if found["name"] == row
            ]
            axes.errorbar(
                amounts,
                [100 * x.mean() for x in by_seed],
                [100 * x.std(ddof=1) if len(x) > 1 else 0.0 for x in by_seed],
                color=PALETTE[i % len(PALETTE)],
                marker=MARKS[i % len(MARKS)],
                capsize=2,
                label=fitted_name(row),
            )
        axes.set(xlabel="amount of context", ylabel="average mAP (%)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="Exp")
        return save(figure, path)
