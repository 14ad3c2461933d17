"""An ethogram: the bouts of each behaviour over time, with a row for each video."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from acmnet.evaluation.time_budget import Observed
from acmnet.messages import counted
from acmnet.show.figures.figure_style import PALETTE, drawing, fitted_name, save

MOST_VIDEOS: Final = 40
"""At most this many videos are drawn; the title tells how many are not."""


def write_ethogram(
    videos: Mapping[str, Observed], class_names: Sequence[str], path: Path
) -> tuple[Path, ...]:
    """Write the ethogram as PNG, SVG and PDF; return the paths.

    Parameters
    ----------
    videos : mapping of str to Observed
        The videos. Each has a row with a thin lane for each class, so that behaviours
        at the same time are all seen.
    class_names : sequence of str
        The classes, in the order of lanes and legend.
    path : Path
        The files without their suffix.
    """
    shown = list(videos)[:MOST_VIDEOS]
    n = max(1, len(class_names))
    with drawing(17.0, 2.5 + len(shown) * (0.35 + 0.25 * n)) as figure:
        axes = figure.subplots()
        for c, label in enumerate(class_names):
            colour = PALETTE[c % len(PALETTE)]
            axes.broken_barh([], (0, 0), color=colour, label=fitted_name(label))
            for row, name in enumerate(shown):
                spans = [
                    (x.start_s, x.end_s - x.start_s)
                    for x in videos[name].bouts
                    if x.label == label
                ]
                lane = row - 0.4 + 0.8 * c / n, 0.8 / n
                axes.broken_barh(spans, lane, color=colour)
        for row in range(1, len(shown)):  # tells which lanes are one video's
            axes.axhline(row - 0.5, color="0.8", linewidth=0.5)
        axes.set_yticks(range(len(shown)), [fitted_name(name) for name in shown])
        axes.set(xlabel="time (s)", ylim=(len(shown) - 0.5, -0.5))
        axes.set_xlim(left=0.0)
        more = len(videos) - len(shown)
        axes.set_title(counted(len(shown), "video", of=len(videos)) if more else "")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return save(figure, path)
