"""Decide by a trial whether a run's teachers learn a person's marks.

With little video, teachers that learn marks learn those videos by heart, and teachers
that learned the names alone help a student more. In a round, such marks teach a student
nothing either, and it is kept as it was. With more video it is the other way round. So
before the teachers are trained, networks learn the marks of some videos and are scored
on those of the others.
"""

import dataclasses
import math
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.datasets import WeakDataset
from acmnet.messages import counted
from acmnet.models.stored_model import TEACHERS, TRIAL, teaching
from acmnet.network.acm_net import ACMNet
from acmnet.runs.earlier_run import begin_with_earlier, has_same_marks
from acmnet.runs.marks_on_grid import marks_on_grid
from acmnet.runs.network_training import trained_model
from acmnet.runs.run_request import RunRequest
from acmnet.runs.teacher_training import as_teacher, trained_together
from acmnet.runtime.startup import is_first_process
from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.second_stage.held_out_marks import Gain, gain, log_densities, parts
from acmnet.training.second_stage.pseudo_labels import pseudo_labels

KEEPS_STUDENT: Final = "keeps_student"
"""What a round's checkpoint keeps, true, if its student is that of the earlier run."""
EPOCHS: Final = 0.5
"""Share of a teacher's epochs that a network of the trial takes in a training that
begins with nothing. In a round it is `acmnet.recipes.settings.TRIAL_SHARE`."""
NETWORKS: Final = 3
"""Networks that a trial trains where a training begins with nothing: one learns the
names, and two the marks of a half of the videos each."""
FEWEST_PARTS: Final = 2
"""Fewest parts of the marked videos: one network learns the marks of all parts but one.
"""
LEAST_SCORE: Final = 1e-9
"""Least score of a proposal that counts, as a share of the best score of its class in
the video."""


class Trial(NamedTuple):
    """The result of a trial: whether a run's teachers learn marks, and the gain."""

    learns_marks: bool
    """Whether the teachers learn the marks, or the student alone does."""
    gain: Gain | None = None
    """The gain that was measured; None where nothing was tried."""

    def values(self) -> dict[str, Any]:
        """Return it as plain values, for the checkpoint."""
        found = None if self.gain is None else self.gain._asdict()
        if found is not None and not math.isfinite(found["errors"]):
            found["errors"] = None
        return {"teachers_learn_marks": self.learns_marks, "trial": found}


def sentence_of(values: Mapping[str, Any]) -> str:
    """Return what a run keeps of its trial in words; empty where nothing was tried.

    Examples
    --------
    >>> found = Gain(videos=23, of_names=1.6, of_marks=1.3, errors=-2.8)
    >>> told = sentence_of(Trial(False, found).values())
    >>> told.partition(":")[0]
    'in a trial on 23 videos, each of your marks was held out once'
    >>> told.partition(", so ")[2]
    'only the student learned your marks, not its teachers'
    >>> kept = Trial(False, found).values() | {KEEPS_STUDENT: True}
    >>> sentence_of(kept).partition(", so ")[2]
    'the earlier model was kept as it is, and your marks changed nothing'
    """
    found = values.get("trial")
    if not found:
        return ""
    verdict = (
        "not clearly better, so only the student learned your marks, not its teachers"
    )
    if values["teachers_learn_marks"]:
        verdict = (
            "clearly better, so the student learned your marks, and so did its teachers"
        )
    elif values.get(KEEPS_STUDENT):
        verdict = (
            "not clearly better, so the earlier model was kept as it is, and your "
            "marks changed nothing"
        )
    return (
        f"in a trial on {counted(found['videos'], 'video')}, each of your marks was "
        "held out once: networks that had learned marks of other videos found them "
        f"{found['of_marks']:.1f} times as well as chance, and networks that had "
        f"learned names alone {found['of_names']:.1f} times; that is {verdict}"
    )


