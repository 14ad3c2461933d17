"""Measure what a person's marks are worth: average mAP over what is given.

    python -m benchmarks.learning_from_marks --annotations A --features F --out OUT
        [--recipe shrec22] [--blocks 4] [--block 2 ...] [--seeds 0 ...]
        [--draws 0 1 2] [--rows ...] [--device cuda]

The videos are dealt into as many blocks of successive videos as --blocks says. The
videos of one block are scored, and the others are learned from, with the profile
``best`` in bf16. Rows are

    names           the names of the actions in each video
    points          names, and a random instant of each true segment
    segments N      names, and all segments of N % of the videos, drawn at random, which
                    count as watched from start to end
    suggested N     the same for the videos that `acmnet suggest` names first, given the
                    run of the row ``names``

With --draws, points and videos are drawn as often, each time with one of these seeds;
otherwise once, with the seed of the training. A row after ``+`` is a round: it begins
with the weights of the row ``names`` (``--from``). Each training is kept in --out, so
that a call that was cut short goes on; ``table.md`` and ``figure.png`` are written
there from all that is finished. A person's time is that which Ma et al. (ECCV 2020)
measured: 45 s for names, 50 s for points and 300 s for segments of a minute of video,
which are as many minutes for an hour.
"""

import argparse
import dataclasses
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from acmnet.active_learning.suggestions import assess, shown_scores, suggestions_of
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.data.labels.annotations import Point, Video, WatchedSpan
from acmnet.data.labels.supervision import Supervision
from acmnet.evaluation.reports import evaluate
from acmnet.files.file_access import written_whole
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment
from acmnet.validation.cross_validation import TIOU, spans_s

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MINUTES: Final = {"names": 45.0, "points": 50.0, "segments": 300.0}
"""Minutes that a person needs for an hour of video (Ma et al. 2020)."""
PERCENT: Final = (5, 10, 25, 50)
ROWS: Final = (
    *("names", "points", *(f"segments {n}" for n in PERCENT)),
    *(*(f"suggested {n}" for n in PERCENT), "segments 100", "+points"),
    *(*(f"+segments {n}" for n in PERCENT), *(f"+suggested {n}" for n in PERCENT)),
    "+segments 100",
)
ALL: Final = "segments 100"
"""The row that has every true segment."""
RESULT: Final = "scores.json"


class Row(NamedTuple):
    """What a person gives, and how it is learned."""

    kind: str
    """"names", "points", "segments" or "suggested"."""
    share: float
    """The share of the training videos with such marks, in (0, 1]."""
    is_round: bool
    """Whether it begins with the run that learned from names."""

    @classmethod
    def of(cls, text: str) -> "Row":
        """Read a row as it is given on the command line."""
        kind, _, percent = text.removeprefix("+").partition(" ")
        return cls(kind, float(percent or 100) / 100, text.startswith("+"))

    def minutes_an_hour(self) -> float:
        """Return a person's time, in minutes for an hour of video."""
        if self.kind in ("segments", "suggested"):
            rest = 1.0 - self.share
            return self.share * MINUTES["segments"] + rest * MINUTES["names"]
        return MINUTES[self.kind]


def given(data: Data, row: Row, seed: int, names: Path) -> Data:
    """Return training data with the marks of a row, drawn with a seed.

    Parameters
    ----------
    data : Data
        The videos that are learned from.
    row : Row
        What a person gives.
    seed : int
        The seed of what is drawn.
    names : Path
        The run that learned from names, which suggests videos.
    """
    draw = random.Random(seed)
    videos = data.annotations.videos
    count = round(row.share * len(videos))
    if row.kind == "suggested":
        chosen = set(suggested(data, names, count))
    else:
        chosen = set(draw.sample(sorted(videos), count))
    spans = spans_s(data)
    marked = {
        key: _marked(videos[key], row.kind, spans[key], draw)
        if key in chosen
        else dataclasses.replace(videos[key], instances=())
        for key in videos
    }
    annotations = dataclasses.replace(data.annotations, videos=marked)
    return dataclasses.replace(data, annotations=annotations)


