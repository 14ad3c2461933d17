"""Choose the videos, and the spans in them, that a person should look at next.

A look is worth much where the run's networks are unsure, in classes of which few
examples are marked, and in videos that stand for many others. The videos are chosen one
after another, each for what it adds to those before it, so that ten suggestions are not
ten times the same.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.active_learning.suggestion_reasons import FEW_MARKS, few_examples, reason_of
from acmnet.active_learning.uncertain_spans import UncertainSpan, uncertain_spans_of
from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.data.labels.contradictions import covers_all
from acmnet.data.labels.marks import VideoMarks
from acmnet.inference.localized_videos import refuse_other_features
from acmnet.localization.detection_scores import unit_scores
from acmnet.messages import counted
from acmnet.models.stored_calibration import read_calibration
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.recipes import Settings
from acmnet.segments import FloatArray, Segment

SPREAD: Final = 0.5
"""How much it counts that a video is like many others of which none was chosen, beside
1 for its uncertain spans."""
USUAL: Final = 0.5
"""The score from which detections are taken to be shown if a run knows none."""
SEEN_S: Final = 60.0
"""A person who made a mark has probably seen this many seconds before and after it."""
SPANS: Final = 5
"""Most spans of a video that are named."""
COMPARED: Final = 1000
"""Largest number of videos that the chosen ones represent, evenly spread over all."""
ALIKE: Final = 0.1
"""Two videos are alike, with a likeness above 0.5, if their features are nearer to each
other than those of all but this share of the pairs of videos."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuggestedSpan:
    """A span of a video that is worth a look, and why, in words."""

    span: UncertainSpan
    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A video that is worth a look, and why, in words."""

    video: str
    why: str
    spans: tuple[SuggestedSpan, ...]
    """At most `SPANS`, those that are worth most first."""

    def to_json(self, rank: int) -> dict[str, Any]:
        """Return plain values, with the place of the suggestion from 1."""
        spans = [
            {
                "label": suggested.span.label,
                "start_s": round(suggested.span.segment.start_s, 3),
                "end_s": round(suggested.span.segment.end_s, 3),
                "score": round(suggested.span.score, 4),
                "why": suggested.why,
            }
            for suggested in self.spans
        ]
        return {"rank": rank, "video": self.video, "why": self.why, "spans": spans}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Assessed:
    """Uncertain spans, features and marks of the videos that could be suggested."""

    uncertain: Mapping[str, tuple[UncertainSpan, ...]]
    """The uncertain spans of each video."""
    pooled: Mapping[str, FloatArray]
    """The mean and the standard deviation of each video's features, (2 D,)."""
    marked: Mapping[str, int]
    """How many segments and points of each class are marked, in all videos."""
    untouched: frozenset[str]
    """The videos of ``pooled`` that have no mark."""


