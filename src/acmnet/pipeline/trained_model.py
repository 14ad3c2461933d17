"""A trained model, ready to use: features in, detections in seconds out."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acmnet.data.feature_files import FeatureError
from acmnet.data.feature_store import FeatureStore
from acmnet.data.labelled_features import Data
from acmnet.files import one_line
from acmnet.localization.detection_scores import unit_scores
from acmnet.localization.from_activations import localize_scores, score_proposals
from acmnet.localization.from_boundaries import best_candidates, localize_candidates
from acmnet.messages import counted
from acmnet.network.acm_net import ACMNet, ACMNetOutput, Branch, video_logits
from acmnet.network.student import Student, StudentOutput
from acmnet.recipes import RecipeError, Settings, from_values
from acmnet.segments import Detections, SnippetGrid
from acmnet.training.checkpoint import (
    ANOTHER,
    CONFIG_FILE,
    CheckpointConfig,
    CheckpointError,
    folder_of,
    load_config,
    load_weights,
)

CHUNK_SNIPPETS: Final = 1024
"""Snippets of one video that the network sees at once; bounds memory, not results."""
TRIES: Final = 3
"""How often a checkpoint is read anew because a training has just replaced it."""
TEACHERS: Final = "teachers"
"""Folder of the networks that taught a run's student, each a run of its own."""


class VideoScores(NamedTuple):
    """What the network says of one video, as `localize_scores` takes it."""

    cas_instance: npt.NDArray[np.float32]
    """(T, C + 1). Softmax over classes of the instance branch's CAS."""
    attention: npt.NDArray[np.float32]
    """(T, 3)."""
    video_scores: npt.NDArray[np.float32]
    """(C + 1,). The instance branch's video-level probabilities."""


