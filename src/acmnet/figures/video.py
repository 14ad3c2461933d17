"""The paper's Fig. 3 for any video: truth, activation, attention, detections."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from acmnet.annotations import Video
from acmnet.figures.style import PALETTE, drawing, save, shortened
from acmnet.model import Branch
from acmnet.pipeline.trained import VideoScores
from acmnet.segments import Detections, FloatArray, SnippetGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES: Final = 4
"""Classes that are drawn: those labelled, then those found with the highest score."""
SURE: Final = 0.5
"""Detections are drawn from this share of the best of their class on."""
BRANCHES: Final = ("#009E73", "#E69F00", "#999999")
"""Instance, context, background."""


def write_video_figure(
    video: Video,
    cas: FloatArray,
    scores: VideoScores,
    found: Detections,
    n_snippets: int,
    grid: SnippetGrid,
    path: Path,
) -> tuple[Path, ...]:
    """Write truth, detections, attention and instance CAS of one video over time.

    Parameters
    ----------
    video : Video
        Its labels and, where they are known, its instances.
    cas : (T, C + 1) array
        What the classifier says of each snippet before any attention.
    scores : VideoScores
        What the network says, of T snippets.
    found : Detections
        What is localised; drawn from half the best score of its class on.
    n_snippets : int
        The video's length before it was sampled to T snippets; T if it was not.
    grid : SnippetGrid
        Where the snippets lie in time.
    path : Path
        Without an ending.

    References
    ----------
    Qu et al. 2021, Fig. 3, which shows the truth, CAS, instance attention, instance CAS
    and detections of one class; the other two branches stand beside.
    """
    names = found.class_names
    classes = shown_classes(video, found)
    centre_s = snippet_times(len(scores.attention), n_snippets, grid)
    heights = [max(1, len(classes)) * 0.35 + 0.3] * 2 + [1.0] + [0.8] * len(classes)
    with drawing(16.0, 2.2 * sum(heights)) as figure:
        grid_of_axes = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        )
        axes: list[Axes] = list(grid_of_axes[:, 0])
        labels = [shortened(names[c]) for c in classes]
        true = [
            (names.index(x.label), x.segment.start_s, x.segment.end_s, 1.0)
            for x in video.instances
            if x.label in names
        ]
        _lanes(axes[0], "truth", true, classes, labels)
        _lanes(axes[1], "detections", sure_ones(found), classes, labels)
        for branch, colour in zip(Branch, BRANCHES, strict=True):
            axes[2].plot(
                centre_s,
                scores.attention[:, branch],
                color=colour,
                label=branch.name.lower(),
                linewidth=1.2,
            )
        axes[2].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[2].set(ylabel="attention", ylim=(-0.03, 1.03))
        for c, name, own in zip(classes, labels, axes[3:], strict=True):
            colour = PALETTE[classes.index(c) % len(PALETTE)]
            curve = scores.cas_instance[:, c].astype(np.float64)
            own.fill_between(centre_s, curve, color=colour, alpha=0.25, linewidth=0)
            own.plot(centre_s, curve, color=colour, linewidth=1.2, label="instance CAS")
            own.plot(
                *(centre_s, cas[:, c]),
                color="black",
                linewidth=0.8,
                linestyle="dotted",
                label="CAS",
            )
            own.set(ylim=(-0.03, 1.03), ylabel="CAS")
            own.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
            own.set_title(name, fontsize=9)
        axes[-1].set(xlabel="time (s)", xlim=(0.0, _end_s(video, grid, centre_s)))
        figure.suptitle(shortened(video.id), x=0.01, ha="left", fontsize=10)
        return save(figure, path)


def shown_classes(video: Video, found: Detections) -> list[int]:
    """Return the classes that are drawn: the labelled ones, then the surest found."""
    order = np.argsort(-found.score, kind="stable")
    names = found.class_names
    chosen = [names.index(label) for label in video.labels if label in names]
    chosen += found.class_index[order].tolist()
    return list(dict.fromkeys(chosen))[:MOST_CLASSES]


def snippet_times(length: int, n_snippets: int, grid: SnippetGrid) -> FloatArray:
    """Return the middle of each of T samples of a video's L snippets, in seconds."""
    first_s = grid.snippet_frames / 2 / grid.fps
    step_s = grid.stride_s * n_snippets / length
    times: FloatArray = first_s + step_s * np.arange(length, dtype=np.float64)
    return times


def sure_ones(found: Detections) -> list[tuple[int, float, float, float]]:
    """Return (class, start, end, share of its best score) of the sure detections."""
    best = np.zeros(len(found.class_names))
    np.maximum.at(best, found.class_index, found.score)
    kept = []
    for i in np.argsort(found.score, kind="stable").tolist():
        c = int(found.class_index[i])
        share = float(found.score[i] / best[c]) if best[c] > 0.0 else 0.0
        if share >= SURE:
            kept.append((c, float(found.start_s[i]), float(found.end_s[i]), share))
    return kept


def _lanes(
    axes: "Axes",
    title: str,
    spans: Sequence[tuple[int, float, float, float]],
    classes: Sequence[int],
    labels: Sequence[str],
) -> None:
    """Draw spans in a lane for each class; the surer, the less transparent."""
    for c, start_s, end_s, share in spans:
        if c not in classes:
            continue
        lane = classes.index(c)
        axes.broken_barh(
            [(start_s, end_s - start_s)],
            (lane - 0.35, 0.7),
            color=PALETTE[lane % len(PALETTE)],
            alpha=0.3 + 0.7 * share,
        )
    axes.set_yticks(range(len(classes)), labels)
    axes.set_ylim(max(len(classes), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=9)


def _end_s(video: Video, grid: SnippetGrid, centre_s: FloatArray) -> float:
    half_s = grid.snippet_frames / 2 / grid.fps
    return max(video.duration_s or 0.0, float(centre_s[-1]) + half_s)
