"""Begin a training with an earlier run: with its weights, its teachers, its features.

Such a training is a round after corrections, and most of what the earlier run learned
still holds. So it takes a share of the epochs, keeps what the corrections do not
concern, and extracts nothing that is extracted already.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from torch import Tensor, nn

from acmnet.checkpoints.checkpoint import load_config, weights_sha256
from acmnet.checkpoints.exported_file import is_exported
from acmnet.data.features.feature_files import SUFFIXES
from acmnet.data.features.stored_features import RECORDS
from acmnet.data.labelled_features import labels_sha256
from acmnet.data.labels.marks import marks_sha256, marks_values
from acmnet.files.file_access import make_folder, written_whole
from acmnet.messages import some
from acmnet.models.stored_model import TEACHERS, load
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.recipes import RecipeError, Settings, from_values
from acmnet.runs.run_data import features_of, training_videos
from acmnet.runs.run_request import RunError, RunRequest

CLASS_WEIGHTS: Final = frozenset(
    f"{layer}.{part}"
    for layer in ("classifier", "classes")  # of the paper's network and of the student
    for part in ("weight", "bias")
)
"""The weights of a network that have a row for each class."""
COPYING: Final = ".copying"
"""Suffix of a folder that is being copied."""


def stated_beginning(request: RunRequest) -> dict[str, str] | None:
    """Return what a run records about the run that it began with, if there is one.

    Raises
    ------
    CheckpointError
        If the earlier run has no usable checkpoint.
    """
    if request.begin_from is None:
        return None
    return {
        "run": str(request.begin_from.resolve()),
        "weights_sha256": weights_sha256(request.begin_from),
    }


def earlier_videos(request: RunRequest) -> list[str]:
    """Return the videos that the earlier run, and those before it, were trained on."""
    if request.begin_from is None:
        return []
    return sorted(training_videos(load_config(request.begin_from)) or ())


def times_of_all_rounds(request: RunRequest) -> dict[str, dict[str, list[Any]]]:
    """Return the times that a training, or a run before it, was given, by video.

    The form is that of `acmnet.data.labels.marks.marks_values`. What an earlier run
    learned stays in the weights, also where the mark was moved or removed since.
    """
    times = marks_values(request.marks)
    if request.begin_from is None:
        return times
    for video, kinds in load_config(request.begin_from).taught_times.items():
        of_video = times.setdefault(video, {})
        for kind, rows in kinds.items():
            now = of_video.get(kind, [])
            of_video[kind] = sorted([*now, *(row for row in rows if row not in now)])
    return times


def refuse_unlike(request: RunRequest) -> None:
    """Refuse to begin with a run that has no class in common, or is of another kind.

    Classes may be added and removed, but features and sizes of networks must be equal.

    Raises
    ------
    RunError
        Naming the difference.
    CheckpointError
        If the earlier run has no usable checkpoint.
    """
    earlier = request.begin_from
    if earlier is None:
        return
    if earlier.resolve() == request.out.resolve():
        raise RunError(
            f"{earlier} cannot begin with its own weights; give --out a new directory"
        )
    if is_exported(earlier):
        raise RunError(
            f"{earlier} is an exported file, whose networks cannot be trained; give "
            "the run that it was exported from"
        )
    config, store = load_config(earlier), request.data.store
    remedy = "leave --from out"
    now = request.data.annotations
    if not set(config.class_names) & set(now.class_names):
        raise RunError(
            f"{earlier} has no class in common with {now.source}: it has "
            f"{some(config.class_names)}, now there are {some(now.class_names)}; "
            f"{remedy}"
        )
    for words, was, is_now in (
        ("feature columns", config.feature_dim, store.dimension),
        ("snippet grid", config.grid, store.grid),
    ):
        if was != is_now:
            raise RunError(
                f"{earlier} has other features than {store.place}: its {words} "
                f"{'are' if words.endswith('s') else 'is'} {was}, not {is_now}; give "
                f"the features that it was trained on, or {remedy}"
            )
    try:
        trained = from_values(config.settings, str(earlier))
    except RecipeError as error:
        raise RunError(str(error)) from error
    _refuse_other_networks(request, trained, remedy)


def _refuse_other_networks(request: RunRequest, trained: Settings, remedy: str) -> None:
    """Refuse an earlier run with other sizes or numbers of networks."""
    settings, earlier = request.settings, request.begin_from
    names = [f"model.{field.name}" for field in dataclasses.fields(settings.model)]
    if settings.has_student:
        of_student = dataclasses.fields(settings.student)
        names += [f"student.{field.name}" for field in of_student]
    for name in (*names, "teachers.count"):
        was, now = _setting(trained, name), _setting(settings, name)
        if was != now:
            raise RunError(
                f"{earlier} was trained with {name} = {was}, now it is {now}; train "
                f"with the same recipe, profile and settings, or {remedy}"
            )


def _setting(settings: Settings, name: str) -> object:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def has_same_names(request: RunRequest, earlier: Path) -> bool:
    """Whether classes, videos and their names are those of an earlier run."""
    config = load_config(earlier)
    known = config.training.get("labels_sha256")
    has_same_classes = config.class_names == request.data.annotations.class_names
    return has_same_classes and known == labels_sha256(request.data)


def has_same_marks(request: RunRequest, earlier: Path) -> bool:
    """Whether a request's training is given the times that an earlier run was given."""
    known = load_config(earlier).training.get("marks_sha256", marks_sha256({}))
    return bool(known == marks_sha256(request.marks))