class VideoCurves(NamedTuple):
    """All that the networks say of one video, from one pass of each."""

    scores: VideoScores
    cas: npt.NDArray[np.float32]
    """(T, C + 1). Softmax over classes of the CAS before any attention."""


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network with all that its outputs need to become detections.

    Examples
    --------
    >>> network = ACMNet(feature_dim=8, n_classes=2)
    >>> grid = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
    >>> model = TrainedModel(network, Settings(), ("jump", "run"), grid)
    >>> found = model.localize(np.zeros((10, 8), dtype=np.float16))
    >>> max(d.end_s for d in found) <= 6.4
    True
    """

    network: ACMNet
    settings: Settings
    class_names: tuple[str, ...]
    grid: SnippetGrid
    config: CheckpointConfig | None = None
    """What the checkpoint says of itself, where it came from one."""
    further: tuple[ACMNet, ...] = ()
    """Networks of other seeds, whose scores are averaged with the first one's."""
    student: Student | None = None
    """The second stage, which localises in their place or beside them."""

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.network.classifier.weight.device

    def scores(self, features: npt.NDArray[np.floating] | Tensor) -> VideoScores:
        """Run the network on one video.

        Parameters
        ----------
        features : (L, D) array or tensor
            At full length, on the model's grid; fp16, fp32 or fp64.

        Raises
        ------
        ValueError
            If the shape is not (L, D) or a value is not finite.
        """
        return self.curves(features).scores

    def cas(
        self, features: npt.NDArray[np.floating] | Tensor
    ) -> npt.NDArray[np.float32]:
        """Return the CAS before any attention, softmax over classes, (T, C + 1).

        What the classifier alone says; nothing is localised with it. Parameters and
        errors are those of `scores`.
        """
        return self.curves(features).cas

    def curves(self, features: npt.NDArray[np.floating] | Tensor) -> VideoCurves:
        """Return scores and CAS of one video from one pass of each network.

        Parameters and errors are those of `scores`.
        """
        video = self._sampled(features)
        networks = (self.network, *self.further)
        each = [self._network_curves(network, video) for network in networks]
        # in fp64, so that the mean of one is that one
        cas_instance, attention, video_scores, cas = (
            np.stack(arrays).mean(axis=0, dtype=np.float64).astype(np.float32)
            for arrays in zip(*((*own.scores, own.cas) for own in each), strict=True)
        )
        return VideoCurves(VideoScores(cas_instance, attention, video_scores), cas)

    def _sampled(self, features: npt.NDArray[np.floating] | Tensor) -> Tensor:
        """Return a video's features (T, D) as the networks see them."""
        video = self._checked(features)
        limit = self.settings.localization.test_snippets
        if 0 < limit < len(video):
            # every (L / T)-th snippet, as `dataset_class.py:8-22` at test
            index = torch.arange(limit, dtype=torch.float64) * len(video) / limit
            video = video[index.floor().long()]
        return video

    def _network_curves(self, network: ACMNet, video: Tensor) -> VideoCurves:
        """Return what one network says of a video."""
        network.eval()
        with torch.inference_mode():
            attention, activation = self._heads(network, video)
            logits = attention[:, Branch.INSTANCE, None] * activation
            ratio = network.settings.instance_ratio
            pooled = video_logits(logits.unsqueeze(0), ratio)[0]
        scores = VideoScores(
            logits.softmax(dim=-1).cpu().numpy(),
            attention.cpu().numpy(),
            pooled.softmax(dim=-1).cpu().numpy(),
        )
        return VideoCurves(scores, activation.softmax(dim=-1).cpu().numpy())

    def _heads(self, network: ACMNet, video: Tensor) -> tuple[Tensor, Tensor]:
        """Return a network's attention (T, 3) and activation (T, C + 1)."""

        def outputs(seen: Tensor) -> tuple[Tensor, Tensor]:
            output: ACMNetOutput = network(seen)
            return output.attention, output.activation

        return self._in_chunks(video, network.settings.reach_snippets, outputs)

    def _in_chunks(
        self,
        video: Tensor,
        reach: int,
        outputs: Callable[[Tensor], tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        """Return two outputs of every snippet (T, ...), `CHUNK_SNIPPETS` at once.

        A snippet sees ``reach`` neighbours on either side: each chunk is given them, so
        that chunks change no number.
        """
        n, size = len(video), min(len(video), CHUNK_SNIPPETS)
        one: list[Tensor] = []
        other: list[Tensor] = []
        # the last chunk is moved back rather than cut: one shape, one order of sums
        for start in (*range(0, n - size, size), n - size):
            end, before = start + size, min(start, reach)
            seen = video[start - before : end + reach].to(self.device).float()
            both = outputs(seen.unsqueeze(0))
            done = sum(map(len, one))
            kept = slice(before + done - start, before + size)
            one.append(both[0][0, kept])
            other.append(both[1][0, kept])
        return torch.cat(one), torch.cat(other)

    def localize(
        self,
        features: npt.NDArray[np.floating] | Tensor,
        scores: VideoScores | None = None,
    ) -> Detections:
        """Return the detections in one video's features, in seconds.

        Scores are in [0, 1] unless the setting ``localization.unit_scores`` is false.
        Parameters and errors are those of `scores`, whose result for the same features
        may be given where it is known already.
        """
        if self.student is not None:
            found = self._localize_by(self.student, self._checked(features), scores)
        else:
            found = self._localized(localize_scores, features, scores)
        if not self.settings.localization.unit_scores:
            return found
        return dataclasses.replace(found, score=unit_scores(found.score))

    def _localized(
        self,
        by: Callable[..., Detections],
        features: npt.NDArray[np.floating] | Tensor,
        scores: VideoScores | None,
    ) -> Detections:
        """Return what `localize_scores` or `score_proposals` makes of the scores."""
        return by(
            *(self.scores(features) if scores is None else scores),
            n_snippets=len(features),
            grid=self.grid,
            class_names=self.class_names,
            settings=self.settings.localization,
        )

    def best_scores(
        self, features: npt.NDArray[np.floating] | Tensor
    ) -> npt.NDArray[np.float64]:
        """Return the highest score that `localize` gives each class, (C,).

        -inf for a class that is not found. Cheaper than `localize`, as there is no NMS.
        Parameters and errors are those of `scores`.
        """
        if self.student is not None:
            video = self._checked(features)
            probability, distance, beside = self.candidates(self.student, video, None)
            best = best_candidates(probability, distance, grid=self.grid, beside=beside)
        else:
            found = self._localized(score_proposals, features, None)
            best = np.full(len(self.class_names), -np.inf)
            np.maximum.at(best, found.class_index, found.score)
        if self.settings.localization.unit_scores:
            is_found = np.isfinite(best)
            best[is_found] = unit_scores(best[is_found])
        return best

    def _localize_by(
        self, student: Student, video: Tensor, scores: VideoScores | None
    ) -> Detections:
        """Return what the second stage finds."""
        probability, distance, beside = self.candidates(student, video, scores)
        return localize_candidates(
            probability,
            distance,
            grid=self.grid,
            class_names=self.class_names,
            sigma=self.settings.localization.soft_nms_sigma,
            beside=beside,
        )

    def candidates(
        self, student: Student, video: Tensor, scores: VideoScores | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Detections | None]:
        """Return what the second stage makes detections of, as `localize_candidates`.

        That is probability (T, C), distance (T, 2) and the teachers' proposals.
        """

        def outputs(seen: Tensor) -> tuple[Tensor, Tensor]:
            output: StudentOutput = student(seen)
            return output.logits, output.distance

        student.eval()
        with torch.inference_mode():
            logits, distance = self._in_chunks(
                video, student.settings.reach_snippets, outputs
            )
        weight, proposals = self.settings.student.teachers_weight, None
        if weight:
            proposals = self._localized(score_proposals, video, scores)
            score = proposals.score * (weight / float(student.teachers_best))
            proposals = dataclasses.replace(proposals, score=score)
        return logits.sigmoid().cpu().numpy(), distance.cpu().numpy(), proposals

    def _checked(self, features: npt.NDArray[np.floating] | Tensor) -> Tensor:
        if isinstance(features, str | os.PathLike):
            path = os.fspath(features)
            raise TypeError(
                f"features must be an array of shape (T, D), got the path {path!r}; "
                f"read the file first, as with np.load({path!r})"
            )
        video = torch.as_tensor(features)
        expected = self.network.feature_dim
        if video.ndim != 2 or video.shape[1] != expected or not len(video):
            raise ValueError(
                f"features must have shape (T, {expected}) with T >= 1, got "
                f"{tuple(video.shape)}"
            )
        if not video.isfinite().all():
            raise ValueError("features must be finite, got NaN or infinity")
        return video


def load(
    run: str | Path,
    *,
    settings: Callable[[Settings], Settings] = lambda trained: trained,
    device: torch.device | str = "cpu",
) -> TrainedModel:
    """Load a trained model from a run or any checkpoint directory.

    Parameters
    ----------
    run : path
        What `acmnet train` or `acmnet fit` wrote, or the folder of any checkpoint.
    settings : callable, optional
        Given the run's settings, returns those to localise with.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    CheckpointError
        If there is no usable checkpoint. No code is run from its files, whatever they
        hold.
    """
    directory = Path(run)
    for _ in range(TRIES):
        before = _identity(directory)
        try:
            return _loaded(directory, settings, device)
        except CheckpointError:
            if _identity(directory) == before:
                raise
    return _loaded(directory, settings, device)


def _identity(directory: Path) -> int | None:
    """Return what changes when a training puts a newer checkpoint into its place."""
    try:
        return folder_of(directory).stat().st_ino
    except OSError:
        return None


def _loaded(
    directory: Path,
    settings: Callable[[Settings], Settings],
    device: torch.device | str,
) -> TrainedModel:
    """Load a model once; see `load`."""
    config = load_config(directory)
    try:
        trained = from_values(config.settings, str(folder_of(directory) / CONFIG_FILE))
    except RecipeError as error:
        raise CheckpointError(f"{error}; {ANOTHER}") from error
    used = settings(trained)
    weights = load_weights(directory)
    n_classes = len(config.class_names)
    if not used.student.teachers:
        network = _filled(
            lambda: ACMNet(config.feature_dim, n_classes, used.model),
            weights,
            directory,
            config,
        )
        return TrainedModel(
            network.to(device), used, config.class_names, config.grid, config
        )
    student = _filled(
        lambda: Student(config.feature_dim, n_classes, used.student),
        weights,
        directory,
        config,
    )
    teachers = [
        _teacher(directory / TEACHERS / str(k), config).to(device)
        for k in range(used.student.teachers)
    ]
    return TrainedModel(
        teachers[0],
        used,
        config.class_names,
        config.grid,
        config,
        tuple(teachers[1:]),
        student.to(device),
    )


def _teacher(directory: Path, student: CheckpointConfig) -> ACMNet:
    """Load one of the networks that taught a student."""
    config = load_config(directory)
    values = (config.class_names, config.feature_dim, config.grid)
    if values != (student.class_names, student.feature_dim, student.grid):
        raise CheckpointError(
            f"{directory} has other classes or other features than the run that it is "
            f"a teacher of; {ANOTHER}"
        )
    if (config.settings.get("student") or {}).get("teachers"):
        raise CheckpointError(
            f"{directory} has teachers itself, and is no teacher of a run; {ANOTHER}"
        )
    return load(directory).network


Network = TypeVar("Network", bound=nn.Module)


def _filled(
    build: Callable[[], Network],
    weights: Mapping[str, Tensor],
    directory: Path,
    config: CheckpointConfig,
) -> Network:
    """Return a network with a checkpoint's weights, if they are what it says.

    Their shapes are compared on a network without memory: a damaged ``config.json``
    can ask for any size.
    """
    try:
        with torch.device("meta"):
            network = build()
    except (ValueError, RuntimeError, MemoryError, OverflowError) as error:
        raise CheckpointError(
            f"{directory}: its settings make no network ({one_line(error)}); {ANOTHER}"
        ) from error
    expected, found = (
        {name: (value.shape, value.dtype) for name, value in named.items()}
        for named in (network.state_dict(), weights)
    )
    if expected != found:
        raise CheckpointError(
            f"{directory}: the weights do not have the shapes and the precision that "
            f"{CONFIG_FILE} calls for ({counted(len(config.class_names), 'class')}, "
            "dimension "
            f"{config.feature_dim}); {ANOTHER}"
        )
    # memory as torch aligns it: results depend on that in their last bits
    network.to_empty(device="cpu").load_state_dict(weights)
    return network


def refuse_other_features(model: TrainedModel, store: FeatureStore) -> None:
    """Refuse features of another dimension or grid than the model was trained on.

    Raises
    ------
    FeatureError
        Naming both.
    """
    expected = model.network.feature_dim
    if store.dimension != expected:
        raise FeatureError(
            f"features in {store.directory} have {store.dimension} columns, the "
            f"checkpoint expects {expected}; were they extracted with the same streams?"
        )
    if store.grid != model.grid:
        raise FeatureError(
            f"features in {store.directory} are on the grid {_grid(store.grid)}, the "
            f"checkpoint was trained on {_grid(model.grid)}; extract them alike"
        )


def localize_videos(
    model: TrainedModel,
    data: Data,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> dict[str, Detections]:
    """Return the detections of every video of the data, in its order.

    A video whose features cannot be used is reported to ``on_failure`` and left out;
    without that, it is refused.
    """
    refuse_other_features(model, data.store)
    results: dict[str, Detections] = {}
    for video in data.annotations.videos:
        try:
            results[video] = model.localize(data.store.read(video))
        except FeatureError as error:
            if on_failure is None:
                raise
            on_failure(error)
        on_video(video)
    return results


def _grid(grid: SnippetGrid) -> str:
    return (
        f"{grid.snippet_frames} frames every {grid.stride_frames} at {grid.fps:g} fps"
    )
