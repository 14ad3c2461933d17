"""How good a run should be, told without any true segment, and what to look at.

Names are checked on held-out videos: a network is trained on two thirds of the videos
and names the actions of the rest, for each third. Where actions are is checked by how
well the run's networks agree. How many detections are right is left to a person, who is
given ten of them that stand for all.
"""

import dataclasses
import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.files import write_json
from acmnet.messages import counted
from acmnet.pipeline.cross_validation import folds_of
from acmnet.pipeline.folds import fold_problems
from acmnet.pipeline.label_free_selection import agreement
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.stored_model import load
from acmnet.pipeline.trained_model import TrainedModel, localize_videos
from acmnet.pipeline.training_run import train_run
from acmnet.pipeline.training_summary import shown_score, training_stamp
from acmnet.segments import Detections
from acmnet.text_files import parse_json, read_text

EXPECTATION_FILE: Final = "expectation.json"
HELD_OUT: Final = "held_out"
"""Folder of the trainings that names are checked with, while they are needed."""
PARTS: Final = 3
COST: Final = 0.5
"""What these trainings cost, as a share of the run's. They have half of the epochs of
the run's network at the least, which costs as much as a run of one network."""
TO_REVIEW: Final = 10
"""Detections that a person is asked to look at."""
MOST_VIDEOS: Final = 60
"""Videos on which the networks' agreement is measured, evenly spread."""
AGREE: Final = ((0.6, "agree well"), (0.35, "agree in part"), (0.0, "hardly agree"))
"""Words for the mean overlap from each of these on."""


class ExpectationError(ValueError):
    """An ``expectation.json`` that cannot be read; the message names it."""


class HeldOutNames(NamedTuple):
    """How well actions were named in videos that the network had not seen."""

    videos: int
    labels: int
    """Labels of these videos."""
    named: int
    """Actions that it named."""
    right: int
    """Of those, the ones that are among the labels."""
    classes: int
    """Of the run: so many actions could have been named in each video."""


