"""Figures of scores: mAP over tIoU, AP of each class, confusions, and an ablation.

The figure of an ablation shows what criteria without true segments would choose.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.evaluation.reports import DetectionReport
from acmnet.segments import FloatArray, temporal_iou
from acmnet.show.figures.figure_style import PALETTE, drawing, fitted_name, save
from acmnet.validation.ablation_table import Ablation

SHARE_OF_VIDEO_BEST: Final = 0.5
"""Detections count for the confusion if their score is at least this share of the
highest score in their video."""
NAMED_TIOU: Final = 0.5
"""Least tIoU (overlap) of a detection with an instance for which it counts."""


MARKS: Final = "osD^vP*Xh<>dp8"
"""Markers of the rows, one for each."""


def write_map_figure(
    reports: Mapping[str, DetectionReport], path: Path
) -> tuple[Path, ...]:
    """Write the mAP of one or several systems over the thresholds.

    Parameters
    ----------
    reports : mapping of name to DetectionReport
        The scores of each system, all by one protocol.
    path : Path
        The files without their suffix.
    """
    with drawing(12.0, 6.5 + 0.5 * len(reports)) as figure:
        axes = figure.subplots()
        for i, (name, report) in enumerate(reports.items()):
            average = f"average {100 * report.average:.1f}: {fitted_name(name)}"
            axes.plot(
                report.tiou,
                100 * report.map,
                color=PALETTE[i % len(PALETTE)],
                marker="osD^v"[i % 5],
                label=average,
            )
        axes.set(xlabel="tIoU", ylabel="mAP (%)", ylim=(0, 100))
        axes.grid(axis="y", alpha=0.3)
        # below, because inside it would hide the line of a good system
        figure.legend(loc="outside lower left")
        return save(figure, path)


def write_class_figure(report: DetectionReport, path: Path) -> tuple[Path, ...]:
    """Write the average AP of each class as bars, the best first."""
    mean = report.ap.mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    with drawing(12.0, 2.0 + 0.5 * len(order)) as figure:
        axes = figure.subplots()
        axes.barh(range(len(order)), 100 * mean[order], color=PALETTE[0])
        names = [fitted_name(report.class_names[c]) for c in order]
        axes.set_yticks(range(len(order)), names)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.axvline(100 * report.average, color=PALETTE[5], linewidth=1.2)
        low, high = report.tiou.min(), report.tiou.max()
        axes.set(xlabel=f"AP (%), mean over tIoU {low:g} to {high:g}", xlim=(0, 100))
        axes.set_title(f"line: mAP {100 * report.average:.1f} %")
        return save(figure, path)


def write_confusion_figure(report: DetectionReport, path: Path) -> tuple[Path, ...]:
    """Write which classes are detected where each class truly is; see `confusion`."""
    shares = confusion(report)
    n = len(report.class_names)
    names = [fitted_name(name) for name in report.class_names]
    # room for the longest name, in cm: no letter is wider than 0.3
    room = 0.3 * max(map(len, [*names, "nothing"]))
    side = min(2.0 + 0.6 * n, 36.0)
    with drawing(side + room + 4.0, side * n / (n + 1) + room + 2.5) as figure:
        axes = figure.subplots()
        image = axes.imshow(100 * shares, cmap="cividis", vmin=0, vmax=100)
        axes.set_xticks(range(n + 1), [*names, "nothing"], rotation=90)
        axes.set_yticks(range(n), names)
        axes.set(
            xlabel=f"class of its surest detection (tIoU {NAMED_TIOU:g} or more)",
            ylabel="true",
        )
        if n <= 20:
            for (i, j), value in np.ndenumerate(100 * shares):
                if value >= 0.5:
                    colour = "black" if value > 50 else "white"
                    axes.text(
                        *(j, i, f"{value:.0f}"),
                        ha="center",
                        va="center",
                        color=colour,
                        fontsize=7,
                    )
        figure.colorbar(image, ax=axes, label="% of instances")
        return save(figure, path)


def confusion(report: DetectionReport, tiou: float = NAMED_TIOU) -> FloatArray:
    """Return which class is detected at each true instance, (C, C + 1).

    Detections of all classes compete for an instance. One is a candidate if its tIoU
    with the instance is ``tiou`` or more, and its score is at least half the highest
    score in the video. The instance counts for the class of the candidate with the
    highest score, or without a candidate for the last column, "nothing".

    Parameters
    ----------
    report : DetectionReport
        A report with its detections and instances.
    tiou : float
        Least overlap of a detection with an instance.

    Returns
    -------
    array of shape (C, C + 1)
        Row: true class. Column: detected class. Each row sums to 1, or to 0 if the
        class has no instance.
    """
    ranking = report.ranking
    n_classes, located = ranking.n_classes, ranking.located
    instances = ranking.truth.instances
    video, label = np.divmod(located.group, n_classes)
    best = np.full(len(ranking.truth.video_ids), -np.inf)
    np.maximum.at(best, video, ranking.score)
    counts = np.zeros((n_classes, n_classes + 1))
    for i, group in enumerate(instances.group.tolist()):
        v, c = divmod(group, n_classes)
        near_best = np.flatnonzero(
            (video == v) & (ranking.score >= SHARE_OF_VIDEO_BEST * best[v])
        )
        overlap = temporal_iou(
            located.start_s[near_best],
            located.end_s[near_best],
            instances.start_s[i],
            instances.end_s[i],
        )
        near = near_best[overlap >= tiou]
        named = label[near[ranking.score[near].argmax()]] if len(near) else n_classes
        counts[c, named] += 1
    shares: FloatArray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


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
