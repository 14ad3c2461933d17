"""How long a `fit` will take, measured by a short trial before it begins."""

import itertools
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.data.tracks.tracks import TrackError
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.file_readers import opened
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.recipes import Settings
from acmnet.runs.marks_trial import EPOCHS, NETWORKS
from acmnet.runs.teacher_training import threads_of_each
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage.weak_task import Plan, WeakTask
from acmnet.training.optimisation.schedule import Schedule
from acmnet.training.optimisation.tasks import Task
from acmnet.training.optimisation.training_loop import optimize
from acmnet.training.second_stage.pseudo_labels import StudentTask
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels
from acmnet.validation.held_out_names import CHECK_COST_SHARE
from acmnet.video.frames import VideoError, claimed_duration_s
from acmnet.workers.worker_engines import cores

LEAST_VIDEO_S: Final = 300.0
"""Seconds of video from which a forecast is made; the trial takes some seconds."""
TRIAL_SNIPPETS: Final = 8
"""Snippets that are described on trial by each process that will extract."""
TRIAL_STEPS: Final = 3
"""Steps of each training on trial; the first one is not counted."""

CHECK_COST_SHARE_OF_ONE: Final = 1.0
"""Time of the check of names on held-out videos, as a share of the training's, where
the run has a single network; `CHECK_COST_SHARE` elsewhere."""


class Forecast(NamedTuple):
    """How long the parts of a `fit` will take if nothing else runs on the machine."""

    extraction_s: float
    """Time of extraction."""
    training_s: float
    """Time of training, and of the check of names on held-out videos."""
    may_end_early: bool = False
    """Whether the training ends as soon as names are learned (D-157), and then takes
    less time."""

    def sentence(self) -> str:
        """Return the forecast in words.

        Examples
        --------
        >>> Forecast(300.0, 95.0).sentence()
        'this will take about 7 minutes: 5 for features, 2 for training'
        """
        parts = self.extraction_s, self.training_s
        total, extraction, training = (
            max(1, round(part / 60)) for part in (sum(parts), *parts)
        )
        unit = "minute" if total == 1 else "minutes"
        most = "at most " if self.may_end_early else ""
        return (
            f"this will take about {total} {unit}: {extraction} for features, "
            f"{most}{training} for training"
        )


def forecast(
    missing: Mapping[str, Path],
    extraction: ExtractionRequest,
    settings: Settings,
    n_classes: int,
    has_marks: bool = False,
) -> Forecast | None:
    """Return how long extraction and training will take on this machine's CPU.

    Parameters
    ----------
    missing : mapping of str to Path
        Those of the videos that have no features yet, by id.
    extraction : ExtractionRequest
        What will be extracted, how, and in how many processes.
    settings : Settings
        Those of the training.
    n_classes : int
        Number of classes that are learned, at least 1.
    has_marks : bool
        Whether the training is given times besides names.

    Returns
    -------
    Forecast or None
        None if the videos are so short that a trial would not pay, or cannot be read.
    """
    files = extraction.videos
    durations_s = {video: claimed_duration_s(path) for video, path in files.items()}
    known_s = [duration_s for duration_s in durations_s.values() if duration_s]
    if sum(known_s) < LEAST_VIDEO_S:
        return None
    missing_s = sum(durations_s.get(video, 0.0) for video in missing)
    described: FeatureManifest | Extractor | None
    extraction_s = 0.0
    if missing:
        extractors = _set_up(extraction, missing)
        described = extractors[0]
        each = [extraction.files_of(video) for video in missing]
        rate = _seconds_of_a_second(each, extractors) if missing_s else 0.0
        extraction_s = rate * missing_s / len(extractors)
    else:
        described = open_store(extraction.out).manifest
    if described is None:
        return None
    grid = described.grid
    lengths = [grid.n_snippets(round(s * grid.fps)) for s in known_s]
    training_s = trained_in(
        lengths, described.dimension, n_classes, settings, has_marks
    )
    again = CHECK_COST_SHARE if settings.has_student else CHECK_COST_SHARE_OF_ONE
    ends_early = bool(settings.training.early_end) and not has_marks
    return Forecast(extraction_s, training_s * (1 + again), ends_early)


def _set_up(
    extraction: ExtractionRequest, missing: Mapping[str, Path]
) -> list[Extractor]:
    """Return an extractor for each process that will extract."""
    parallel = max(1, min(extraction.workers, cores(), len(missing)))
    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(make_extractor, [extraction.settings] * parallel))


