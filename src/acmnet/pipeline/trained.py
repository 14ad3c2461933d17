"""A trained model, ready to use: features in, detections in seconds out."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.checkpoint import (
    CheckpointConfig,
    CheckpointError,
    load_config,
    load_weights,
)
from acmnet.features import FeatureError, FeatureStore
from acmnet.localization import localize_scores
from acmnet.model import ACMNet, ACMNetOutput, Branch
from acmnet.pipeline.data import Data
from acmnet.recipes import Settings, from_values
from acmnet.segments import Detections, SnippetGrid


class VideoScores(NamedTuple):
    """What the network says of one video, as `localize_scores` takes it."""

    cas_instance: npt.NDArray[np.float32]
    """(T, C + 1). Softmax over classes of the instance branch's CAS."""
    attention: npt.NDArray[np.float32]
    """(T, 3)."""
    video_scores: npt.NDArray[np.float32]
    """(C + 1,). The instance branch's video-level probabilities."""


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
        video = self._checked(features)
        limit = self.settings.localization.test_snippets
        if 0 < limit < len(video):
            # every (L / T)-th snippet, as `dataset_class.py:8-22` at test
            index = torch.arange(limit, dtype=torch.float64) * len(video) / limit
            video = video[index.floor().long()]
        self.network.eval()
        with torch.inference_mode():
            batch = video.to(self.device).float().unsqueeze(0)
            output: ACMNetOutput = self.network(batch)
            cas = output.branch_activation[0, Branch.INSTANCE].softmax(dim=-1)
            probabilities = output.video_logits[0, Branch.INSTANCE].softmax(dim=-1)
        return VideoScores(
            cas.cpu().numpy(),
            output.attention[0].cpu().numpy(),
            probabilities.cpu().numpy(),
        )

    def localize(self, features: npt.NDArray[np.floating] | Tensor) -> Detections:
        """Return the detections in one video's features, in seconds.

        Parameters and errors are those of `scores`.
        """
        return localize_scores(
            *self.scores(features),
            n_snippets=len(features),
            grid=self.grid,
            class_names=self.class_names,
            settings=self.settings.localization,
        )

    def _checked(self, features: npt.NDArray[np.floating] | Tensor) -> Tensor:
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
        A directory with ``model.safetensors`` and ``config.json``.
    settings : callable, optional
        Given the run's settings, returns those to localise with.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    CheckpointError
        If there is no usable checkpoint; no code is run from its files.
    """
    directory = Path(run)
    config = load_config(directory)
    weights = load_weights(directory)
    used = settings(from_values(config.settings, str(directory / "config.json")))
    network = ACMNet(config.feature_dim, len(config.class_names), used.model)
    expected = {name: value.shape for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    if expected != found:
        raise CheckpointError(
            f"{directory}: the weights do not have the shapes that config.json calls "
            f"for ({len(config.class_names)} classes, dimension {config.feature_dim}); "
            "take another checkpoint"
        )
    network.load_state_dict(weights)
    return TrainedModel(
        network.to(device), used, config.class_names, config.grid, config
    )


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