def suggested(data: Data, run: Path, count: int) -> list[str]:
    """Return the videos that a run suggests first."""
    model = load(run)
    shown_from = shown_scores(run, model.settings)
    assessed = assess(model, data, data.labels, {}, shown_from)
    return [one.video for one in suggestions_of(assessed, count)]


def _marked(video: Video, kind: str, span_s: float, draw: random.Random) -> Video:
    """Return a video with the marks of one kind that its true segments give."""
    if kind == "points":
        points = tuple(
            Point(x.label, draw.uniform(x.segment.start_s, x.segment.end_s))
            for x in video.instances
        )
        return dataclasses.replace(video, instances=(), points=points)
    length_s = max(span_s, video.duration_s or 0.0)
    watched = (WatchedSpan(None, Segment(0.0, length_s)),)
    return dataclasses.replace(video, watched=watched)


def measure(
    asked: argparse.Namespace, text: str, block: int, seed: int, draw: int
) -> None:
    """Train and score one row on one block with one seed, unless that was done."""
    row = Row.of(text)
    names = place(asked.out, "names", block, seed)
    out = place(asked.out, text, block, seed)
    if draw != seed:
        out = out.with_name(f"{out.name}_draw_{draw}")
    if (out / RESULT).exists():
        return
    training, test = _parts(asked, block)
    settings = recipe(
        asked.recipe, profile="best", overrides={"training.precision": "bf16"}
    )
    supervision: Supervision = "names" if row.kind == "names" else "all"
    request = RunRequest(
        out=out,
        data=given(training, row, draw, names),
        recipe=asked.recipe,
        profile="best",
        settings=settings,
        seed=seed,
        resume=True,
        supervision=supervision,
        begin_from=names if row.is_round else None,
        device=asked.device,
    )
    before_s = time.process_time()
    train_run(request)
    spent_s = time.process_time() - before_s
    found = localize_videos(load(out, device=asked.device), test)
    report = evaluate(test.annotations, found, tiou=TIOU)
    scores = {"map": report.map.tolist(), "average": report.average, "cpu_s": spent_s}
    with written_whole(out / RESULT) as part:
        part.write_text(json.dumps(scores))
    print(
        f"{text}, block {block}, seed {seed}, draw {draw}: {100 * report.average:.1f}",
        flush=True,
    )


def place(out: Path, text: str, block: int, seed: int) -> Path:
    """Return the directory of one training."""
    return out / text.replace(" ", "_") / f"block_{block}_seed_{seed}"


def _parts(asked: argparse.Namespace, block: int) -> tuple[Data, Data]:
    """Return the videos that are learned from, and those that are scored."""
    data = open_data(DataSource(asked.annotations, asked.features))
    videos = sorted(data.annotations.videos)
    size = len(videos) / asked.blocks
    held_out = {v for i, v in enumerate(videos) if int(i / size) == block}
    return data.only(set(videos) - held_out), data.only(held_out)


class Scores(NamedTuple):
    """What one training reached."""

    map: tuple[float, ...]
    """mAP at each threshold, in %."""
    cpu_s: float
    """Processor time of the training."""

    @property
    def average(self) -> float:
        """Mean over the thresholds, in %."""
        return float(np.mean(self.map))


Finished = Mapping[str, Mapping[str, Scores]]
"""Each row that has scores, in the order of `ROWS`, with those of each training by the
name of its folder, such as "block_0_seed_1"."""


def finished(out: Path) -> Finished:
    """Return the scores of all trainings in a folder that are done."""
    found: dict[str, dict[str, Scores]] = {}
    for text in ROWS:
        for file in sorted((out / text.replace(" ", "_")).glob(f"*/{RESULT}")):
            said = json.loads(file.read_text())
            of_row = found.setdefault(text, {})
            of_row[file.parent.name] = Scores(
                tuple(100 * x for x in said["map"]), said["cpu_s"]
            )
    return found


def share_of_way(scores: Finished, text: str) -> float:
    """Return how far a row comes on the way from names, 0, to all segments, 1.

    Only trainings on blocks and with seeds that all three rows have are compared. NaN
    if there are none, or if all segments are no better than names.
    """
    full = scores.get(("+" if text.startswith("+") else "") + ALL, {})
    names, own = scores.get("names", {}), scores[text]
    both = [key for key in own if key in names and key in full]
    way = sum(full[key].average - names[key].average for key in both)
    gone = sum(own[key].average - names[key].average for key in both)
    return gone / way if way > 0.0 else float("nan")