def _seconds_of_a_second(
    recordings: Sequence[tuple[Path, ...]], extractors: Sequence[Extractor]
) -> float:
    """Return the seconds that a second of video takes each of several extractors.

    They work at the same time, because the cores of a processor share its memory and
    its frequency: two can be far from twice as fast as one. Torch computes in as many
    threads for each as it will in a process of its own.

    Returns
    -------
    float
        0 if no recording can be read.
    """
    each = max(1, cores() // len(extractors))
    for files in recordings:
        try:
            with (
                _threads(each),
                ThreadPoolExecutor(
                    len(extractors), initializer=torch.set_num_threads, initargs=(each,)
                ) as threads,
            ):
                # networks are set up at the first snippet
                set_up = partial(_described, files, n_snippets=1)
                list(threads.map(set_up, extractors))
                began = time.perf_counter()
                trial = partial(_described, files, n_snippets=TRIAL_SNIPPETS)
                described_s = min(threads.map(trial, extractors))
                spent_s = time.perf_counter() - began
        except (VideoError, TrackError):
            continue
        if described_s:
            return spent_s / described_s
    return 0.0


def _described(files: tuple[Path, ...], extractor: Extractor, n_snippets: int) -> float:
    """Describe the beginning of a video; return its length in seconds."""
    grid = extractor.grid
    n_frames = grid.snippet_frames + (n_snippets - 1) * grid.stride_frames
    frames = itertools.islice(opened(files, extractor), n_frames)
    return sum(map(len, extractor.describe(frames))) * grid.stride_frames / grid.fps


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Make torch compute each operation in ``n`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def trained_in(
    lengths: list[int],
    dimension: int,
    n_classes: int,
    settings: Settings,
    has_marks: bool = False,
) -> float:
    """Return how many seconds a training takes, from some steps on random features.

    Parameters
    ----------
    lengths : list of int
        Snippets of each training video, from 1.
    dimension : int
        D, the columns of the features.
    n_classes : int
        C, from 1.
    settings : Settings
        Those of the training.
    has_marks : bool
        Whether it is given times besides names, and tries who should learn them.
    """
    training = settings.training
    with tempfile.TemporaryDirectory() as folder:
        most = max(training.batch_size, settings.student_training.batch_size)
        dataset = _made_up(Path(folder), lengths[:most], dimension, n_classes)
        plan = Plan(
            training=training, sampling=settings.sampling, loss=settings.loss, seed=0
        )
        network = ACMNet(dimension, n_classes, settings.model)
        batch = training.videos_a_step(settings.sampling.mean_snippets(lengths))
        steps = math.ceil(len(lengths) / batch)
        epochs = settings.of_videos(lengths).training.epochs  # with marks, at most
        task = WeakTask(dataset, plan)
        if not settings.has_student:
            return epochs * steps * _step_s(network, task, batch)
        teachers = settings.teachers.count
        each = threads_of_each(teachers, dataset.device)
        threads = torch.get_num_threads()
        with _threads(each or threads):
            epochs *= teachers
            if has_marks:
                epochs += math.ceil(NETWORKS * EPOCHS * training.epochs)
            total_s = epochs * steps * _step_s(network, task, batch)
        if each:  # they are trained at the same time
            total_s *= max(each / threads, 1 / teachers)
        return total_s + _student_s(dataset, lengths, n_classes, settings)


def _student_s(
    dataset: WeakDataset, lengths: list[int], n_classes: int, settings: Settings
) -> float:
    """Return how many seconds the training of a student takes."""
    student = settings.student_training
    network = Student(dataset.dimension, n_classes, settings.student)
    task = StudentTask(
        dataset,
        _labels(dataset, n_classes),
        central_share=settings.pseudo_labels.central_share,
        snippets=student.snippets,
        precision=settings.training.precision,
    )
    pieces = sum(math.ceil(length / student.snippets) for length in lengths)
    steps = student.epochs * math.ceil(pieces / student.batch_size)
    return steps * _step_s(network, task, student.batch_size)


def _made_up(
    folder: Path, lengths: list[int], dimension: int, n_classes: int
) -> WeakDataset:
    """Return videos of these lengths with random features, each of one class."""
    random = np.random.default_rng(0)
    write_manifest(
        folder, FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=dimension)
    )
    labels = {}
    for i, length in enumerate(lengths):
        features = random.random((length, dimension), np.float32)
        write_features(folder, f"{i:06d}", features)
        labels[f"{i:06d}"] = (f"{i % n_classes:06d}",)
    names = [f"{c:06d}" for c in range(n_classes)]
    return WeakDataset(open_store(folder), labels, names)


def _labels(dataset: WeakDataset, n_classes: int) -> dict[str, PseudoLabels]:
    """Return an instance in the middle third of each video, as of a teacher."""
    return {
        video: PseudoLabels(
            (PseudoInstance(i % n_classes, length / 3, 2 * length / 3, 1.0),), ()
        )
        for i, (video, length) in enumerate(
            zip(dataset.video_ids, dataset.lengths.tolist(), strict=True)
        )
    }


def _step_s(network: torch.nn.Module, task: Task, batch_size: int) -> float:
    """Return the seconds of one step: the fastest of some."""
    spent: list[float] = []
    steps = math.ceil(len(task.video_ids) / batch_size)
    schedule = Schedule(
        epochs=math.ceil((TRIAL_STEPS + 1) / steps),
        batch_size=batch_size,
        learning_rate=1e-4,
        weight_decay=0.0,
        averaging=0.9,
    )
    optimize(
        network, task, schedule, 0, on_step=lambda record: spent.append(record.seconds)
    )
    return min(spent[1:])
