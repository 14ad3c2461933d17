"""Decide by a trial whether a run's teachers learn a person's marks.

With little video, teachers that learn marks learn those videos by heart, and teachers
that learned the names alone help a student more. With more video it is the other way
round. So before the teachers are trained, networks learn one half of the marks and are
scored on the other half.
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
from acmnet.models.stored_model import TEACHERS, TRIAL, load_network, teaching
from acmnet.network.acm_net import ACMNet
from acmnet.runs.earlier_run import has_same_marks
from acmnet.runs.marks_on_grid import marks_on_grid
from acmnet.runs.network_training import trained_model
from acmnet.runs.run_request import RunRequest
from acmnet.runs.teacher_training import (
    as_teacher,
    keeps_teachers,
    trained_together,
)
from acmnet.startup import is_first_process
from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.second_stage.held_out_marks import (
    Gain,
    gain,
    halves,
    log_densities,
)
from acmnet.training.second_stage.pseudo_labels import pseudo_labels

EPOCHS: Final = 0.5
"""Share of a teacher's epochs that a network of the trial takes. In a round, which is
short already, it takes all of them."""
NETWORKS: Final = 3
"""Networks that a trial trains: one learns the names, and two each a half of the marks.
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
    """Return the values of a trial in words; empty where nothing was tried.

    Examples
    --------
    >>> found = Gain(videos=23, of_names=1.6, of_marks=1.3, errors=-2.8)
    >>> told = sentence_of(Trial(False, found).values())
    >>> told.partition(":")[0]
    'in a trial on 23 videos, half of your marks were held out'
    >>> told.partition(", so ")[2]
    'only the student learned your marks, not its teachers'
    """
    found = values.get("trial")
    if not found:
        return ""
    verdict = "not clearly better, so only the student learned your marks, not its"
    if values["teachers_learn_marks"]:
        verdict = "clearly better, so the student learned your marks, and so did its"
    return (
        f"in a trial on {counted(found['videos'], 'video')}, half of your marks were "
        f"held out: networks that had learned the other half found them "
        f"{found['of_marks']:.1f} times as well as chance, and a network that had "
        f"learned names alone {found['of_names']:.1f} times; that is {verdict} teachers"
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
    tried = [own for own in values if own.get("trial")]
    if not tried:
        return ""
    better = sum(own["teachers_learn_marks"] for own in tried)
    return (
        "whether teachers should learn your marks, too, was tried on held-out marks in "
        f"{len(tried)} of {counted(len(values), 'training')}: in {better} it made "
        "the held-out marks clearly easier to find, so teachers and student learned "
        f"your marks; in {len(tried) - better} it did not, so only the student learned "
        "them"
    )


class TrialPlan(NamedTuple):
    """What the trial of a run trains."""

    parts: tuple[frozenset[str], frozenset[str]]
    """The halves of the videos with marks."""
    trainings: tuple[RunRequest, ...]
    """The trainings: of the names alone, unless a network that learned them is there
    from an earlier run, and of each half."""

    @property
    def epochs(self) -> int:
        """Epochs of all trainings together."""
        return sum(one.schedule.training.epochs for one in self.trainings)


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
    parts = halves(marks_on_grid(request))
    return None if parts is None else TrialPlan(parts, _trainings(request, parts))


def try_marks(
    request: RunRequest,
    plan: TrialPlan | None,
    dataset: WeakDataset,
    mined_snippets: Callable[[], Mapping[str, SnippetMarks]],
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> Trial:
    """Return whether the teachers of a run should learn its marks.

    A network learns one half of the marks, another one the other half, and each is
    compared, on the marks that it was not given, with a network that learned the names
    alone. Teachers learn the marks only if that is a clear gain, see
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
    if len(networks) > len(plan.parts):
        of_names, *of_halves = networks
    else:
        of_names, of_halves = _earlier_teacher(request), list(networks)
    names: dict[str, list[float]] = {}
    marks: dict[str, list[float]] = {}
    for network, held_out in zip(of_halves, reversed(plan.parts), strict=True):
        names |= _found(request, of_names, held_out)
        marks |= _found(request, network, held_out)
    found = gain(names, marks)
    return Trial(found.is_clear, found)


def of_names_alone(request: RunRequest) -> RunRequest:
    """Return a request for the same training without any mark."""
    return dataclasses.replace(request, supervision="names")


def remove_trial(run: Path) -> None:
    """Remove the networks of a trial from a run."""
    if is_first_process():
        shutil.rmtree(run / TRIAL, ignore_errors=True)


def _trainings(
    request: RunRequest, parts: Sequence[Collection[str]]
) -> tuple[RunRequest, ...]:
    """Return the trainings of a trial: of names, unless known, and of each half."""
    short = _short(request)
    names = as_teacher(of_names_alone(short), request.out / TRIAL / "names", 0)
    by_half = [
        as_teacher(_given(short, part), request.out / TRIAL / f"half_{i}", 0)
        for i, part in enumerate(parts)
    ]
    is_known = keeps_teachers(of_names_alone(request))
    return tuple(by_half if is_known else [names, *by_half])


def _short(request: RunRequest) -> RunRequest:
    """Return the request with the epochs of a trial."""
    if request.begin_from is not None:
        return request
    settings = request.settings
    epochs = math.ceil(EPOCHS * settings.training.epochs)
    training = dataclasses.replace(settings.training, epochs=epochs)
    settings = dataclasses.replace(settings, training=training)
    return dataclasses.replace(request, settings=settings)


def _given(request: RunRequest, videos: Collection[str]) -> RunRequest:
    """Return the request with the marks of some videos, and the names of all."""
    kept = {
        key: video
        if key in videos
        else dataclasses.replace(video, instances=(), points=(), watched=())
        for key, video in request.data.annotations.videos.items()
    }
    annotations = dataclasses.replace(request.data.annotations, videos=kept)
    data = dataclasses.replace(request.data, annotations=annotations)
    return dataclasses.replace(request, data=data)


def _earlier_teacher(request: RunRequest) -> ACMNet:
    """Return the first teacher of the earlier run, which learned names alone."""
    if request.begin_from is None:
        raise ValueError("the request names no earlier run")
    config = load_config(request.begin_from)
    k = teaching(config, request.settings.teachers.count)[0]
    return load_network(request.begin_from / TEACHERS / str(k), device=request.device)


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
