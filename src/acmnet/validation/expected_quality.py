"""Estimate how good a run is on new videos, and choose detections to review.

Names are checked on held-out videos: a network is trained on two thirds of the videos
and names the actions of the rest, for each third. Times are checked by how well the
run's networks agree. Precision is left to a person, who gets ten detections that
represent all.
"""

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.checkpoints.checkpoint import load_config, weights_sha256
from acmnet.data.video_groups import VideoGroups
from acmnet.files.file_access import write_json
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import TEACHERS, teaching
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score, training_stamp
from acmnet.runs.earlier_run import has_same_names
from acmnet.runs.run_request import RunRequest
from acmnet.segments import Detections
from acmnet.validation.held_out_names import (
    HELD_OUT,
    HeldOutNames,
    held_out_names,
    why_not_checked,
)
from acmnet.validation.label_free_selection import agreement

EXPECTATION_FILE: Final = "expectation.json"
N_TO_REVIEW: Final = 10
"""Number of detections that a person is asked to look at."""
MOST_VIDEOS: Final = 60
"""Number of videos, evenly spread, on which the networks' agreement is measured."""
AGREEMENT_WORDS: Final = (
    (0.6, "agree well"),
    (0.35, "agree in part"),
    (0.0, "hardly agree"),
)
"""Words for how well networks agree, each with the mean overlap (tIoU) that it begins
at."""


class ExpectationError(ValueError):
    """An ``expectation.json`` that cannot be read; the message names it."""


class ToReview(NamedTuple):
    """A detection that a person is asked to look at."""

    video: str
    label: str
    start_s: float
    end_s: float
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expectation:
    """What is known about the quality of a run without any true segment."""

    names: HeldOutNames | None
    """How well held-out videos were named; None where that cannot be checked, see
    ``why_not``."""
    why_not: str
    """Why names were not checked, in words; empty where they were."""
    agreement: float | None
    """Mean overlap (tIoU) of what two of the run's networks find, in [0, 1]; None for
    a single network."""
    is_held_out: bool
    """Whether ``shown`` and ``to_review`` are of videos that were not trained on."""
    shown: int
    """Number of detections that are shown by default."""
    to_review: tuple[ToReview, ...]
    """Some of the shown detections, evenly spread over their scores, so that they stand
    for all."""

    def sentences(self) -> list[str]:
        """Return what a person should know, a sentence or two on each matter."""
        sentences = [self.why_not]
        if self.names is not None:
            is_joined = self.agreement is not None
            sentences = self.names.sentences(joins_networks=is_joined)
        if self.agreement is not None:
            words = next(
                words for least, words in AGREEMENT_WORDS if self.agreement >= least
            )
            sentences.append(
                f"Where: its networks, trained apart from each other, {words} on where "
                f"the actions are: what two of them find overlaps by "
                f"{self.agreement:.0%} on average."
            )
        return sentences


