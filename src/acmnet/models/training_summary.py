"""Summarise the training videos of a run once, for the commands that use the run later.

The summary is made when training ends, from features and video-level labels alone. It
has the score from which detections are shown, and statistics of the features, by which
videos that are unlike the training videos are recognised.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.exported_file import note_of
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files.file_access import write_json
from acmnet.files.strict_json import parse_json
from acmnet.localization.detection_scores import separating_score
from acmnet.localization.video_activations import VideoActivations
from acmnet.messages import some
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import Settings
from acmnet.segments import Detections, FloatArray

SUMMARY_FILE: Final = "training_summary.json"
FORMAT_VERSION: Final = 1
MOST_VIDEOS: Final = 500
"""Largest number of training videos that are read, evenly spread over all of them."""


UNLIKE_RATIO: Final = 2.0
"""A video is unlike the training videos if its distance from them is more than this
many times their usual distance."""
USUAL_VIDEOS_SHARE: Final = 0.95
"""Quantile of the training videos' distances that is the usual distance."""
LEAST_DEVIATION: Final = 0.01
"""Least standard deviation of a feature, as a share of the root mean square of all
features: a feature that hardly varied in training does not decide alone."""


@dataclasses.dataclass(frozen=True, eq=False)
class Likeness:
    """The features of the training videos, and how far apart those videos are."""

    mean: FloatArray
    """Mean of each feature over the snippets of all training videos, (D,); each video
    counts alike."""
    deviation: FloatArray
    """Standard deviation of each feature, (D,), above 0."""
    usual: float
    """Distance from the other training videos that `USUAL_VIDEOS_SHARE` of them do not
    exceed, above 0."""

    @classmethod
    def of(cls, videos: Iterable[npt.NDArray[np.floating]]) -> Self | None:
        """Return the likeness of videos with features (T, D); None for fewer than two.

        How far a training video lies from the others is measured without it.

        Examples
        --------
        >>> random = np.random.default_rng(0)
        >>> known = Likeness.of(random.normal(size=(20, 30, 4)))
        >>> known.is_unlike(random.normal(size=(30, 4)))
        False
        >>> known.is_unlike(10 * random.normal(size=(30, 4)))
        True
        """
        sums = [_moments(features) for features in videos]
        if len(sums) < 2:
            return None
        first, second = (np.stack(x) for x in zip(*sums, strict=True))  # (videos, D)
        n = len(sums) - 1
        distances = [
            _distance(one, *_spread((total - one) / n, (squares - square) / n))
            for total, squares in [(first.sum(axis=0), second.sum(axis=0))]
            for one, square in zip(first, second, strict=True)
        ]
        usual = max(float(np.quantile(distances, USUAL_VIDEOS_SHARE)), 1e-6)
        return cls(*_spread(first.mean(axis=0), second.mean(axis=0)), usual)

    def is_unlike(self, features: npt.NDArray[np.floating]) -> bool:
        """Whether a video's features (T, D) lie far from those of the training."""
        first, _ = _moments(features)
        distance = _distance(first, self.mean, self.deviation)
        return not distance < UNLIKE_RATIO * self.usual

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with six digits."""
        rounded = {
            name: [float(f"{x:.6g}") for x in getattr(self, name).tolist()]
            for name in ("mean", "deviation")
        }
        return {**rounded, "usual": self.usual}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        try:
            fields = dict(values)  # type: ignore[call-overload]
            mean, deviation = (
                np.array(fields[name], dtype=np.float64)
                for name in ("mean", "deviation")
            )
            usual = float(fields["usual"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no statistics of features: {error}") from None
        is_good = mean.ndim == 1 and mean.shape == deviation.shape and usual > 0
        if not (is_good and np.isfinite(mean).all() and (deviation > 0).all()):
            raise ValueError("statistics of features must be finite and of one length")
        return cls(mean, deviation, usual)


class TrainingSummaryError(ValueError):
    """A run's training summary that cannot be read; the message names the file."""