def sentence_of_trainings(values: Sequence[Mapping[str, Any]]) -> str:
    """Return the values of the trials of several trainings in words.

    Empty where nothing was tried in any of them.

    Examples
    --------
    >>> tried = Gain(videos=23, of_names=1.6, of_marks=1.3, errors=-2.8)
    >>> found = [Trial(False, tried), Trial(True, tried), Trial(True)]
    >>> told = sentence_of_trainings([one.values() for one in found])
    >>> told.partition(": ")[0][-47:]
    'was tried on held-out marks in 2 of 3 trainings'
    >>> told.partition(": ")[2].partition("; ")[2]
    'in 1 it did not, so only the student learned them'
    """
    tried = [one for one in values if one.get("trial")]
    if not tried:
        return ""
    better = sum(one["teachers_learn_marks"] for one in tried)
    return (
        "whether teachers should learn your marks, too, was tried on held-out marks in "
        f"{len(tried)} of {counted(len(values), 'training')}: in {better} it made "
        "the held-out marks clearly easier to find, so teachers and student learned "
        f"your marks; in {len(tried) - better} it did not, so only the student learned "
        "them"
    )


class TrialPlan(NamedTuple):
    """What the trial of a run trains."""

    parts: tuple[frozenset[str], ...]
    """The parts of the videos with marks."""
    of_marks: tuple[RunRequest, ...]
    """A training for each part: of all names, and of the marks of all other parts."""
    of_names: RunRequest | None
    """The training of names alone; None in a round, where the teachers of the earlier
    run have learned them."""

    @property
    def trainings(self) -> tuple[RunRequest, ...]:
        """All trainings of the trial."""
        return (
            self.of_marks if self.of_names is None else (self.of_names, *self.of_marks)
        )

    @property
    def epochs(self) -> int:
        """Epochs of all trainings together."""
        return sum(one.schedule.training.epochs for one in self.trainings)

    def request_after(self, request: RunRequest) -> RunRequest:
        """Return the request for the teachers that follow the trial.

        In a round they take the epochs that the trial leaves, so that a round with a
        trial takes as many as one without.
        """
        if self.of_names is not None:
            return request
        settings = request.settings.after_a_trial_in_a_round()
        return dataclasses.replace(request, settings=settings)

    def beginnings(self) -> dict[int, Path]:
        """Return the networks that teachers go on from, by the places of the teachers.

        In a round, each network of the trial begins with the weights of a teacher. If
        the teachers learn the marks, they go on from there.
        """
        if self.of_names is not None:
            return {}
        return {
            int(one.begin_from.name): one.out
            for one in reversed(self.of_marks)
            if one.begin_from is not None
        }


def trial_plan(request: RunRequest) -> TrialPlan | None:
    """Return what the trial of a run trains; None where nothing is to be tried.

    Nothing is tried where marks have no weight, or in too few videos. Teachers that
    learned marks in an earlier run go on doing so, as no network of names is there to
    be compared with. So do teachers of classes that the earlier run did not have, which
    only marks and a short training teach them.
    """
    if not request.marks or not request.settings.loss.marks_weight:
        return None
    earlier = request.begin_from
    if earlier is not None:
        new = set(request.data.annotations.class_names)
        new -= set(load_config(earlier).class_names)
        teacher = earlier / TEACHERS / "0"
        if new or not has_same_marks(of_names_alone(request), teacher):
            return None
    marks = marks_on_grid(request)
    if earlier is None:
        held_out = parts(marks, FEWEST_PARTS)
        return (
            None if held_out is None else _plan_of_a_whole_training(request, held_out)
        )
    places = teaching(load_config(earlier), request.settings.teachers.count)
    held_out = parts(marks, max(FEWEST_PARTS, len(places)))
    return None if held_out is None else _plan_of_a_round(request, held_out, places)