def table(out: Path) -> list[str]:
    """Return a Markdown table of all finished trainings."""
    lines = [
        "| given | a person's time (minutes for an hour of video) | average mAP | "
        "share of the way to all segments | at 0.5 | at 0.7 | CPU s of the training | "
        "trainings |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    scores = finished(out)
    for text, of_row in scores.items():
        average = np.array([one.average for one in of_row.values()])
        by_tiou = np.mean([one.map for one in of_row.values()], axis=0)
        spread = f" ± {average.std(ddof=1):.1f}" if len(average) > 1 else ""
        share = share_of_way(scores, text)
        lines.append(
            f"| {text} | {Row.of(text).minutes_an_hour():.0f} | {average.mean():.1f}"
            f"{spread} | {'' if np.isnan(share) else f'{share:.2f}'} | "
            f"{by_tiou[TIOU.index(0.5)]:.1f} | {by_tiou[TIOU.index(0.7)]:.1f} | "
            f"{np.mean([one.cpu_s for one in of_row.values()]):.0f} | {len(average)} |"
        )
    return lines


def draw_figure(sets: Mapping[str, Path], to: Path) -> None:
    """Draw average mAP over a person's time, a panel for each folder of trainings."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(sets), 4), layout="tight")
    panels = figure.subplots(1, len(sets), squeeze=False)[0]
    for axes, (title, out) in zip(panels, sets.items(), strict=True):
        _draw_panel(axes, finished(out))
        axes.set(title=title, xscale="log", ylabel="average mAP (%)")
        axes.set_xlabel("a person's time (minutes for an hour of video)")
        minutes = (45, 60, 75, 100, 150, 200, 300)
        axes.set_xticks(minutes, [str(x) for x in minutes])
        axes.set_xticks([], minor=True)
    panels[0].legend(loc="lower right")
    with written_whole(to) as part:
        figure.savefig(part, format="png", dpi=130)


def _draw_panel(axes: "Axes", scores: Finished) -> None:
    """Draw rounds where there are some, and whole trainings otherwise.

    Bars are standard errors of the gain over names, over blocks and seeds.
    """
    plus = "+" if any(text.startswith("+") for text in scores) else ""
    lines = {
        "segments, videos suggested": ("s--", [f"suggested {n}" for n in PERCENT]),
        "segments, videos drawn": ("o-", [f"segments {n}" for n in (*PERCENT, 100)]),
        "a point in each action": ("^", ["points"]),
    }
    texts = {
        key: (style, [plus + x for x in own]) for key, (style, own) in lines.items()
    }
    for label, (style, rows) in (texts | {"names": ("D", ["names"])}).items():
        known = [text for text in rows if text in scores]
        axes.errorbar(
            [Row.of(text).minutes_an_hour() for text in known],
            [np.mean([x.average for x in scores[text].values()]) for text in known],
            [_error_of_gain(scores, text) for text in known],
            fmt=style,
            label=label,
            capsize=2,
        )


def _error_of_gain(scores: Finished, text: str) -> float:
    """Return the standard error of a row's gain over names."""
    names, own = scores.get("names", {}), scores[text]
    gains = [own[key].average - names[key].average for key in own if key in names]
    return float(np.std(gains, ddof=1)) / len(gains) ** 0.5 if len(gains) > 1 else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that are asked for, and write the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--block", type=int, nargs="+", default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--draws", type=int, nargs="+", default=None)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    asked = parser.parse_args(arguments)
    for block in asked.block or range(asked.blocks):
        for seed in asked.seeds:
            for text in asked.rows:
                is_drawn = Row.of(text).kind in ("points", "segments")
                draws = asked.draws if asked.draws and is_drawn else [seed]
                for draw in draws:
                    measure(asked, text, block, seed, draw)
    with written_whole(asked.out / "table.md") as part:
        part.write_text("\n".join(table(asked.out)) + "\n")
    draw_figure({asked.recipe: asked.out}, asked.out / "figure.png")
    print("\n".join(table(asked.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
