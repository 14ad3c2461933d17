"""Training of the second stage in a run's directory: teachers and their student."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from acmnet.data.datasets import WeakDataset
from acmnet.data.detections.detection_files import write_detections
from acmnet.data.labels.marks import marked_classes
from acmnet.localization.video_activations import VideoActivations
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import summarized_videos
from acmnet.network.network_settings import ModelSettings
from acmnet.network.student import Student
from acmnet.runs.earlier_run import begin_with_earlier
from acmnet.runs.marks_on_grid import marks_on_grid
from acmnet.runs.marks_trial import (
    KEEPS_STUDENT,
    Trial,
    of_names_alone,
    remove_trial,
    sentence_of,
    trial_plan,
    try_marks,
)
from acmnet.runs.network_training import (
    snippets_mined_from_names,
    trained_model,
    weak_dataset,
)
from acmnet.runs.run_directory import PSEUDO_LABELS, RunDirectory
from acmnet.runs.run_request import RunRequest
from acmnet.runs.run_state import RunOnDisk
from acmnet.runs.silent_teachers import sentence_of_teachers
from acmnet.runs.teacher_training import (
    SHARE_OF_EPOCHS,
    keeps_teachers,
    share_of_epochs,
    trained_teachers,
)
from acmnet.segments import Detections
from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.mining.snippet_mining import mining_note
from acmnet.training.optimisation.adam import Adam
from acmnet.training.optimisation.schedule import WARM_UP_STEPS, Schedule
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.optimisation.training_loop import Progress, optimize
from acmnet.training.second_stage.boundary_shifts import Trust
from acmnet.training.second_stage.marked_labels import learned_with_marks
from acmnet.training.second_stage.pseudo_labels import (
    StudentTask,
    all_proposals,
    mean_best_score,
    pseudo_labels,
)
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels
from acmnet.training.second_stage.unmarked_stretches import learned_elsewhere

KNOWN_BY_HEART: Final = "known_by_heart"
"""What a run keeps, true, if its teachers know the long recordings with marks by heart
and find less in the others (docs/decisions.md, D-171)."""


class _ToLearn(NamedTuple):
    """What a student learns, and from what."""

    labels: dict[str, PseudoLabels]
    """What it learns of each video."""
    trust: Trust
    """How much the teachers count beside marks."""
    is_by_heart: bool
    """Whether the teachers know the long recordings with marks by heart."""
    outputs: dict[str, VideoActivations]
    """What `train_student` returns."""


def train_student(
    request: RunRequest,
    found: RunOnDisk,
    given: bytes,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> dict[str, VideoActivations]:
    """Train the teachers, each in a run of its own, and then the student on their mean.

    Teachers that are trained are not trained again. Where marks are given, a trial says
    first whether the teachers learn them, see `acmnet.runs.marks_trial`. If they do not
    and nothing but marks is new since the earlier run, its student is kept, too.

    Parameters
    ----------
    request : RunRequest
        What to train on, how, and where to.
    found : RunOnDisk
        What the training of the student begins with.
    given : bytes
        The label file that the checkpoints keep for reports.
    on_step, on_note : callables
        As for `acmnet.runs.training_run.train_run`.

    Returns
    -------
    dict of video id to VideoActivations
        The teachers' mean outputs for the videos that the run's summary is made of.
    """
    run = RunDirectory(request, found, given)
    run.prepare()
    dataset = weak_dataset(request)
    taught, trial, before = _taught(request, run, dataset, on_step, on_note)
    model, task, outputs = _student(request, taught, dataset, run, trial)
    share = _share_of_student(request)
    if share < 1.0:
        run.facts[SHARE_OF_EPOCHS] = share
    schedule = _schedule(request, share)
    is_kept = run.state is None and _keeps_student(request, trial)
    if is_kept:
        run.facts[KEEPS_STUDENT] = True
        run.take_student_files()
    if schedule.is_shortened and request.begin_from is None:
        usual = request.schedule.student_training.epochs
        on_note(
            "the teachers learned the names of the videos early, so they took "
            f"{share:.0%} of their epochs, and the student takes {schedule.epochs} of "
            f"{usual}"
        )

    def as_model(network: nn.Module) -> TrainedModel:
        if not isinstance(network, Student):
            raise TypeError(f"expected a Student, got {type(network).__name__}")
        return dataclasses.replace(taught, students=(network,))

    model.to(request.device)
    with run.opened() as log:
        if is_kept:
            run.end_epoch(log, _untrained(model, schedule.epochs), as_model)
        else:
            later = _later(on_step, before, before + schedule.epochs)
            optimize(
                model,
                task,
                schedule,
                request.seed,
                resume=run.state,
                on_step=run.logging(log, later),
                on_epoch=lambda progress: run.end_epoch(log, progress, as_model),
            )
    remove_trial(request.out)
    for sentence in sentences_of_training(run.facts, request.settings.teachers.count):
        on_note(sentence)
    return outputs


def sentences_of_training(values: Mapping[str, Any], n_teachers: int) -> list[str]:
    """Return in sentences what was unusual about how a student was taught.

    Parameters
    ----------
    values : mapping
        What the run keeps of its training.
    n_teachers : int
        How many teachers the run trained.
    """
    sentences = (
        sentence_of(values),
        sentence_by_heart(values),
        sentence_of_teachers(values, n_teachers),
    )
    return [sentence for sentence in sentences if sentence]


def _taught(
    request: RunRequest,
    run: RunDirectory,
    dataset: WeakDataset,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> tuple[TrainedModel, Trial, int]:
    """Return the trained teachers, without a student yet.

    The second value says whether they learned marks, the third one how many epochs the
    trial and the teachers take at most.
    """
    mined_snippets = _mined_once(request, dataset, on_note)
    of_teachers = _as_short_as_the_first_run(request)
    plan = trial_plan(of_teachers)
    of_teachers = of_teachers if plan is None else plan.request_after(of_teachers)
    before = 0 if plan is None else plan.epochs
    trial = Trial(learns_marks=False)
    if request.marks:
        total = before + _epochs_after_a_trial(request, of_teachers)
        later = _later(on_step, 0, total)
        trial = try_marks(request, plan, dataset, mined_snippets, later, on_note)
        run.facts |= trial.values()
    tried = {} if plan is None or not trial.learns_marks else plan.beginnings()
    of_teachers = of_teachers if trial.learns_marks else of_names_alone(of_teachers)
    later = _later(
        on_step, before, before + _epochs_after_a_trial(request, of_teachers)
    )
    teachers = trained_teachers(
        of_teachers, dataset, mined_snippets, later, on_note, tried
    )
    run.facts |= teachers.values()
    taught = trained_model(request, teachers.networks)
    return taught, trial, before + _epochs_of_teachers(of_teachers)


def _mined_once(
    request: RunRequest, dataset: WeakDataset, on_note: Callable[[str], None]
) -> Callable[[], Mapping[str, SnippetMarks]]:
    """Return a function that mines snippets from names when it is first called.

    The trial and the teachers share its result. It also notes what was found.
    """

    @functools.cache
    def mined_snippets() -> Mapping[str, SnippetMarks]:
        mined = snippets_mined_from_names(request, dataset, on_note)
        if mined:
            class_names = request.data.annotations.class_names
            on_note(mining_note(mined, class_names, marked_classes(request.marks)))
        return mined

    return mined_snippets


def _student(
    request: RunRequest,
    taught: TrainedModel,
    dataset: WeakDataset,
    run: RunDirectory,
    trial: Trial,
) -> tuple[Student, StudentTask, dict[str, VideoActivations]]:
    """Return the student before its first step, what it learns, and from what."""
    settings = request.settings
    labels, trust, is_by_heart, outputs = _what_to_learn(request, taught, run.writes)
    if is_by_heart:
        run.facts[KNOWN_BY_HEART] = True
    if not trial.learns_marks:
        trust = Trust()
    torch.manual_seed(request.seed)
    model = Student(dataset.dimension, len(taught.class_names), settings.student)
    if run.state is None:
        if not begin_with_earlier(request, model):
            model.standardize(*dataset.statistics())
        model.teachers_best.fill_(mean_best_score(labels.values()))
    if request.marks:
        model.trust = torch.tensor(trust)
    task = StudentTask(
        dataset,
        labels,
        central_share=settings.pseudo_labels.central_share,
        marked_weight=settings.pseudo_labels.marked_weight,
        snippets=settings.student_training.snippets,
        precision=settings.training.precision,
    )
    return model, task, outputs


def sentence_by_heart(values: Mapping[str, Any]) -> str:
    """Return in words that a student learned from segments alone; empty if not.

    Parameters
    ----------
    values : mapping
        What the run keeps of its training.

    Examples
    --------
    >>> sentence_by_heart({})
    ''
    >>> sentence_by_heart({KNOWN_BY_HEART: True})[-39:]
    'segments in more recordings should help'
    >>> sentence_by_heart({KNOWN_BY_HEART: True, KEEPS_STUDENT: True})
    ''
    """
    if not values.get(KNOWN_BY_HEART) or values.get(KEEPS_STUDENT):
        return ""
    return (
        "the teachers are less sure of actions in recordings that you did not segment "
        "than in those that you did, so the student learned the actions that you "
        "segmented from your segments alone; segments in more recordings should help"
    )


def _keeps_student(request: RunRequest, trial: Trial) -> bool:
    """Whether the student of the earlier run is kept as it is.

    It is where only marks are new, and a trial found that they do not help
    (docs/decisions.md, D-164).
    """
    is_in_vain = trial.gain is not None and not trial.learns_marks
    return is_in_vain and keeps_teachers(of_names_alone(request))


def _untrained(model: Student, epochs: int) -> Progress:
    """Return the end of a training of some epochs that has left a network as it was."""
    return Progress(epochs, 0, model, Adam(model.parameters()), None, epochs)


def _as_short_as_the_first_run(request: RunRequest) -> RunRequest:
    """Return a round's request with the share of its epochs that its first run took."""
    if request.begin_from is None:
        return request
    settings = request.settings.of_shorter_rounds(share_of_epochs(request))
    return dataclasses.replace(request, settings=settings)


