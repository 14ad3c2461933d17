"""Find actions of Kinetics-400 in videos without any training, with I3D's own head.

The head's class probabilities of each snippet are used as the CAS, and go through the
same thresholds, outer-inner contrast and NMS.
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.labelled_features import Data
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.i3d.i3d import I3D, kinetics_classes
from acmnet.inference.phrase_classes import PhraseClasses
from acmnet.localization.detection_scores import unit_scores
from acmnet.localization.from_activations import localize_activations
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.pooling import video_logits
from acmnet.segments import Detections, FloatArray, SnippetGrid

EXTRACTION: Final = ExtractionSettings(extractor="i3d-rgb")
USUAL_CLASSES: Final = 3
POOLED_RATIO: Final = 8
"""A class's score in a video is its mean over the T // 8 snippets where it is highest,
as in the instance branch of the paper's network."""
LOCALIZATION: Final = LocalizationSettings(
    class_threshold=0.1,
    activation_scale="softmax",
    activation_thresholds=tuple(round(0.1 * i, 1) for i in range(1, 10)),
    attention_thresholds=(),
)
"""How these actions are localised. The head gives no attention, and with 400 classes
even a small probability is far above chance."""


class ClassError(ValueError):
    """A class that Kinetics-400 does not have, or a choice of none."""


class ChosenScores(NamedTuple):
    """Scores of the K classes that are looked for in one video."""

    names: tuple[str, ...]
    cas: FloatArray
    """(T, K) probabilities in each snippet."""
    video: FloatArray
    """(K,) probabilities in the whole video."""


class Choice(Protocol):
    """Which classes are looked for, and how they follow from the 400 classes."""

    def chosen(self, cas: FloatArray, video: FloatArray) -> ChosenScores:
        """Return the scores of the classes; see `KineticsClasses.chosen`."""


@dataclasses.dataclass(frozen=True)
class Phrases:
    """Actions that phrases describe, each a weighted sum of classes."""

    phrases: tuple[PhraseClasses, ...]

    def chosen(self, cas: FloatArray, video: FloatArray) -> ChosenScores:
        """Return the scores of the phrases; see `KineticsClasses.chosen`."""
        return ChosenScores(
            tuple(x.phrase for x in self.phrases),
            np.stack([phrase.combined(cas) for phrase in self.phrases], axis=1),
            np.array([phrase.combined(video) for phrase in self.phrases]),
        )


@dataclasses.dataclass(frozen=True)
class KineticsClasses:
    """Which of the 400 classes may be found.

    Raises
    ------
    ClassError
        If a name is not one of them, or ``top`` is below 1.
    """

    top: int = USUAL_CLASSES
    """Most classes that are looked for in a video, the most probable ones."""
    names: tuple[str, ...] = ()
    """Names of the classes that may be found; all 400 when empty."""

    def __post_init__(self) -> None:
        """Refuse what cannot be found."""
        if self.top < 1:
            raise ClassError(f"top must be at least 1, got {self.top}")
        known = kinetics_classes()
        for name in self.names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3)
                hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
                raise ClassError(f"Kinetics-400 has no class {name!r}{hint}")

    def chosen(self, cas: FloatArray, video: FloatArray) -> ChosenScores:
        """Return the scores of the most probable classes of one video.

        Parameters
        ----------
        cas : array of shape (T, 400)
            Probabilities of all classes in each snippet.
        video : array of shape (400,)
            Those in the whole video.
        """
        allowed = self.indices()
        order = allowed[np.argsort(-video[allowed], kind="stable")][: self.top]
        places = np.sort(order)
        known = kinetics_classes()
        return ChosenScores(
            tuple(known[i] for i in places), cas[:, places], video[places]
        )

    def indices(self) -> npt.NDArray[np.int64]:
        """Return the places of the classes in the head's output."""
        known = kinetics_classes()
        return np.array([known.index(name) for name in self.names or known])


def localize_kinetics(
    features: npt.NDArray[np.floating] | torch.Tensor,
    network: I3D,
    grid: SnippetGrid,
    classes: Choice,
    settings: LocalizationSettings,
) -> Detections:
    """Return the Kinetics-400 actions in one video.

    Parameters
    ----------
    features : array of shape (T, 1024)
        I3D RGB features of the same network.
    network : I3D
        RGB, with its head.
    grid : SnippetGrid
        Where the snippets lie in time.
    classes : Choice
        Which classes, and how many a video; or phrases.
    settings : LocalizationSettings
        Thresholds and rules.

    Returns
    -------
    Detections
        In seconds. Scores compare within a video and between videos; they are in
        [0, 1] unless ``settings.unit_scores`` is false.

    Notes
    -----
    The head was trained on ten-second clips that show one action throughout. It knows
    scenes as well as motion, so its boundaries are loose.
    """
    with torch.inference_mode():
        logits = network.logits(torch.as_tensor(features).float())  # (T, 400)
        pooled = video_logits(logits.unsqueeze(0), POOLED_RATIO)[0]
        video = pooled.softmax(dim=-1).numpy()
        cas = logits.softmax(dim=-1).numpy()
    scores = classes.chosen(cas, video)
    nothing = np.zeros((len(cas), 1), dtype=cas.dtype)  # no background class
    activations = VideoActivations(
        instance_cas=np.hstack([scores.cas, nothing]),
        attention=np.zeros((len(cas), 3)),  # the head has none
        video_scores=np.append(scores.video, 0.0),
        n_snippets=len(cas),
        grid=grid,
        class_names=scores.names,
    )
    detections = localize_activations(activations, settings)
    if not settings.unit_scores:
        return detections
    return dataclasses.replace(detections, score=unit_scores(detections.score))


def localize_kinetics_videos(
    data: Data,
    network: I3D,
    classes: Choice,
    settings: LocalizationSettings,
    on_video: Callable[[str], None],
    on_failure: Callable[[FeatureError], None],
) -> Mapping[str, Detections]:
    """Return the Kinetics-400 actions of every video of the data, in its order.

    Raises
    ------
    FeatureError
        If the features are not I3D's RGB ones.
    """
    _refuse_other_features(data.store)
    results = {}
    for video in data.annotations.videos:
        try:
            features = data.store.read(video)
        except FeatureError as error:
            on_failure(error)
        else:
            results[video] = localize_kinetics(
                features, network, data.store.grid, classes, settings
            )
        on_video(video)
    return results


def _refuse_other_features(store: FeatureStore) -> None:
    manifest = store.manifest
    if manifest is None or manifest.extractor != EXTRACTION.extractor:
        extractor = manifest.extractor if manifest else "of an unknown extractor"
        raise FeatureError(
            f"features in {store.place} are {extractor or 'of an unknown extractor'}; "
            f"Kinetics classes need {EXTRACTION.extractor}: acmnet extract --extractor "
            f"{EXTRACTION.extractor}"
        )


def only(names: Sequence[str] | None, top: int) -> KineticsClasses:
    """Return a choice of classes from what a user typed, case and blanks forgiven."""
    typed = [part.strip().lower() for name in names or () for part in name.split(",")]
    known = {name.lower(): name for name in kinetics_classes()}
    return KineticsClasses(top, tuple(known.get(name, name) for name in typed if name))