def try_marks(
    request: RunRequest,
    plan: TrialPlan | None,
    dataset: WeakDataset,
    mined_snippets: Callable[[], Mapping[str, SnippetMarks]],
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> Trial:
    """Return whether the teachers of a run should learn its marks.

    Each network learns the marks of all videos with marks but one part of them. On that
    part it is compared with a network that learned the names alone. Teachers learn the
    marks only if that is a clear gain, see
    `acmnet.training.second_stage.held_out_marks`. Without a plan, they learn marks that
    have weight.

    Parameters
    ----------
    request : RunRequest
        The run, which has a student and is given marks.
    plan : TrialPlan or None
        What `trial_plan` returns for the run.
    dataset : WeakDataset
        What the teachers learn from.
    mined_snippets, on_step, on_note : callables
        As for `acmnet.runs.teacher_training.trained_teachers`.
    """
    if plan is None:
        return Trial(learns_marks=request.settings.loss.marks_weight > 0.0)
    networks = trained_together(
        plan.trainings, dataset, mined_snippets, on_step, on_note
    )
    of_marks = networks[-len(plan.parts) :]
    of_names = networks[:1] * len(plan.parts)
    if plan.of_names is None:
        of_names = tuple(_as_it_begins(one, dataset) for one in plan.of_marks)
    names: dict[str, list[float]] = {}
    marks: dict[str, list[float]] = {}
    for one, other, part in zip(of_names, of_marks, plan.parts, strict=True):
        names |= _found(request, one, part)
        marks |= _found(request, other, part)
    found = gain(names, marks)
    return Trial(found.is_clear, found)


def of_names_alone(request: RunRequest) -> RunRequest:
    """Return a request for the same training without any mark."""
    return dataclasses.replace(request, supervision="names")


def remove_trial(run: Path) -> None:
    """Remove the networks of a trial from a run."""
    if is_first_process():
        shutil.rmtree(run / TRIAL, ignore_errors=True)


def _plan_of_a_whole_training(
    request: RunRequest, held_out: tuple[frozenset[str], ...]
) -> TrialPlan:
    """Return the trial of a training that begins with nothing.

    All its networks have the first teacher's seed, and a share of its epochs.
    """
    epochs = math.ceil(EPOCHS * request.settings.training.epochs)
    settings = request.settings.of_exactly(epochs)
    short = dataclasses.replace(request, settings=settings)
    of_names = as_teacher(of_names_alone(short), request.out / TRIAL / "names", 0)
    places = [0] * len(held_out)
    return TrialPlan(held_out, _of_marks(short, held_out, places), of_names)


def _plan_of_a_round(
    request: RunRequest, held_out: tuple[frozenset[str], ...], places: Sequence[int]
) -> TrialPlan:
    """Return the trial of a round: each teacher learns what another part leaves.

    Parameters
    ----------
    request : RunRequest
        The round.
    held_out : tuple of sets of str
        The parts of the marked videos.
    places : sequence of int
        The places of the earlier run's teachers. Where they are fewer than the parts,
        several networks begin with the same one.
    """
    settings = request.settings.of_a_trial_in_a_round()
    short = dataclasses.replace(request, settings=settings)
    begun = [places[i % len(places)] for i in range(len(held_out))]
    return TrialPlan(held_out, _of_marks(short, held_out, begun), None)


def _of_marks(
    request: RunRequest, held_out: Sequence[Collection[str]], places: Sequence[int]
) -> tuple[RunRequest, ...]:
    """Return a training for each part, like that of the teacher in each place."""
    return tuple(
        as_teacher(_without(request, part), request.out / TRIAL / f"without_{i}", k)
        for i, (part, k) in enumerate(zip(held_out, places, strict=True))
    )


def _without(request: RunRequest, videos: Collection[str]) -> RunRequest:
    """Return the request without the marks of some videos, whose names stay."""
    kept = {
        key: dataclasses.replace(video, instances=(), points=(), watched=())
        if key in videos
        else video
        for key, video in request.data.annotations.videos.items()
    }
    annotations = dataclasses.replace(request.data.annotations, videos=kept)
    data = dataclasses.replace(request.data, annotations=annotations)
    return dataclasses.replace(request, data=data)


def _as_it_begins(request: RunRequest, dataset: WeakDataset) -> ACMNet:
    """Return the network that a training from an earlier run begins with."""
    n_classes = len(request.data.annotations.class_names)
    network = ACMNet(dataset.dimension, n_classes, request.settings.model)
    begin_with_earlier(request, network)
    return network.to(request.device).eval()


def _found(
    request: RunRequest, network: ACMNet, videos: Collection[str]
) -> dict[str, list[float]]:
    """Return the log densities of a network's proposals at the marks of some videos."""
    model, settings = trained_model(request, (network,)), request.settings
    rules = dataclasses.replace(settings.pseudo_labels, relative_score=LEAST_SCORE)
    column = {name: c for c, name in enumerate(model.class_names)}
    marks = marks_on_grid(request)
    found = {}
    for video in sorted(videos):
        outputs = model.activations(request.data.store.read(video))
        classes = [column[name] for name in request.data.labels[video]]
        proposed = pseudo_labels(
            outputs, classes, settings.localization, rules
        ).instances
        found[video] = log_densities(marks[video], proposed, outputs.n_snippets)
    return found