def _share_of_student(request: RunRequest) -> float:
    """Return which share of its epochs the student of trained teachers takes.

    Names that are learned early say nothing of how long marks are to be learned, so a
    first training with marks takes all of them.
    """
    if request.marks and request.begin_from is None:
        return 1.0
    return share_of_epochs(request)


def _epochs_of_teachers(of_teachers: RunRequest) -> int:
    """Return how many epochs all teachers together take at most, by their request."""
    return of_teachers.settings.teachers.count * of_teachers.schedule.training.epochs


def _epochs_after_a_trial(request: RunRequest, of_teachers: RunRequest) -> int:
    """Return how many epochs the teachers and the student of a run take at most."""
    return _epochs_of_teachers(of_teachers) + request.schedule.student_training.epochs


def _schedule(request: RunRequest, share_of_epochs: float) -> Schedule:
    """Return how the student is optimised, in a share of its epochs."""
    settings = request.schedule.student_training
    share = request.settings.training.round_share if request.begin_from else 1.0
    return Schedule(
        epochs=math.ceil(share_of_epochs * settings.epochs),
        is_shortened=share_of_epochs < 1.0,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=request.settings.training.weight_decay,
        averaging=settings.averaging,
        is_cosine=True,
        warm_up_steps=math.ceil(share * WARM_UP_STEPS),
    )


