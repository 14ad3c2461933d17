"""Find the actions in the videos of a data set with a trained model."""

from collections.abc import Callable

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.labelled_features import Data
from acmnet.models.trained_model import TrainedModel
from acmnet.segments import Detections, SnippetGrid


def refuse_other_features(model: TrainedModel, store: FeatureStore) -> None:
    """Refuse features of another dimension or grid than the model was trained on.

    Raises
    ------
    FeatureError
        If they are; the message names what the features have and the model expects.
    """
    expected = model.feature_dim
    if store.dimension != expected:
        raise FeatureError(
            f"features in {store.place} have {store.dimension} columns, the "
            f"checkpoint expects {expected}; were they extracted with the same streams?"
        )
    if store.grid != model.grid:
        raise FeatureError(
            f"features in {store.place} are on the grid {_grid(store.grid)}, the "
            f"checkpoint was trained on {_grid(model.grid)}; extract them on that grid"
        )


def localize_videos(
    model: TrainedModel,
    data: Data,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> dict[str, Detections]:
    """Return the detections of every video of the data, in its order.

    Parameters
    ----------
    model : TrainedModel
        The model that localises.
    data : Data
        The videos and their features.
    on_video : callable
        Called with each video's id once it is done, whether it was left out or not.
    on_failure : callable, optional
        Called with the error of each video whose features cannot be used, which is then
        left out. Without it, the first such error is raised.

    Raises
    ------
    FeatureError
        If the features are not like those that the model was trained on, or, without
        ``on_failure``, if those of a video cannot be used.
    """
    refuse_other_features(model, data.store)
    results: dict[str, Detections] = {}
    for video in data.annotations.videos:
        try:
            features = data.store.read(video)
            results[video] = model.localize(features, cuts_s=data.store.cuts_s(video))
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