def expect(
    request: RunRequest,
    model: TrainedModel,
    results: Mapping[str, Detections],
    groups: VideoGroups | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Expectation:
    """Return what to expect of a trained run, and keep it in the run.

    What was found before for the same training is not found again.

    Parameters
    ----------
    request : RunRequest
        The request of the run; its training is finished.
    model : TrainedModel
        The run's.
    results : mapping of video id to Detections
        What the run found in all videos. Where some were not trained on, detections of
        those alone are to be reviewed; otherwise, of those whose times the training was
        not given, if there are any.
    groups : VideoGroups, optional
        Which videos belong together: names are checked on groups that were held out.
    on_note : callable
        Called with a sentence before the names are checked, which takes long.

    Raises
    ------
    ExpectationError
        If what the run keeps is damaged.
    """
    if groups is not None:
        groups = groups.only(request.data.labels)
    known = _earlier_expectation(request, groups)
    if known is not None:
        return known
    why_not = why_not_checked(request.data, groups)
    names = None if why_not else _names_of_earlier(request, groups)
    if names is None and not why_not:
        share = "about half as long" if request.settings.has_student else "as long"
        on_note(f"names are checked on held-out videos: this takes {share} as training")
        names = held_out_names(request, groups)
    labels, marks = request.data.labels, request.marks
    others = {k: v for k, v in results.items() if k not in labels}
    untaught = {k: v for k, v in results.items() if k not in marks}
    shown, chosen = to_review(
        others or untaught or results, shown_score(request.out, model.settings)
    )
    agreed = _agreement_of_earlier(request)
    if agreed is None:
        agreed = _agreement_of_networks(model, request)
    expectation = Expectation(
        names=names,
        why_not=why_not,
        agreement=agreed,
        is_held_out=bool(others),
        shown=shown,
        to_review=chosen,
    )
    values = {
        "training": training_stamp(request.out),
        **dataclasses.asdict(expectation),
    }
    values["to_review"] = [video._asdict() for video in chosen]
    write_json(request.out / EXPECTATION_FILE, values)
    shutil.rmtree(request.out / HELD_OUT, ignore_errors=True)
    return expectation


def _names_of_earlier(
    request: RunRequest, groups: VideoGroups | None
) -> HeldOutNames | None:
    """Return how well names were found before the run that this one begins with.

    Corrected times do not change it. It is None where the names are others now, or
    nothing is known.
    """
    earlier = request.begin_from
    if earlier is None or not has_same_names(request, earlier):
        return None
    known = read_expectation(earlier)
    if known is None or known.names is None:
        return None
    return known.names if known.names.by_group == (groups is not None) else None


def _agreement_of_earlier(request: RunRequest) -> float | None:
    """Return how well the networks of the run that this one begins with agree.

    It is None unless this run has the same networks, which find the same in the same
    videos, or where nothing is known.
    """
    earlier = request.begin_from
    if earlier is None or not has_same_names(request, earlier):
        return None
    earlier_config, config = load_config(earlier), load_config(request.out)
    used = "localization"
    if earlier_config.settings.get(used) != config.settings.get(used):
        return None
    count = request.settings.teachers.count
    places = teaching(earlier_config, count)
    if not count or places != teaching(config, count):
        return None
    of_both = [
        [weights_sha256(run / TEACHERS / str(k)) for k in places]
        for run in (earlier, request.out)
    ]
    known = read_expectation(earlier)
    return known.agreement if known and of_both[0] == of_both[1] else None


def _earlier_expectation(
    request: RunRequest, groups: VideoGroups | None
) -> Expectation | None:
    """Return what was found before for this training and with or without groups."""
    known = read_expectation(request.out)
    if known is None or known.names is None:
        return known
    return known if known.names.by_group == (groups is not None) else None


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
        expectation = Expectation(
            names=None if names is None else HeldOutNames.from_json(names),
            why_not=str(content["why_not"]),
            agreement=None
            if content["agreement"] is None
            else float(content["agreement"]),
            is_held_out=bool(content["is_held_out"]),
            shown=int(content["shown"]),
            to_review=tuple(ToReview(**fields) for fields in content["to_review"]),
        )
        is_own = content["training"] == training_stamp(run)
    except (KeyError, TypeError, ValueError):
        raise ExpectationError(
            f"{path} is damaged or not written by acmnet; {remedy}"
        ) from None
    return expectation if is_own else None


def to_review(
    results: Mapping[str, Detections], shown_from: float | None
) -> tuple[int, tuple[ToReview, ...]]:
    """Return how many detections are shown, and some to look at.

    The shown ones are put in the order of their scores and cut into `N_TO_REVIEW` equal
    parts, of which each gives its middle: the share of right ones among these estimates
    that among all. Fewer are shown: all of them.
    """
    least = -np.inf if shown_from is None else shown_from
    shown = sorted(
        (
            ToReview(
                video=video,
                label=detection.label,
                start_s=detection.start_s,
                end_s=detection.end_s,
                score=detection.score,
            )
            for video, detections in results.items()
            for detection in detections
            if detection.score >= least
        ),
        key=lambda detection: (-detection.score, detection),
    )
    n = min(len(shown), N_TO_REVIEW)
    places = [(2 * i + 1) * len(shown) // (2 * n) for i in range(n)]
    return len(shown), tuple(shown[place] for place in places)


def _agreement_of_networks(model: TrainedModel, request: RunRequest) -> float | None:
    """Return how well the run's networks agree on its training videos."""
    if len(model.networks) < 2:
        return None
    names = request.data.labels
    videos = sorted(names)[:: -(-len(names) // MOST_VIDEOS)]
    # where a video has no name, nothing that is found in it is compared
    data = request.data.only({video for video in videos if names[video]})
    results = [
        localize_videos(
            dataclasses.replace(model, networks=(network,), students=()), data
        )
        for network in model.networks
    ]
    agreements = [
        agreement(one, other, data.labels)
        for one, other in itertools.combinations(results, 2)
    ]
    return float(np.mean(agreements))