def _later(
    on_step: Callable[[StepRecord], None], before: int, total: int
) -> Callable[[StepRecord], None]:
    """Return ``on_step`` for records that count the epochs of all trainings."""
    return lambda record: on_step(
        record._replace(epoch=record.epoch + before, of_epochs=total)
    )


def _what_to_learn(request: RunRequest, taught: TrainedModel, writes: bool) -> _ToLearn:
    """Return what the student learns of each video; leave it to be looked at.

    It is what a person marked, and beyond that what the teachers say.
    """
    settings, rules = request.settings, request.settings.localization
    column = {name: c for c, name in enumerate(taught.class_names)}
    classes = {
        video: [column[name] for name in carried]
        for video, carried in request.data.labels.items()
    }
    marks = marks_on_grid(request)
    summarized = set(summarized_videos(request.data))
    outputs: dict[str, VideoActivations] = {}
    labels: dict[str, PseudoLabels] = {}
    proposals: dict[str, list[PseudoInstance]] = {}
    long: dict[str, int] = {}
    for video, named in classes.items():
        activations = taught.activations(request.data.store.read(video))
        if video in summarized:
            outputs[video] = activations
        most = _most_taught(activations.n_snippets, settings.model)
        labels[video] = pseudo_labels(
            activations, named, rules, settings.pseudo_labels, most
        )
        if most:
            long[video] = activations.n_snippets
        if video in marks and marks[video].points:
            proposals[video] = all_proposals(activations, named, rules)
    trust, is_by_heart = Trust(), False
    if marks:
        labels, trust = learned_with_marks(labels, marks, proposals)
    if marks and long:
        of_long = {video: labels[video] for video in long}
        mean, most = sum(long.values()) / len(long), settings.model.most_pooled
        learned, is_by_heart = learned_elsewhere(of_long, classes, marks, mean, most)
        labels |= learned
    if writes:
        _write(request.out / PSEUDO_LABELS, labels, taught)
    return _ToLearn(labels, trust, is_by_heart, outputs)


def _most_taught(n_snippets: int, rules: ModelSettings) -> int:
    """Return how many snippets of a class a video teaches; 0 for any number.

    Where the teachers judge a class by fewer snippets than one in ``instance_ratio``,
    they have learned that no more of them show it, so no more are taught.
    """
    most = rules.most_pooled
    return most if n_snippets // rules.instance_ratio > most else 0


def _write(path: Path, labels: dict[str, PseudoLabels], taught: TrainedModel) -> None:
    """Write what the student learns as detections."""
    names, grid = taught.class_names, taught.grid
    seen: dict[str, Detections] = {}
    for video, of_video in labels.items():
        rows = [
            (grid.centre_s(x.start), grid.centre_s(x.end), x.weight, x.class_index)
            for x in of_video.instances
            if x.weight > 0.0
        ]
        seen[video] = Detections.of(names, rows)
    write_detections(path, seen)
