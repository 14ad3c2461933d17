"""An estimator like those of scikit-learn, for features that are arrays in memory.

This module needs the extra ``acmnet[sklearn]``; nothing else imports it.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_array, check_is_fitted
except ImportError as error:
    raise ImportError(
        "ACMNetLocalizer needs scikit-learn, which is not installed: pip install "
        "'acmnet[sklearn]'"
    ) from error

from acmnet.models.trained_model import TrainedModel
from acmnet.python_api.python_calls import train
from acmnet.segments import Detections, SnippetGrid

GRID: Final = SnippetGrid(fps=25.0, snippet_frames=16, stride_frames=16)
"""Where the snippets lie in time unless ``grid`` says otherwise."""
LARGEST_SEED: Final = 2**31 - 1
"""Largest seed that is drawn from a random state."""

Array = npt.NDArray[np.float32]


class ACMNetLocalizer(BaseEstimator):  # type: ignore[misc]
    """Learns when actions happen from the names of the actions in each video.

    Videos are given as a list of arrays of shape (T, D), whose T may differ, or as one
    array of shape (videos, T, D). An array of two axes is taken as videos of a single
    snippet, (videos, D).

    Parameters
    ----------
    recipe : str
        Name of a recipe, or the path of a recipe file.
    profile : str, optional
        "best", "corrected", "official" or "paper"; the recipe's own when left out.
    overrides : mapping, optional
        Settings by dotted name, such as ``{"training.epochs": 50}``.
    grid : SnippetGrid, optional
        Where the snippets lie in time; 16 frames every 16 frames at 25 frames a second
        when left out.
    random_state : int, RandomState or None
        The seed of the training; None draws one anew at each fit.
    device : str
        Where the networks compute.

    Attributes
    ----------
    model_ : TrainedModel
        The trained model.
    classes_ : array of shape (C,)
        The names of the actions, sorted.
    n_features_in_ : int
        D, the number of columns.

    Examples
    --------
    >>> videos = [np.eye(4)[[0, 1, 2, 3]], np.eye(4)[[3, 2, 1, 0, 0]]]
    >>> few = {"training.epochs": 1}
    >>> found = ACMNetLocalizer(profile="corrected", overrides=few, random_state=0)
    >>> len(found.fit(videos, [["jump"], ["run", "jump"]]).predict(videos))
    2
    """

    def __init__(
        self,
        *,
        recipe: str = "default",
        profile: str | None = None,
        overrides: Mapping[str, object] | None = None,
        grid: SnippetGrid | None = None,
        random_state: object = None,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.profile = profile
        self.overrides = overrides
        self.grid = grid
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - as scikit-learn names them
        """Train on videos and the names of the actions in each.

        Parameters
        ----------
        X : list of (T, D) arrays, or array of shape (videos, T, D)
            Finite features.
        y : list of lists of names, list of names, or indicator array (videos, C)
            The actions in each video. A name alone stands for a list with that name.
            The classes of an indicator array of 0 and 1 are named by their numbers,
            from "0".

        Raises
        ------
        ValueError
            If the arrays or the names cannot be used.
        """
        videos = _videos(X)
        labels = _labels(y, len(videos))
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(LARGEST_SEED)
        with tempfile.TemporaryDirectory(prefix="acmnet-") as folder:
            self.model_: TrainedModel = train(
                Path(folder) / "run",
                _named(videos),
                _named(labels),
                self.grid or GRID,
                recipe=self.recipe,
                profile=self.profile,  # type: ignore[arg-type]
                overrides=self.overrides,
                seed=int(seed),
                device=self.device,
            )
        self.classes_ = np.array(self.model_.class_names, dtype=object)
        self.n_features_in_ = self.model_.feature_dim
        return self

    def predict(self, X: Any) -> list[Detections]:  # noqa: N803
        """Return the detections of each video, in seconds.

        Parameters
        ----------
        X : list of (T, D) arrays, or array of shape (videos, T, D)
            Finite features with the columns of the training.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the arrays cannot be used.
        """
        return [self.model_.localize(video) for video in self._checked_videos(X)]

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return the highest score of a detection of each class in each video.

        Parameters
        ----------
        X : list of (T, D) arrays, or array of shape (videos, T, D)
            Finite features with the columns of the training.

        Returns
        -------
        array of shape (videos, C)
            In the order of ``classes_``; 0 for a class that is not found.
        """
        best = np.array(
            [self.model_.best_scores(video) for video in self._checked_videos(X)]
        )
        return np.where(np.isfinite(best), best, 0.0)

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """Return how well videos are named: the mean average precision over classes.

        This is no score of starts and ends, about which names say nothing:
        `acmnet.evaluate` measures those against true segments. Classes that no video
        has do not count.

        Parameters
        ----------
        X : list of (T, D) arrays, or array of shape (videos, T, D)
            Finite features with the columns of the training.
        y : as for `fit`
            The actions in each video; names that were not learned count as not found.
        """
        from sklearn.metrics import average_precision_score

        confidence = self.decision_function(X)
        labels = _labels(y, len(confidence))
        names = self.classes_.tolist()
        precisions = []
        for name in sorted({name for of_video in labels for name in of_video}):
            truth = [name in of_video for of_video in labels]
            scores = np.zeros(len(confidence))
            if name in names:
                scores = confidence[:, names.index(name)]
            precisions.append(average_precision_score(truth, scores))
        if not precisions:
            raise ValueError("y names no action in any video, so there is no score")
        return float(np.mean(precisions))

    def _checked_videos(self, X: Any) -> list[Array]:  # noqa: N803
        """Return videos once the estimator is fitted and they have its columns."""
        check_is_fitted(self, "model_")
        videos = _videos(X)
        if videos[0].shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {videos[0].shape[1]} features, but {type(self).__name__} is "
                f"expecting {self.n_features_in_} features as input"
            )
        return videos

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn should know of the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags


