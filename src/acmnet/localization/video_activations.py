"""The outputs of a network for one video over time, with their times in seconds.

Localisation, pseudo labels and figures all take this one object.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from acmnet.segments import BoolArray, FloatArray, SnippetGrid


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class VideoActivations:
    """The outputs of a network, or the mean over several networks, for one video.

    T is the number of snippets that the network saw, C the number of action classes.
    A class activation sequence (CAS) gives each class a probability in each snippet;
    its last column, C, is the background.

    Raises
    ------
    ValueError
        If the shapes disagree, a number is not finite, there is no class, or
        ``n_snippets`` is below 1.

    Examples
    --------
    >>> video = VideoActivations(
    ...     instance_cas=np.array([[0.1, 0.9], [0.8, 0.2]]),
    ...     attention=np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]),
    ...     video_scores=np.array([0.8, 0.2]),
    ...     n_snippets=2,
    ...     grid=SnippetGrid(fps=10, snippet_frames=10, stride_frames=10),
    ...     class_names=("jump",),
    ... )
    >>> video.centres_s
    array([0.5, 1.5])
    """

    instance_cas: npt.NDArray[np.floating]
    """(T, C + 1). The CAS of the instance branch: class logits weighted by the
    attention to instances, after the softmax over classes; in [0, 1]."""
    attention: npt.NDArray[np.floating]
    """(T, 3). How probably each snippet shows an instance of an action, its context, or
    background; in [0, 1]."""
    video_scores: npt.NDArray[np.floating]
    """(C + 1,). The instance branch's probability of each class in the video."""
    n_snippets: int
    """Snippets in the whole video, from 1. It is T, or more where only T samples of
    them were shown to the network."""
    grid: SnippetGrid
    """Where the video's snippets lie in time, before any sampling."""
    class_names: tuple[str, ...]
    """The C names of the columns, without the background."""
    cas: npt.NDArray[np.floating] | None = None
    """(T, C + 1). The CAS before any attention, in [0, 1]; None where it is not known.
    Figures draw it beside the instance branch's; localisation does not look at it."""
    cuts_s: tuple[float, ...] = ()
    """Where one shot of the video ends and the next begins, in seconds; empty for a
    video of one shot, or where the cuts are not known."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not describe one video."""
        if not self.class_names:
            raise ValueError("class_names must name at least one class, got none")
        n, columns = len(self.instance_cas), len(self.class_names) + 1
        expected = {
            "instance_cas": (n, columns),
            "attention": (n, 3),
            "video_scores": (columns,),
            "cas": (n, columns),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape or not array.size:
                raise ValueError(
                    f"{name} must have shape {shape} for {columns - 1} classes and "
                    f"T >= 1 snippets, got {array.shape}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, got NaN or infinity")
        if self.n_snippets < 1:
            raise ValueError(f"n_snippets must be at least 1, got {self.n_snippets}")

    def only(self, wanted: BoolArray) -> "VideoActivations":
        """Return the activations as if the video did not show the other classes.

        Parameters
        ----------
        wanted : (C,) array
            Whether each class is wanted.
        """
        scores = np.where(np.append(wanted, True), self.video_scores, 0.0)
        return dataclasses.replace(self, video_scores=scores)

    @property
    def first_s(self) -> float:
        """The middle of the first of the T snippets, in seconds."""
        return self.grid.snippet_frames / 2 / self.grid.fps

    @property
    def step_s(self) -> float:
        """Seconds from one of the T snippets to the next."""
        return self.grid.stride_s * self.n_snippets / len(self.attention)

    @property
    def centres_s(self) -> FloatArray:
        """(T,) the middle of each of the T snippets, in seconds."""
        index = np.arange(len(self.attention), dtype=np.float64)
        centres: FloatArray = self.first_s + self.step_s * index
        return centres
