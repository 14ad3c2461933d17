"""How well actions are named in videos that were not learned from, and what would help.

The videos are dealt into three parts. A network learns from two of them and names the
actions of the third, for each part; true segments, where there are any, only score it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.data.labelled_features import Data
from acmnet.data.video_groups import VideoGroups
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.messages import counted, quoted, some
from acmnet.models.stored_model import load
from acmnet.models.training_summary import shown_score, training_stamp
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import BoolArray
from acmnet.validation.cross_validation import TIOU, folds_of
from acmnet.validation.folds import Labels, fold_problems

HELD_OUT: Final = "held_out"
"""Folder of a run in which the trainings lie while names are checked with them."""
HELD_OUT_PARTS: Final = 3
"""Parts that the videos are dealt into; each is held out once."""
CHECK_COST_SHARE: Final = 0.5
"""What these trainings cost, as a share of the run's. They have at least half of the
epochs of the run's network, which costs as much as a run of one network."""

PARTS_IN_WORDS: Final = ("two thirds", "three times")
"""What is learned from with `HELD_OUT_PARTS` parts, and how often, in words."""

GOOD_F1: Final = 0.8
"""From this share of right names on (F1), names are called good enough."""
USABLE_F1: Final = 0.5
"""From this share of right names on (F1), names are called usable with review."""
LEAST_FOUND_SHARE: Final = 0.5
"""A class is mentioned if it is named right in a smaller share of its videos."""
FEW_VIDEOS: Final = 10
"""More videos are requested of a class that has fewer than this."""
LEAST_CONFUSED_SHARE: Final = 0.5
"""Two classes are called confused if at least this share of the videos of one is given
the name of the other."""
LEAST_CONFUSED_VIDEOS: Final = 3
"""A confusion is mentioned if it happened in at least this many videos."""
MOST_SENTENCES: Final = 3
"""Classes, and pairs of classes, that are mentioned at most; the worst come first."""
OTHER_FEATURES: Final = "another extractor or, with tracks, more points"
"""What to try where features do not show a class."""

WHERE_NAMES_TELL_LITTLE: Final = (
    "add videos without the actions, or mark every action in three or more videos, say "
    "that you watched these, and learn again with --supervision all"
)
"""What helps where nearly all videos carry the same names (docs/decisions.md, D-172).
"""


class ClassNaming(NamedTuple):
    """How well one class was named in held-out videos."""

    label: str
    videos: int
    """Number of videos that carry the label."""
    found: int
    """Number of those in which the class was named."""
    others: int = 0
    """Number of videos that do not carry the label."""
    wrong: int = 0
    """Number of those in which the class was named all the same."""

    @property
    def is_weak(self) -> bool:
        """Whether it is found in few of its videos, or named wrong more than right."""
        return self.found < LEAST_FOUND_SHARE * self.videos or self.wrong > self.found

    @property
    def share_right(self) -> float:
        """The harmonic mean of precision and recall (F1), in [0, 1]."""
        return 2 * self.found / max(self.found + self.wrong + self.videos, 1)

    def sentence(self) -> str:
        """Return what would help this class, and why."""
        label = quoted(self.label)
        shows = "shows" if self.videos == 1 else "show"
        rate = (
            f"{label} was named in {self.found} of the "
            f"{counted(self.videos, 'held-out video')} that {shows} it"
        )
        if self.wrong:
            does = "does" if self.others == 1 else "do"
            rate += f", and in {self.wrong} of the {self.others} that {does} not"
        if self.videos < FEW_VIDEOS:
            return f"More videos of {label} would help: {rate}."
        reason = (
            "do not tell it from what else happens"
            if self.wrong > self.found
            else "say little of it"
        )
        return f"{rate}: these features {reason}; try {OTHER_FEATURES}."


