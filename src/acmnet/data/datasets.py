"""Features and video-level labels, sampled to batches for training.

No temporal truth enters this module: it is given video ids and class names only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor

from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.sampling_settings import Sampling, SamplingSettings
from acmnet.messages import counted

FIXED_LENGTH: Final = ("random", "interpolate")
"""Sampling methods that give every video the same number of snippets."""


class Batch(NamedTuple):
    """B videos for one training step."""

    features: Tensor
    """(B, T, D) float32."""
    mask: Tensor
    """(B, T) bool. True where a snippet exists."""
    labels: Tensor
    """(B, C) float32, multi-hot."""
    position: Tensor
    """(B, T) float64. The index in its video of each snippet; 0 at padding."""


class Draws(NamedTuple):
    """What chance decides of one training step, drawn on the CPU for every device.

    B is the number of videos of the whole step, b of those that this process computes.
    """

    videos: Tensor
    """(b,) int64. The videos, by their places."""
    numbers: Tensor
    """(b, n) float64 in [0, 1). What `drawn_numbers` gives for each video."""
    seeds: Tensor | Sequence[torch.Generator]
    """(b,) int64. The seed of each video's dropout; or, on a GPU, for each video a
    generator that was given its seed."""
    snippets: int
    """T, how many snippets each video of the step is given; shorter ones are padded."""


class WeakDataset:
    """The features and the multi-hot label of every training video, nothing else.

    Parameters
    ----------
    store : FeatureStore
        Where the features lie; read once, here.
    labels : mapping of video id to class names
        What each video contains; an empty tuple is a video without any action.
    class_names : sequence of C strings
        The order of the label columns.
    device : torch.device or str
        Where the features are kept and batches are made.
    in_memory : bool
        Read (and check) all features into one tensor of the stored precision, or
        map the files and read what a batch needs.

    Raises
    ------
    ValueError
        If a label is not among the class names or there is no video.
    FeatureError
        If features are missing or unusable.
    """

    def __init__(
        self,
        store: FeatureStore,
        labels: Mapping[str, Sequence[str]],
        class_names: Sequence[str],
        *,
        device: torch.device | str = "cpu",
        in_memory: bool = True,
    ) -> None:
        if not labels:
            raise ValueError("there is no video to train on")
        self.video_ids = tuple(labels)
        self.device = torch.device(device)
        self.dimension = store.dimension
        store.require(self.video_ids)
        self.labels = multi_hot(labels, class_names).to(self.device)
        lengths = [store.shape(video)[0] for video in self.video_ids]
        self.lengths = torch.tensor(lengths)
        """(videos,) int64, on the CPU: snippets of each video."""
        self._lengths = self.lengths.to(self.device)
        self._files = None if in_memory else [store.map(v) for v in self.video_ids]
        self._packed = self._pack(store) if in_memory else None

    @property
    def is_on_device(self) -> bool:
        """Whether a batch is made without reading files."""
        return self._packed is not None

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self.video_ids)

    def _pack(self, store: FeatureStore) -> Tensor:
        """Lay all videos end to end: (sum of T, D)."""
        packed: Tensor | None = None
        self._offsets = self._lengths.cumsum(0) - self._lengths
        bounds = zip(self._offsets.tolist(), self.lengths.tolist(), strict=True)
        for video, (offset, length) in zip(self.video_ids, bounds, strict=True):
            features = store.read(video)
            if packed is None:
                packed = torch.empty(
                    int(self.lengths.sum()),
                    self.dimension,
                    dtype=features.dtype,
                    device=self.device,
                )
            packed[offset : offset + length] = features
        if packed is None:
            raise ValueError("there is no video to train on")
        return packed

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each column, (D,) fp32 on the device.

        Over every snippet of every video, summed in fp64, one video at a time.
        """
        count = int(self.lengths.sum())
        mean = torch.zeros(self.dimension, dtype=torch.float64, device=self.device)
        for rows in self._videos():
            mean += rows.double().sum(dim=0) / count
        square = torch.zeros_like(mean)
        for rows in self._videos():
            square += (rows.double() - mean).square_().sum(dim=0) / count
        return mean.float(), square.sqrt().float()

    def video(self, place: int) -> Tensor:
        """Return the stored features of one video, (T, D), on the device."""
        if self._packed is not None:
            first = int(self._offsets[place])
            return self._packed[first : first + int(self.lengths[place])]
        if self._files is None:
            raise RuntimeError("the features are neither in memory nor mapped")
        return self._files[place].to(self.device)

    def _videos(self) -> Iterator[Tensor]:
        """Yield each video's (T, D) on the device."""
        if self._packed is not None:
            yield from torch.split(self._packed, self.lengths.tolist())
        for file in self._files or ():
            yield file.to(self.device)

    def draw(
        self,
        index: Tensor,
        settings: SamplingSettings,
        generator: torch.Generator,
        part: slice = slice(None),
    ) -> Draws:
        """Draw what a step with the videos at ``index[part]`` depends on.

        The draw is made for all of ``index`` (B,), on the CPU, so that it is the same
        on every device and however a batch is split over processes.
        """
        n = settings.snippets
        numbers = drawn_numbers(len(index), n, settings.method, generator)
        seeds = torch.randint(2**62, (len(index),), generator=generator)
        snippets = n
        if settings.method not in FIXED_LENGTH:
            longest = int(self.lengths[index].max())
            # a GPU records a graph for each shape of a batch, so there are few (D-111)
            if self.device.type != "cpu":
                longest = min(rounded_up(longest), int(self.lengths.max()))
            snippets = min(n, longest)
        return Draws(index[part], numbers[part], seeds[part], snippets)

    def batch(self, drawn: Draws, settings: SamplingSettings) -> Batch:
        """Sample the videos that were drawn to T snippets each."""
        index, numbers = (x.to(self.device) for x in (drawn.videos, drawn.numbers))
        lengths = self._lengths[index]  # (B,)
        position, mask = sampled_positions(
            lengths, settings.snippets, settings.method, numbers, drawn.snippets
        )
        low = position.long()  # (B, T)
        features = self._rows(index, low)  # (B, T, D)
        if settings.method == "interpolate":
            high = torch.minimum(low + 1, (lengths - 1).unsqueeze(1))
            share = (position - low).float().unsqueeze(-1)  # (B, T, 1)
            features = features.lerp(self._rows(index, high), share)
        return Batch(features, mask, self.labels[index], position)

    def _rows(self, index: Tensor, snippet: Tensor) -> Tensor:
        """Gather (B, T) snippets as (B, T, D) float32; torch widens fp16."""
        if self._packed is not None:
            # (B * T,): rows in the packed features of all videos
            flat = (self._offsets[index].unsqueeze(1) + snippet).flatten()
            rows = self._packed.index_select(0, flat).float()  # (B * T, D)
            return rows.view(*snippet.shape, self.dimension)
        if self._files is None:
            raise RuntimeError("the features are neither in memory nor mapped")
        picked = torch.empty(*snippet.shape, self.dimension)
        for row, i, t in zip(picked, index.tolist(), snippet.cpu(), strict=True):
            row.copy_(self._files[i].index_select(0, t))
        return picked.to(self.device)