def assess(
    model: TrainedModel,
    data: Data,
    names: Mapping[str, Sequence[str]],
    marks: Mapping[str, VideoMarks],
    shown_from: Mapping[str, float],
    *,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> Assessed:
    """Run the networks on all videos, and return where they are unsure.

    Parameters
    ----------
    model : TrainedModel
        The run's.
    data : Data
        The videos that could be suggested, and their features.
    names : mapping of video id to names
        The actions in each video whose actions are all named.
    marks : mapping of video id to VideoMarks
        What was marked so far. Spans that were seen for it are left out.
    shown_from : mapping of str to float
        For each class, the score in [0, 1] from which its detections are shown.
    on_video, on_failure : callable
        As for `acmnet.inference.localized_videos.localize_videos`.

    Raises
    ------
    FeatureError
        As `acmnet.inference.localized_videos.localize_videos` does.
    """
    refuse_other_features(model, data.store)
    uncertain: dict[str, tuple[UncertainSpan, ...]] = {}
    pooled: dict[str, FloatArray] = {}
    for video in data.annotations.videos:
        try:
            features = data.store.read(video)
        except FeatureError as error:
            if on_failure is None:
                raise
            on_failure(error)
            continue
        pooled[video] = _pooled(features.numpy())
        watched = _seen_spans(marks.get(video, VideoMarks()))
        length_s = data.store.grid.span_s(len(features))
        spans: list[UncertainSpan] = []
        if not covers_all(watched, length_s):
            cuts_s = data.store.cuts_s(video)
            known_names = names.get(video)
            spans = uncertain_spans_of(
                model, features, known_names, shown_from, cuts_s=cuts_s
            )
        unseen = [x for x in spans if not any(_meet(x.segment, y) for y in watched)]
        uncertain[video] = tuple(sorted(unseen, key=lambda x: -x.informativeness))
        on_video(video)
    return Assessed(
        uncertain=uncertain,
        pooled=pooled,
        marked=marks_by_class(marks, model.class_names),
        untouched=frozenset(video for video in pooled if not marks.get(video)),
    )


def shown_scores(run: Path, used: Settings) -> dict[str, float]:
    """Return the score in [0, 1] from which each class of a run is shown.

    It is the class's threshold if the run was calibrated; otherwise the score that the
    run shows detections from, or `USUAL` if it knows none.

    Parameters
    ----------
    run : Path
        The run.
    used : Settings
        Those that it is used with.

    Raises
    ------
    CheckpointError, TrainingSummaryError, CalibrationError
        If a file of the run is damaged.
    """
    known = shown_score(run, used)
    if known is not None and not used.localization.unit_scores:
        known = float(unit_scores(np.array(known)))
    usual = USUAL if known is None else known
    calibration = read_calibration(run, used.localization)
    scores = dict.fromkeys(load_config(run).class_names, usual)
    if calibration is None or not used.localization.unit_scores:
        return scores
    thresholds = {
        name: of_class.threshold for name, of_class in calibration.classes.items()
    }
    return scores | {k: v for k, v in thresholds.items() if v is not None}


def marks_by_class(
    marks: Mapping[str, VideoMarks], class_names: Sequence[str]
) -> dict[str, int]:
    """Return how many segments and points of each class are marked."""
    labels = [x.label for of_video in marks.values() for x in of_video.segments]
    labels += [x.label for of_video in marks.values() for x in of_video.points]
    return {name: labels.count(name) for name in class_names}


def suggestions_of(assessed: Assessed, count: int) -> list[Suggestion]:
    """Return at most ``count`` videos that are worth a look, the best first.

    Each is chosen for what it adds. Uncertain spans of a class add less the more
    examples of the class are marked or chosen already: their sum counts by its square
    root, class by class (Wei, Iyer and Bilmes, "Submodularity in Data Subset Selection
    and Active Learning", ICML 2015). To this comes, times `SPREAD`, how much better the
    chosen and the marked videos then stand for all videos.

    Parameters
    ----------
    assessed : Assessed
        What the networks say.
    count : int
        How many, from 1.

    Returns
    -------
    list of Suggestion
        Only videos that have an uncertain span.
    """
    videos = [video for video, spans in assessed.uncertain.items() if spans]
    if not videos:
        return []
    names = list(assessed.marked)
    informativeness = _informativeness_by_class(assessed, videos, names)  # (V, C)
    likeness, covered = _likeness(assessed, videos)  # (V, U), (U,)
    have = np.array([float(assessed.marked[name]) for name in names])
    scale = [0.0, 0.0]
    chosen: list[int] = []
    result = []
    while len(chosen) < min(count, len(videos)):
        by_class = np.sqrt(have + informativeness) - np.sqrt(have)  # (V, C)
        by_spread = np.maximum(likeness - covered, 0.0).sum(axis=1)  # (V,)
        gains = by_class.sum(axis=1), by_spread
        if not chosen:
            scale = [max(float(gain.max()), 1e-12) for gain in gains]
        gain = gains[0] / scale[0] + SPREAD * gains[1] / scale[1]
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        stands_for = int((likeness[best] > np.maximum(covered, 0.5)).sum())
        chosen.append(best)
        result.append(
            _suggestion(videos[best], assessed, names, by_class[best], stands_for)
        )
        have = have + informativeness[best]
        covered = np.maximum(covered, likeness[best])
    return result


def _suggestion(
    video: str,
    assessed: Assessed,
    names: Sequence[str],
    by_class: FloatArray,
    stands_for: int,
) -> Suggestion:
    """Return a chosen video with the reasons.

    Parameters
    ----------
    video : str
        The video.
    assessed : Assessed
        What the networks say.
    names : sequence of str
        The C classes.
    by_class : (C,) array
        What its uncertain spans of each class add.
    stands_for : int
        Number of videos that it represents and that nothing represented before.
    """
    gain = dict(zip(names, by_class.tolist(), strict=True))
    best_first = sorted(
        assessed.uncertain[video], key=lambda x: -x.informativeness * gain[x.label]
    )
    spans = tuple(SuggestedSpan(span=x, why=reason_of(x)) for x in best_first[:SPANS])
    reasons = [spans[0].why]
    few = [
        name
        for name in sorted(gain, key=lambda x: -gain[x])
        if gain[name] > 0.0 and assessed.marked[name] < FEW_MARKS
    ]
    if few:
        reasons.append(few_examples(few[0], assessed.marked[few[0]]))
    if stands_for > 1:
        others = counted(stands_for - 1, "other video")
        reasons.append(f"it stands for {others} like it")
    return Suggestion(video=video, why="; ".join(reasons), spans=spans)


def _seen_spans(marks: VideoMarks) -> list[Segment]:
    """Return the spans of a video that were seen for its marks.

    A span that was watched for a single class counts, too: who looked for one class
    there has seen it.
    """
    spans = [x.segment for x in marks.segments]
    instants = [x.time_s for x in marks.points]
    around = [Segment(x.start_s - SEEN_S, x.end_s + SEEN_S) for x in spans]
    around += [Segment(x - SEEN_S, x + SEEN_S) for x in instants]
    return [*around, *(x.segment for x in marks.watched)]


def _meet(first: Segment, second: Segment) -> bool:
    """Whether two spans have any time in common."""
    return first.start_s < second.end_s and second.start_s < first.end_s


def _pooled(features: npt.NDArray[np.floating]) -> FloatArray:
    """Return mean and standard deviation of a video's features (L, D), (2 D,)."""
    snippets = np.asarray(features, dtype=np.float64)
    pooled: FloatArray = np.concatenate([snippets.mean(axis=0), snippets.std(axis=0)])
    return pooled


def _informativeness_by_class(
    assessed: Assessed, videos: Sequence[str], names: Sequence[str]
) -> FloatArray:
    """Return the summed informativeness of each video's spans by class, (V, C)."""
    places = {name: i for i, name in enumerate(names)}
    informativeness = np.zeros((len(videos), len(names)))
    for i, video in enumerate(videos):
        for span in assessed.uncertain[video]:
            informativeness[i, places[span.label]] += span.informativeness
    return informativeness


def _likeness(
    assessed: Assessed, videos: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Return how like videos are to those without marks, and what marks cover of these.

    Returns
    -------
    (V, U) array, (U,) array
        The likeness of each of ``videos`` with each of at most `COMPARED` videos
        without marks, in [0, 1]; and the highest that any marked video has with it.
    """
    among = [video for video in assessed.pooled if video in assessed.untouched]
    among = among[:: -(-len(among) // COMPARED) or 1]
    marked = [video for video in assessed.pooled if video not in assessed.untouched]
    table = np.stack([assessed.pooled[x] for x in (*videos, *marked, *among)])
    table -= table.mean(axis=0)
    table /= np.maximum(table.std(axis=0), 1e-6)
    these, those = table[: len(videos) + len(marked)], table[len(table) - len(among) :]
    squares = np.square(these).sum(axis=1)[:, None] + np.square(those).sum(axis=1)
    squares = np.maximum(squares - 2.0 * these @ those.T, 0.0)
    apart = squares[squares > 1e-9 * squares.max(initial=0.0)]
    usual = float(np.quantile(apart, ALIKE)) if apart.size else 1.0
    likeness = 0.5 ** (squares / usual)
    covered = likeness[len(videos) :].max(axis=0, initial=0.0)
    return likeness[: len(videos)], covered