class Confusion(NamedTuple):
    """A class whose videos are given the name of another class."""

    label: str
    """What the videos carry."""
    other: str
    """What is named in them, though they do not carry it."""
    videos: int
    """Number of videos that carry ``label`` and not ``other``."""
    named: int
    """Number of those in which ``other`` was named."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOutNames:
    """How well actions were named in videos that the network had not seen."""

    videos: int
    labels: int
    """Number of labels that these videos carry, all videos together."""
    named: int
    """Number of actions that were named, all videos together."""
    right: int
    """Number of those that are among the labels of their video."""
    classes: int
    """Number of classes that could have been named in each video."""
    each: tuple[ClassNaming, ...] = ()
    """How well each class was named."""
    confused: tuple[Confusion, ...] = ()
    """Classes that are taken for another, the worst first."""
    parts: int = HELD_OUT_PARTS
    """Parts that the videos were dealt into; all but one were learned from."""
    by_group: bool = False
    """Whether videos that belong together were held out together."""
    average_map: float | None = None
    """Average mAP at tIoU 0.1 to 0.7 of the same networks on the same videos, in
    [0, 1]; None where no true segments are known."""

    @property
    def share_right(self) -> float:
        """The harmonic mean of precision and recall of the names (F1), in [0, 1]."""
        return 2 * self.right / max(self.named + self.labels, 1)

    @property
    def tells_videos_apart(self) -> bool:
        """Whether a larger share was right than by naming every action everywhere."""
        return self.right * self.videos * self.classes > self.named * self.labels

    @property
    def is_good(self) -> bool:
        """Whether most names in new videos can be expected to be right."""
        return self.tells_videos_apart and self.share_right >= GOOD_F1

    def sentences(self, *, joins_networks: bool) -> list[str]:
        """Return what a person should know, and what they can do about it."""
        several = " and joins several networks" if joins_networks else ""
        unseen = " (all videos of a group together)" if self.by_group else ""
        share, times = ("half", "twice") if self.parts == 2 else PARTS_IN_WORDS
        sentence = (
            f"Names: one network learned from {share} of the videos and named the "
            f"actions of the rest{unseen} {times} over. It found {self.right} of "
            f"{counted(self.labels, 'label')}, and {self.right} of the {self.named} "
            f"that it named were right; by naming every action everywhere, "
            f"{self.labels} of {self.videos * self.classes} would be. The run itself "
            f"learned from all{several}, so it should do better. {self._verdict()}"
        )
        if not self.by_group:
            sentence += (
                " New persons, cameras or days may be harder: --groups tests on videos "
                "of such that were not learned from."
            )
        segments = []
        if self.average_map is not None:
            segments = [
                f"Segments: on the same held-out videos the average mAP was "
                f"{self.average_map:.0%} (tIoU 0.1 to 0.7)."
            ]
        return [sentence, *segments, *self._advice()]

    def _verdict(self) -> str:
        """Return whether the names are good enough, in words."""
        if self.named and not self.tells_videos_apart:
            return (
                "Naming every action everywhere is no worse, so "
                f"{WHERE_NAMES_TELL_LITTLE}."
            )
        if self.is_good:
            return "That is good enough: expect most names in new videos to be right."
        if self.share_right >= USABLE_F1:
            return (
                "That is usable with review: expect wrong and missing names in new "
                "videos."
            )
        return "That is not good enough yet: review what it finds in new videos."

    def _advice(self) -> Iterator[str]:
        """Yield what would help the classes that are named worst.

        Where names are not good enough, it says so of one class at least, unless two
        classes are confused.
        """
        taken_for = {pair.other for pair in self.confused}
        ranked = sorted(
            self.each, key=lambda naming: (naming.share_right, naming.label)
        )
        weak = [
            naming
            for naming in ranked
            if naming.is_weak
            and (naming.wrong <= naming.found or naming.label not in taken_for)
        ]
        if not weak and not self.confused and not self.is_good:
            weak = ranked[:1]
        yield from (naming.sentence() for naming in weak[:MOST_SENTENCES])
        for pair in self.confused[:MOST_SENTENCES]:
            yield (
                f"These features do not tell {quoted(pair.label)} from "
                f"{quoted(pair.other)}: {quoted(pair.other)} was named in {pair.named} "
                f"of the {pair.videos} held-out videos that show {quoted(pair.label)} "
                "without it. Check the labels of both, join them, or try "
                f"{OTHER_FEATURES}."
            )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "HeldOutNames":
        """Return what `dataclasses.asdict` made and JSON kept."""
        each = tuple(ClassNaming(*fields) for fields in values.get("each", ()))
        confused = tuple(Confusion(*fields) for fields in values.get("confused", ()))
        return cls(**values | {"each": each, "confused": confused})


def confusions(
    is_named: BoolArray, carries: BoolArray, names: Sequence[str]
) -> tuple[Confusion, ...]:
    """Return the classes that are taken for another, the worst first.

    Parameters
    ----------
    is_named : (N, C) array of bool
        Which classes were named in each of N videos.
    carries : (N, C) array of bool
        Which labels each video carries.
    names : sequence of str
        The C class names.

    Examples
    --------
    >>> named = np.array([[1, 1], [1, 1], [0, 1], [1, 0]], dtype=bool)
    >>> carries = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], dtype=bool)
    >>> confusions(named, carries, ["nod", "bow"])
    (Confusion(label='nod', other='bow', videos=4, named=3),)
    """
    pairs = []
    for i, label in enumerate(names):
        for j, other in enumerate(names):
            alone = carries[:, i] & ~carries[:, j]
            n, wrong = int(alone.sum()), int(is_named[alone, j].sum())
            if (
                i != j
                and n >= LEAST_CONFUSED_VIDEOS
                and wrong >= LEAST_CONFUSED_SHARE * n
            ):
                pairs.append(Confusion(label, other, n, wrong))
    return tuple(sorted(pairs, key=lambda pair: (-pair.named / pair.videos, pair)))


def why_not_checked(data: Data, groups: VideoGroups | None) -> str:
    """Return why names cannot be checked on held-out videos; empty where they can."""
    labels, names = data.labels, data.annotations.class_names
    if all(set(own_names) == set(names) for own_names in labels.values()):
        return (
            "Names: every video carries every label, so naming them is no test; "
            f"{WHERE_NAMES_TELL_LITTLE}."
        )
    parts = _parts(groups)
    if fold_problems(labels, parts, data.annotations.source, groups):
        unit = "videos" if groups is None else "groups of videos"
        alone = _labels_in_one_unit(labels, names, groups)
        which = f"; in only one: {some(alone)}" if alone else ""
        return (
            "Names: to check them on videos that were not learned from, every label "
            f"must be in two {unit} or more{which}."
        )
    return ""


def _labels_in_one_unit(
    labels: Labels, names: Sequence[str], groups: VideoGroups | None
) -> list[str]:
    """Return the labels that only one video carries, or only one group of videos."""
    group_of = {} if groups is None else groups.group_of
    units = {name: set[str]() for name in names}
    for video, own_names in labels.items():
        for name in own_names:
            units[name].add(group_of.get(video, video))
    return [name for name in names if len(units[name]) == 1]


def _parts(groups: VideoGroups | None) -> int:
    """Return how many parts the videos are dealt into."""
    return HELD_OUT_PARTS if groups is None else min(HELD_OUT_PARTS, groups.n_groups)


def held_out_names(request: RunRequest, groups: VideoGroups | None) -> HeldOutNames:
    """Train on two thirds of a run's videos, name the rest, for each third.

    Parameters
    ----------
    request : RunRequest
        The run's, whose training is finished; `why_not_checked` of its data is empty.
    groups : VideoGroups or None
        Which videos belong together and are held out together.
    """
    names = request.data.annotations.class_names
    part = _short(request)
    named, carried, averages = [], [], []
    folds = folds_of(part, folds=_parts(groups), groups=groups, seeds=(request.seed,))
    for fold in folds:
        train_run(fold.run)
        model = load(fold.run.out, device=request.device)
        least = shown_score(fold.run.out, model.settings)
        for video, own_names in fold.test.labels.items():
            store = fold.test.store
            best = model.best_scores(store.read(video), cuts_s=store.cuts_s(video))
            named.append(best >= (np.inf if least is None else least))
            carried.append(np.isin(names, own_names))
        videos = fold.test.annotations.videos.items()
        known = fold.test.only({k for k, v in videos if not v.has_names_alone})
        if any(video.instances for video in known.annotations.videos.values()):
            results = localize_videos(model, known)
            report = evaluate(known.annotations, results, tiou=TIOU)
            averages.append(float(report.map.mean()))
    # (videos, classes)
    is_named, carries = np.array(named), np.array(carried)
    return HeldOutNames(
        videos=len(carries),
        labels=int(carries.sum()),
        named=int(is_named.sum()),
        right=int((is_named & carries).sum()),
        classes=len(names),
        each=_of_each_class(is_named, carries, names),
        confused=confusions(is_named, carries, names),
        parts=_parts(groups),
        by_group=groups is not None,
        average_map=float(np.mean(averages)) if averages else None,
    )


def _of_each_class(
    is_named: BoolArray, carries: BoolArray, names: Sequence[str]
) -> tuple[ClassNaming, ...]:
    """Return how each class was named in videos that carry it, and in others."""
    counts = (x.sum(axis=0).tolist() for x in (carries, is_named & carries, is_named))
    return tuple(
        ClassNaming(name, n, right, len(carries) - n, n_named - right)
        for name, n, right, n_named in zip(names, *counts, strict=True)
    )


def _short(request: RunRequest) -> RunRequest:
    """Return the run's request for trainings of one network, with fewer epochs."""
    schedule = dataclasses.replace(request, begin_from=None).schedule
    full = schedule.training.epochs
    affordable = int(CHECK_COST_SHARE * schedule.epochs / (HELD_OUT_PARTS - 1))
    epochs = min(full, max(affordable, full // 2, 1))
    short = schedule.without_student().of_exactly(epochs)
    # what an earlier training left behind, cut short, is of no use to this one
    out = request.out / HELD_OUT / training_stamp(request.out)
    return dataclasses.replace(
        request, out=out, settings=short, overwrite=False, begin_from=None
    )