class ToReview(NamedTuple):
    """A detection that a person is asked to look at."""

    video: str
    label: str
    start_s: float
    end_s: float
    score: float


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What can be said of a run without any true segment."""

    names: HeldOutNames | None
    """None where the videos do not allow it; see ``why_not``."""
    why_not: str
    """Why names were not checked, in words; empty where they were."""
    agreement: float | None
    """Mean overlap (tIoU) of what two of the run's networks find, in [0, 1]; None for
    a single network."""
    is_held_out: bool
    """Whether ``shown`` and ``to_review`` are of videos that were not trained on."""
    shown: int
    """Detections that are shown by default."""
    to_review: tuple[ToReview, ...]
    """Some of these, evenly spread over their scores, so that they stand for all."""

    def sentences(self) -> list[str]:
        """Return what a person should know, a sentence or two on each matter."""
        told = [self.why_not]
        if self.names is not None:
            several = "" if self.agreement is None else " and joins several networks"
            told = [
                f"{_of_names(self.names)} The run itself learned from all"
                f"{several}, so it should do better."
            ]
        if self.agreement is not None:
            words = next(words for least, words in AGREE if self.agreement >= least)
            told.append(
                f"Where: its networks, trained apart from each other, {words} on where "
                f"the actions are: what two of them find overlaps by "
                f"{self.agreement:.0%} on average."
            )
        return told


def _of_names(names: HeldOutNames) -> str:
    everywhere = names.videos * names.classes
    return (
        f"Names: one network learned from two thirds of the videos and named the "
        f"actions of the rest, three times over. It found {names.right} of "
        f"{counted(names.labels, 'label')}, and {names.right} of the {names.named} "
        f"that it named were right; by naming every action everywhere, {names.labels} "
        f"of {everywhere} would be."
    )


def expect(
    request: RunRequest, model: TrainedModel, results: Mapping[str, Detections]
) -> Expectation:
    """Return what to expect of a trained run, and keep it in the run.

    What was found before for the same training is not found again.

    Parameters
    ----------
    request : RunRequest
        Of the run; its training is finished.
    model : TrainedModel
        The run's.
    results : mapping of video id to Detections
        What the run found in all videos. Where some were not trained on, detections of
        those alone are to be reviewed.

    Raises
    ------
    ExpectationError
        If what the run keeps is damaged.
    """
    known = read_expectation(request.out)
    if known is not None:
        return known
    names, why_not = _held_out_names(request)
    others = {k: v for k, v in results.items() if k not in request.data.labels}
    shown, chosen = to_review(
        others or results, shown_score(request.out, model.settings)
    )
    agreed = _agreement(model, request)
    made = Expectation(names, why_not, agreed, bool(others), shown, chosen)
    values = {"training": training_stamp(request.out), **dataclasses.asdict(made)}
    values["names"] = None if names is None else names._asdict()
    values["to_review"] = [one._asdict() for one in chosen]
    write_json(request.out / EXPECTATION_FILE, values)
    shutil.rmtree(request.out / HELD_OUT, ignore_errors=True)
    return made


def read_expectation(run: Path) -> Expectation | None:
    """Return what a run keeps; None where it is of another training, or not there.

    Raises
    ------
    ExpectationError
        If it is damaged.
    """
    path = run / EXPECTATION_FILE
    if not path.exists():
        return None
    remedy = "delete it, and call acmnet fit again"
    text = read_text(path, "expectation", ExpectationError, remedy)
    content: Any = parse_json(str(path), text, "expectation", ExpectationError)
    try:
        names = content["names"]
        made = Expectation(
            None if names is None else HeldOutNames(**names),
            str(content["why_not"]),
            None if content["agreement"] is None else float(content["agreement"]),
            bool(content["is_held_out"]),
            int(content["shown"]),
            tuple(ToReview(**one) for one in content["to_review"]),
        )
        is_own = content["training"] == training_stamp(run)
    except (KeyError, TypeError, ValueError):
        raise ExpectationError(
            f"{path} is damaged or not written by acmnet; {remedy}"
        ) from None
    return made if is_own else None


def to_review(
    results: Mapping[str, Detections], shown_from: float | None
) -> tuple[int, tuple[ToReview, ...]]:
    """Return how many detections are shown, and some to look at.

    The shown ones are put in the order of their scores and cut into `TO_REVIEW` equal
    parts, of which each gives its middle: the share of right ones among these estimates
    that among all. Fewer are shown: all of them.
    """
    least = -np.inf if shown_from is None else shown_from
    shown = sorted(
        (
            ToReview(video, one.label, one.start_s, one.end_s, one.score)
            for video, found in results.items()
            for one in found
            if one.score >= least
        ),
        key=lambda one: (-one.score, one),
    )
    n = min(len(shown), TO_REVIEW)
    places = [(2 * i + 1) * len(shown) // (2 * n) for i in range(n)]
    return len(shown), tuple(shown[place] for place in places)


def _agreement(model: TrainedModel, request: RunRequest) -> float | None:
    """Return how well the run's networks agree on its training videos."""
    if len(model.networks) < 2:
        return None
    videos = sorted(request.data.labels)
    data = request.data.only(set(videos[:: -(-len(videos) // MOST_VIDEOS)]))
    found = [
        localize_videos(
            dataclasses.replace(model, networks=(network,), student=None), data
        )
        for network in model.networks
    ]
    each = [
        agreement(one, other, data.labels)
        for one, other in itertools.combinations(found, 2)
    ]
    return float(np.mean(each))


def _held_out_names(request: RunRequest) -> tuple[HeldOutNames | None, str]:
    """Return how well held-out videos are named, or why that cannot be told."""
    labels = request.data.labels
    names = request.data.annotations.class_names
    if all(set(own) == set(names) for own in labels.values()):
        return None, (
            "Names: every video carries every label, so naming them is no test; add "
            "videos without the action."
        )
    if fold_problems(labels, PARTS, request.data.annotations.source):
        return None, (
            "Names: to check them on videos that were not learned from, every label "
            "must be in two videos or more."
        )
    settings = request.settings
    full, affordable = settings.training.epochs, COST * settings.epochs / (PARTS - 1)
    epochs = min(full, max(int(affordable), full // 2, 1))
    short = dataclasses.replace(
        settings.without_student(),
        training=dataclasses.replace(settings.training, epochs=epochs),
    )
    # what an earlier training left behind, cut short, is of no use to this one
    out = request.out / HELD_OUT / training_stamp(request.out)
    part = dataclasses.replace(request, out=out, settings=short, overwrite=False)
    total = np.zeros(4, dtype=np.int64)
    for fold in folds_of(part, folds=PARTS, seeds=(request.seed,)):
        train_run(fold.run)
        model = load(fold.run.out, device=request.device)
        least = shown_score(fold.run.out, model.settings)
        for video, own in fold.test.labels.items():
            best = model.best_scores(fold.test.store.read(video))
            is_named = best >= (np.inf if least is None else least)
            is_right = is_named & np.isin(names, own)
            total += 1, len(own), int(is_named.sum()), int(is_right.sum())
    videos, n_labels, named, right = total.tolist()
    return HeldOutNames(videos, n_labels, named, right, len(names)), ""