def summarized_videos(data: Data) -> list[str]:
    """Return the training videos that a summary is made of, `MOST_VIDEOS` at most."""
    videos = sorted(data.labels)
    return videos[:: -(-len(videos) // MOST_VIDEOS)]


def summarize_training(
    run: Path,
    model: TrainedModel,
    data: Data,
    known: Mapping[str, VideoActivations] = MappingProxyType({}),
) -> dict[str, Detections]:
    """Summarise the training videos and keep the summary in the run.

    Parameters
    ----------
    run : Path
        Directory of the run; its training is finished.
    model : TrainedModel
        The run's model, with the settings that it was trained with.
    data : Data
        The videos and labels that it was trained on.
    known : mapping of video id to VideoActivations
        What `TrainedModel.activations` returns for some of these videos, without their
        cuts. The teachers are not asked about them again.

    Returns
    -------
    dict of video id to Detections
        What the model finds in the videos that were read.
    """
    labels, videos = data.labels, summarized_videos(data)
    names = np.array(model.class_names)
    results: dict[str, Detections] = {}
    scores = []

    def looked_at(video: str) -> npt.NDArray[np.floating]:
        features = data.store.read(video)
        cuts_s = data.store.cuts_s(video)
        outputs = known.get(video)
        if outputs is not None:
            outputs = dataclasses.replace(outputs, cuts_s=cuts_s or ())
        results[video], best = model.detections_and_best_scores(
            features, outputs, cuts_s=cuts_s
        )
        scores.append(best)
        return features.numpy()

    likeness = Likeness.of(map(looked_at, videos))
    best = np.array(scores)
    is_carried = np.array([np.isin(names, labels[video]) for video in videos])
    values = {
        "format": FORMAT_VERSION,
        "training": training_stamp(run),
        "videos": len(videos),
        "shown_from": separating_score(best[is_carried], best[~is_carried]),
        "unit_scores": model.settings.localization.unit_scores,
        "features": None if likeness is None else likeness.to_json(),
    }
    write_json(run / SUMMARY_FILE, values)
    return results


def shown_score(run: Path, used: Settings | None = None) -> float | None:
    """Return the lowest score that a run's detections are shown with by default.

    It was chosen without true segments: this score best separates the training videos
    with an action from those without it, see
    `acmnet.localization.detection_scores.separating_score`.

    Parameters
    ----------
    run : Path
        A run, or a checkpoint in it.
    used : Settings, optional
        Settings that the run is used with, if they may differ from those that it was
        trained with.

    Returns
    -------
    float or None
        None where it is not known: the run found none of its actions, was trained by an
        earlier version, was trained on since, or is used with scores on another scale.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    values = training_summary(run)
    if values is None or values["shown_from"] is None:
        return None
    if used and used.localization.unit_scores != values["unit_scores"]:
        return None
    return float(values["shown_from"])


def unlike_training(run: Path, data: Data, most: int = MOST_VIDEOS) -> str | None:
    """Return a warning of videos that are unlike those that a run was trained on.

    A video is unlike them if the mean of its features is more than twice as far from
    theirs as 95 % of theirs are from each other (`acmnet.models.training_summary`).

    Parameters
    ----------
    run : Path
        A run, or a checkpoint in it.
    data : Data
        The videos. Those that the run was trained on are passed over.
    most : int
        Most videos that are looked at, evenly spread over the others; from 1.

    Returns
    -------
    str or None
        One sentence that names the videos; None where there are none, or where the run
        does not know, as it was trained by an earlier version.
    """
    values = training_summary(run)
    if values is None or values.get("features") is None:
        return None
    known = Likeness.from_json(values["features"])
    if data.store.dimension != len(known.mean):
        return None
    trained_on = frozenset(load_config(run).trained_on or ())
    videos = [video for video in data.annotations.videos if video not in trained_on]
    looked_at = videos[:: -(-len(videos) // most) or 1]
    unlike = [video for video in looked_at if _is_unlike(known, data, video)]
    if not unlike:
        return None
    return (
        "these videos look unlike those that the run was trained on "
        f"({len(unlike)} of {len(looked_at)} looked at): {some(unlike)}; check what is "
        "found there before you trust it, or train on videos like them"
    )


def _is_unlike(known: Likeness, data: Data, video: str) -> bool:
    try:
        return known.is_unlike(data.store.read(video).numpy())
    except FeatureError:
        return False  # the code that uses the video reports what is wrong with it


def training_summary(run: Path) -> dict[str, Any] | None:
    """Return a run's training summary; None where it has none of its present weights.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    path = run / SUMMARY_FILE
    remedy = "delete it, and detections of every score are shown"
    kind = "training summary"
    text = note_of(run, SUMMARY_FILE, kind, TrainingSummaryError, remedy)
    if text is None:
        return None
    content = parse_json(str(path), text, kind, TrainingSummaryError)
    if not (isinstance(content, dict) and _is_whole(content)):
        raise TrainingSummaryError(
            f"{path} is damaged or not written by acmnet; {remedy}"
        )
    is_own = content["training"] == training_stamp(run)
    return content if is_own and content["format"] == FORMAT_VERSION else None


def _is_whole(values: dict[str, Any]) -> bool:
    """Whether a training summary has everything that this version reads from it."""
    score = values.get("shown_from")
    try:
        if values.get("features") is not None:
            Likeness.from_json(values["features"])
    except ValueError:
        return False
    return (
        {"format", "training", "unit_scores", "shown_from"} <= set(values)
        and isinstance(values["unit_scores"], bool)
        and (score is None or (isinstance(score, float) and np.isfinite(score)))
    )


def training_stamp(run: Path) -> str:
    """Return a text that differs between trainings of the same run."""
    config = load_config(run)
    identity = [
        config.seed,
        config.epoch,
        config.metrics,
        config.training.get("seconds"),
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[
        :16
    ]


def _moments(features: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    """Return the mean and the mean square over a video's snippets, (D,) each."""
    snippets = np.asarray(features, dtype=np.float64)
    return snippets.mean(axis=0), np.square(snippets).mean(axis=0)


def _spread(mean: FloatArray, square: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation from mean and mean square, (D,) each."""
    variance = np.maximum(square - mean**2, 0.0)
    least = max(LEAST_DEVIATION * float(np.sqrt(variance.mean())), 1e-12)
    return mean, np.maximum(np.sqrt(variance), least)


def _distance(features: FloatArray, mean: FloatArray, deviation: FloatArray) -> float:
    """Return the distance of two means in deviations, root mean square over D."""
    return float(np.sqrt(np.square((features - mean) / deviation).mean()))
