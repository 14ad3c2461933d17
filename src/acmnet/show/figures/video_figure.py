"""Fig. 3 of the paper for any video: truth, detections, attention, activation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.labels.annotations import Video
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.acm_net import Branch
from acmnet.segments import Detections, FloatArray
from acmnet.show.figures.figure_style import PALETTE, drawing, fitted_name, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FOUND: Final = 4
"""If a video has fewer labels, detected classes are drawn, too, up to this many."""
MOST_DRAWN_CLASSES: Final = 8
"""At most this many classes are drawn; the title tells how many labels are not."""
SHARE_OF_CLASS_BEST: Final = 0.5
"""Detections are drawn if their score is at least this share of their class's best."""
BRANCHES: Final = (("#000000", "-"), ("#D55E00", "--"), ("#777777", ":"))
"""Colour and line of the attention of the action instance, action context and
background branches; they also differ in grey print."""


def write_video_figure(
    video: Video,
    activations: VideoActivations,
    detections: Detections,
    path: Path,
    teachers: int = 0,
) -> tuple[Path, ...]:
    """Write truth, detections, attention and CAS of one video over time.

    CAS is the class activation sequence: a score for each class at each moment.

    Parameters
    ----------
    video : Video
        The video, with its labels and, if they are known, its true instances.
    activations : VideoActivations
        Attention and class activations of the video.
    detections : Detections
        The detections. Those with less than half the best score of their class are not
        drawn.
    path : Path
        The files without their suffix.
    teachers : int
        How many teachers the activations are the mean of, if a student of theirs made
        the detections; 0 if one network made both.

    References
    ----------
    Qu et al. 2021, Fig. 3, which shows the truth, CAS, instance attention, instance CAS
    and detections of one class; here, the other two branches are drawn as well.
    """
    names = detections.class_names
    classes = shown_classes(video, detections)
    centre_s = activations.centres_s
    heights = [max(1, len(classes)) * 0.35 + 0.3] * 2 + [1.0] + [0.8] * len(classes)
    with drawing(16.0, 2.2 * sum(heights)) as figure:
        grid_of_axes = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        )
        axes: list[Axes] = list(grid_of_axes[:, 0])
        labels = [fitted_name(names[c]) for c in classes]
        true = [
            (names.index(x.label), x.segment.start_s, x.segment.end_s, 1.0)
            for x in video.instances
            if x.label in names
        ]
        _lanes(axes[0], "truth", true, classes, labels)
        _lanes(axes[1], "detections", surest_detections(detections), classes, labels)
        _attention(axes[2], centre_s, activations.attention)
        for c, name, panel in zip(classes, labels, axes[3:], strict=True):
            colour = PALETTE[classes.index(c) % len(PALETTE)]
            _class_activation(panel, activations, c, colour)
            panel.set_title(name, fontsize=9)
        axes[-1].set(xlabel="time (s)", xlim=(0.0, _end_s(video, activations)))
        title = "\n".join(
            [fitted_name(video.id), *_remarks(video, teachers, classes, detections)]
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        return save(figure, path)


def _class_activation(
    axes: "Axes", activations: VideoActivations, c: int, colour: str
) -> None:
    """Draw the CAS of a class: of the action instance branch, and before attention."""
    centre_s = activations.centres_s
    curve = activations.instance_cas[:, c].astype(np.float64)
    axes.fill_between(centre_s, curve, color=colour, alpha=0.25, linewidth=0)
    axes.plot(centre_s, curve, color=colour, linewidth=1.2, label="instance CAS")
    if activations.cas is not None:
        axes.plot(
            *(centre_s, activations.cas[:, c].astype(np.float64)),
            color="black",
            linewidth=0.8,
            linestyle="dotted",
            label="CAS",
        )
    axes.set(ylim=(-0.03, 1.03), ylabel="CAS")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def shown_classes(video: Video, detections: Detections) -> list[int]:
    """Return the classes to draw: labels first, then detected ones by score."""
    n_labelled = len({*video.labels} & {*detections.class_names})
    return telling_classes(video, detections)[
        : min(max(MOST_FOUND, n_labelled), MOST_DRAWN_CLASSES)
    ]


def telling_classes(video: Video, detections: Detections) -> list[int]:
    """Return the labelled classes, then the other detected ones, best score first."""
    names = detections.class_names
    labelled = [names.index(label) for label in video.labels if label in names]
    order = np.argsort(-detections.score, kind="stable")
    return list(dict.fromkeys([*labelled, *detections.class_index[order].tolist()]))


def _remarks(
    video: Video, teachers: int, classes: Sequence[int], detections: Detections
) -> list[str]:
    """Return the lines of the title that explain what is drawn and what is not."""
    remarks = []
    if teachers:
        mean = f"the mean of its {teachers} teachers"
        who = mean if teachers > 1 else "its teacher"
        remarks.append(f"attention and CAS: {who}; detections: the student")
    drawn = {detections.class_names[c] for c in classes}
    absent = len(set(video.labels) - drawn)
    if absent:
        remarks.append(
            f"{absent} of {len(set(video.labels))} labelled classes not shown"
        )
    return remarks


def _attention(
    axes: "Axes", centre_s: FloatArray, attention: npt.NDArray[np.floating]
) -> None:
    """Draw the attention (T, 3) of the branches, the instance branch on top."""
    for branch, (colour, line) in zip(Branch, BRANCHES, strict=True):
        axes.plot(
            centre_s,
            attention[:, branch],
            color=colour,
            linestyle=line,
            linewidth=1.2,
            label=branch.name.lower(),
            zorder=3 - 0.1 * branch,
        )
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.2))
    axes.set(ylabel="attention", ylim=(-0.03, 1.03))


def surest_detections(detections: Detections) -> list[tuple[int, float, float, float]]:
    """Return class, start, end and share of the class's best score, if it is high."""
    best = np.zeros(len(detections.class_names))
    np.maximum.at(best, detections.class_index, detections.score)
    kept = []
    for i in np.argsort(detections.score, kind="stable").tolist():
        c = int(detections.class_index[i])
        share = float(detections.score[i] / best[c]) if best[c] > 0.0 else 0.0
        if share >= SHARE_OF_CLASS_BEST:
            kept.append(
                (c, float(detections.start_s[i]), float(detections.end_s[i]), share)
            )
    return kept


def _lanes(
    axes: "Axes",
    title: str,
    spans: Sequence[tuple[int, float, float, float]],
    classes: Sequence[int],
    labels: Sequence[str],
) -> None:
    """Draw spans in a lane for each class, more opaque for higher shares."""
    for c, start_s, end_s, share in spans:
        if c not in classes:
            continue
        lane = classes.index(c)
        axes.broken_barh(
            [(start_s, end_s - start_s)],
            (lane - 0.35, 0.7),
            color=PALETTE[lane % len(PALETTE)],
            alpha=0.3 + 0.7 * share,
            linewidth=0,  # an edge would draw beyond the span
        )
    axes.set_yticks(range(len(classes)), labels)
    axes.set_ylim(max(len(classes), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=9)


def _end_s(video: Video, activations: VideoActivations) -> float:
    """Return where the drawing ends: with the video or its last snippet, in seconds."""
    last_s = float(activations.centres_s[-1]) + activations.grid.window_s / 2
    return max(video.duration_s or 0.0, last_s)