def rounded_up(length: int) -> int:
    """Return the next length that begins with one of four digits in base 2.

    Videos of any lengths then give few widths of batches, and a batch is at most a
    quarter wider than it has to be; below 64 snippets, at most by 15 snippets.

    Examples
    --------
    >>> [rounded_up(length) for length in (5, 64, 65, 300, 1000)]
    [16, 64, 80, 320, 1024]
    """
    step = max((1 << length.bit_length()) >> 3, 16)
    return -(-length // step) * step


def multi_hot(
    labels: Mapping[str, Sequence[str]], class_names: Sequence[str]
) -> Tensor:
    """Return the (B, C) float32 label matrix, rows in the mapping's order.

    Examples
    --------
    >>> multi_hot({"v1": ("jump",), "v2": (), "v3": ("run", "jump")}, ["jump", "run"])
    tensor([[1., 0.],
            [0., 0.],
            [1., 1.]])
    """
    column = {name: i for i, name in enumerate(class_names)}
    result = torch.zeros(len(labels), len(class_names))
    for row, (video, names) in enumerate(labels.items()):
        for name in names:
            if name not in column:
                raise ValueError(
                    f"video {video!r} has the label {name!r}, which is not one of "
                    f"{counted(len(column), 'class')}"
                )
            result[row, column[name]] = 1.0
    return result


def drawn_numbers(
    n_videos: int, n: int, method: Sampling, generator: torch.Generator
) -> Tensor:
    """Draw the random numbers that sampling needs: (videos, T, 1 or 0) by the method.

    They are float64 in [0, 1), on the CPU: T a video for ``random``, one for ``crop``.
    """
    each = {"random": n, "crop": 1}.get(method, 0)
    return torch.rand(n_videos, each, dtype=torch.float64, generator=generator)


def sampled_positions(
    lengths: Tensor, n: int, method: Sampling, numbers: Tensor, longest: int
) -> tuple[Tensor, Tensor]:
    """Return which snippets of each video stand for it, in ascending order.

    Parameters
    ----------
    lengths : (B,) int64
        Snippets of each video, from 1.
    n : int
        Snippets wanted of each video.
    method : {"random", "interpolate", "uniform", "crop"}
        ``interpolate`` spreads n positions, which need not be whole, evenly over the
        video (the paper, III-B1). ``random`` draws one snippet from each of n strata of
        a longer video, which overlap by one snippet, and n snippets with replacement
        from a shorter one (`dataset_class.py:24-40`). ``uniform`` takes every
        (L / n)-th of the L snippets of a longer video, and a shorter one as it is
        (`dataset_class.py:8-22`). ``crop`` takes n successive snippets of a longer
        video, from a random place on, and a shorter one as it is.
    numbers : (B, n, 1 or 0) float64
        What `drawn_numbers` gave for these videos, on the device of ``lengths``.
    longest : int
        T for ``uniform`` and ``crop``: at least ``min(n, length)`` of every video. For
        the other methods T is n.

    Returns
    -------
    position : (B, T) float64
        In ``[0, length - 1]``; whole numbers except for ``interpolate``.
    mask : (B, T) bool
        False after the end of a video that is kept shorter than the others.

    Examples
    --------
    >>> position, mask = sampled_positions(
    ...     torch.tensor([8, 2]), 4, "uniform", torch.empty(2, 0), 4
    ... )
    >>> position.tolist(), mask.tolist()[1]
    ([[0.0, 2.0, 4.0, 6.0], [0.0, 1.0, 0.0, 0.0]], [True, True, False, False])
    """
    length = lengths.double().unsqueeze(1)  # (B, 1)
    wide = n if method in FIXED_LENGTH else longest
    step = torch.arange(wide, dtype=torch.float64, device=lengths.device)  # (T,)
    if method in FIXED_LENGTH:
        mask = torch.ones(len(lengths), n, dtype=torch.bool, device=lengths.device)
        if method == "random":
            return _random_positions(length, step, numbers), mask
        position = ((step + 0.5) * length / n - 0.5).clamp(min=0)
        return torch.minimum(position, length - 1), mask
    mask = step < length.clamp(max=n)  # (B, T)
    if method == "uniform":
        position = torch.where(length > n, (step * length / n).floor(), step)
    else:  # each piece begins at a drawn place
        position = (numbers * (length - n + 1).clamp(min=1)).floor() + step
    return torch.where(mask, position, 0.0), mask


def _random_positions(length: Tensor, step: Tensor, draw: Tensor) -> Tensor:
    """Return the random snippets (B, T) that the authors' code would take.

    Parameters
    ----------
    length : (B, 1)
        Snippets of each video.
    step : (T,)
        0, 1, ..., T - 1.
    draw : (B, T)
        Uniform random numbers in [0, 1).
    """
    n = len(step)
    # (B, T): drawn with replacement, in ascending order
    replaced = (draw * length).floor().sort(dim=1).values
    # (B, T): each stratum ends with the first snippet of the next one
    first = (step * length / n).floor()
    last = ((step + 1) * length / n).floor()
    stratified = first + (draw * (last - first + 1)).floor()
    if n > 1:  # the last stratum begins where the one before it was drawn
        first = stratified[:, -2:-1]  # (B, 1)
        stratified[:, -1:] = first + (draw[:, -1:] * (length - first)).floor()
    else:
        stratified = (draw * length).floor()
    position = torch.where(length > n, stratified, replaced)
    return torch.where(length == n, step.expand_as(position), position)
