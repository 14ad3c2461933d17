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
measured for a minute of video: 45 s for names, 50 s for points, 300 s for segments.
"""

import argparse
import dataclasses
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.active_learning.suggestions import assess, shown_scores, suggestions_of
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.data.labels.annotations import Point, Video, WatchedSpan
from acmnet.data.labels.supervision import Supervision
from acmnet.evaluation.reports import evaluate
from acmnet.files import written_whole
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment
from acmnet.validation.cross_validation import TIOU, spans_s

SECONDS: Final = {"names": 45.0, "points": 50.0, "segments": 300.0}
"""Seconds that a person needs for a minute of video (Ma et al. 2020)."""
PERCENT: Final = (5, 10, 25, 50)
ROWS: Final = (
    *("names", "points", *(f"segments {n}" for n in PERCENT)),
    *(*(f"suggested {n}" for n in PERCENT), "segments 100", "+points"),
    *(*(f"+segments {n}" for n in PERCENT), *(f"+suggested {n}" for n in PERCENT)),
)
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

    def seconds_a_minute(self) -> float:
        """Return a person's time, in seconds for a minute of video."""
        if self.kind in ("segments", "suggested"):
            rest = 1.0 - self.share
            return self.share * SECONDS["segments"] + rest * SECONDS["names"]
        return SECONDS[self.kind]


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


def table(out: Path) -> list[str]:
    """Return a Markdown table of all finished trainings."""
    lines = [
        "| given | a person's time (s a minute of video) | average mAP | at 0.5 | at "
        "0.7 | CPU s of the training | trainings |",
        "|---|---|---|---|---|---|---|",
    ]
    for text, scores in _finished(out):
        average = np.array([100 * one["average"] for one in scores])
        by_tiou = 100 * np.mean([one["map"] for one in scores], axis=0)
        spread = f" ± {average.std(ddof=1):.1f}" if len(average) > 1 else ""
        lines.append(
            f"| {text} | {Row.of(text).seconds_a_minute():.0f} | {average.mean():.1f}"
            f"{spread} | {by_tiou[TIOU.index(0.5)]:.1f} | "
            f"{by_tiou[TIOU.index(0.7)]:.1f} | "
            f"{np.mean([one['cpu_s'] for one in scores]):.0f} | {len(scores)} |"
        )
    return lines


def _finished(out: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return each row that has scores, with them."""
    found = []
    for text in ROWS:
        files = sorted((out / text.replace(" ", "_")).glob(f"*/{RESULT}"))
        if files:
            found.append((text, [json.loads(file.read_text()) for file in files]))
    return found


def draw_figure(out: Path) -> None:
    """Draw average mAP over a person's time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="tight")
    axes = figure.add_subplot(
        xlabel="a person's time (s for a minute of video)",
        ylabel="average mAP (%)",
        xscale="log",
        xlim=(40, 700),
    )
    seconds = (45, 60, 100, 200, 300)
    axes.set_xticks(seconds, [str(x) for x in seconds])
    axes.set_xticks([], minor=True)
    drawn = set()
    for text, scores in _finished(out):
        x = Row.of(text).seconds_a_minute()
        y = 100 * float(np.mean([one["average"] for one in scores]))
        is_round, is_suggested = text.startswith("+"), "suggested" in text
        mark, color, up = ("^", "C1", -13) if is_round else ("o", "C0", 4)
        kind = "a round after names" if is_round else "a whole training"
        if is_suggested:
            mark, color, kind = "s", "C2", f"{kind}, videos suggested"
        label = "" if kind in drawn else kind
        drawn.add(kind)
        axes.plot(x, y, mark, color=color, label=label, linestyle="")
        kind, _, percent = text.lstrip("+").partition(" ")
        words = f"{kind}, {percent} %" if percent else kind
        if not is_suggested:
            axes.annotate(words, (x, y), xytext=(5, up), textcoords="offset points")
    axes.legend(loc="lower right")
    with written_whole(out / "figure.png") as part:
        figure.savefig(part, format="png", dpi=150)


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
    draw_figure(asked.out)
    print("\n".join(table(asked.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