def begin_with_earlier(request: RunRequest, network: nn.Module) -> bool:
    """Give a network the weights of the earlier run; return whether there is one.

    Weights of a class are taken over by the name of the class. Classes that
    the earlier run did not have keep the first weights of the network.
    """
    if request.begin_from is None:
        return False
    model = load(request.begin_from)
    kind = Student if isinstance(network, Student) else ACMNet
    of_kind = [x for x in (*model.students, *model.networks) if isinstance(x, kind)]
    weights, names = of_kind[0].state_dict(), request.data.annotations.class_names
    first = network.state_dict()
    weights.pop("trust", None)  # it is of the marks of the earlier run
    for key in CLASS_WEIGHTS & weights.keys():
        weights[key] = _by_class(weights[key], model.class_names, first[key], names)
    network.load_state_dict(weights)
    return True


def _by_class(
    known: Tensor, classes_before: Sequence[str], first: Tensor, classes: Sequence[str]
) -> Tensor:
    """Return weights with a row for each class, and the known rows of known classes.

    A last row that belongs to no class, that of the background, is known, too.

    Parameters
    ----------
    known : tensor of shape (classes before, ...), or with one row more
        The weights of the earlier run.
    classes_before : sequence of str
        The names of its rows.
    first : tensor of shape (classes, ...), or with one row more
        What the rows of new classes begin with.
    classes : sequence of str
        The names of the rows that are returned.
    """
    rows = first.clone()
    rows[len(classes) :] = known[len(classes_before) :]
    for c, name in enumerate(classes):
        if name in classes_before:
            rows[c] = known[classes_before.index(name)]
    return rows


def keep_teacher(request: RunRequest, k: int) -> None:
    """Copy teacher ``k`` of the earlier run into this one, unless it is there.

    If this is interrupted, the teacher is copied anew by the next call.
    """
    if request.begin_from is None:
        raise ValueError("the request names no earlier run")
    place = request.out / TEACHERS / str(k)
    if place.exists():
        return
    part = place.with_name(f"{k}{COPYING}")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(request.begin_from / TEACHERS / str(k), part)
    part.rename(place)


def earlier_features(run: Path) -> Path:
    """Return the directory of the features that an earlier run was trained on.

    Raises
    ------
    CheckpointError, RunError
        If the run has no usable checkpoint, or its features are gone.
    """
    features = features_of(run, load_config(run))
    if features is None:
        raise RunError(
            f"the features that {run} was trained on are no longer there; put them "
            "back, or leave --from out"
        )
    return features


def take_features(there: Path, here: Path) -> None:
    """Put the files of a directory of features into another one, where they are not.

    Features and their records take no space twice where the file system allows it: both
    directories then hold the same file, which is replaced, never changed, and which
    nobody edits, unlike the manifest. Records come after features,
    as extraction writes them, so that an interrupted call is simply repeated.

    Parameters
    ----------
    there, here : Path
        The directory that has the features, and the one that gets them.
    """
    paths = [path for path in sorted(there.rglob("*")) if path.is_file()]
    for path in sorted(paths, key=lambda path: path.suffix not in SUFFIXES):
        place = here / path.relative_to(there)
        if place.exists() or path.name.startswith("."):
            continue
        make_folder(place.parent)
        if path.suffix in SUFFIXES or path.parent.name == RECORDS:
            try:
                os.link(path, place)
                continue
            except OSError:
                pass  # another disk, or a file system without links
        with written_whole(place) as part:
            shutil.copyfile(path, part)