def _videos(recordings: Any) -> list[Array]:
    """Return each video's features as an array of shape (T, D), fp32.

    Raises
    ------
    ValueError
        If there is no video, or they cannot be used.
    """
    is_list = isinstance(recordings, Sequence) and not isinstance(recordings, str)
    if is_list and all(np.ndim(video) == 2 for video in recordings) and len(recordings):
        videos = [
            check_array(video, dtype=np.float32, input_name="X") for video in recordings
        ]
    else:
        array = check_array(recordings, dtype=np.float32, allow_nd=True, input_name="X")
        if array.ndim > 3:
            raise ValueError(
                f"X must have shape (videos, T, D), got {array.shape}; give a list of "
                "(T, D) arrays for videos of different lengths"
            )
        videos = list(array[:, None, :] if array.ndim == 2 else array)
    columns = {video.shape[1] for video in videos}
    if len(columns) > 1:
        raise ValueError(
            f"all videos must have the same number of columns, got {sorted(columns)}"
        )
    return videos


def _labels(y: Any, n_videos: int) -> list[list[str]]:
    """Return the names of the actions in each video.

    Raises
    ------
    ValueError
        If they are missing, if there are more or fewer than videos, or if they are no
        names.
    """
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: the names of the "
            "actions in each video"
        )
    if isinstance(y, str):
        raise ValueError(f"y must hold the names of each video, got the text {y!r}")
    if hasattr(y, "to_numpy"):  # of pandas and polars
        y = y.to_numpy()
    rows = list(y)
    if len(rows) != n_videos:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: [{n_videos}, "
            f"{len(rows)}]; y needs an entry for each video"
        )
    if isinstance(y, np.ndarray) and y.ndim == 2:
        return _indicated(y)
    return [[_name(x)] if np.ndim(x) == 0 else [_name(n) for n in x] for x in rows]


def _indicated(y: npt.NDArray[Any]) -> list[list[str]]:
    """Return the numbers of the classes that an indicator array has a 1 for."""
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            "an indicator array y must hold 0 and 1 alone; give lists of names else"
        )
    return [[str(c) for c in np.flatnonzero(row)] for row in y]


def _name(label: Any) -> str:
    """Return the name of an action; numbers name classes, too."""
    value = label.item() if isinstance(label, np.generic) else label
    if isinstance(value, float):
        if not np.isfinite(value):
            raise ValueError("Input y contains NaN or infinity; name the actions")
        if value == int(value):
            value = int(value)
    if not isinstance(value, str | int | float | bool):
        raise ValueError(
            f"Unknown label type: y must hold names or lists of names, got {value!r}"
        )
    return str(value)


def _named(videos: Sequence[Any]) -> dict[str, Any]:
    """Return what belongs to each video by an id that sorts in their order."""
    return {f"video_{i:09d}": value for i, value in enumerate(videos)}
