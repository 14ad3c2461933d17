"""Time the localisation of 210 videos as of THUMOS-14, and of a simple loop."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from acmnet.localization.from_activations import localize_activations
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.recipes import recipe
from acmnet.segments import Detections, FloatArray, SnippetGrid
from benchmarks.measure import LOOP, Figure, interleaved, ratio_of

VIDEOS: Final = 210
TWIN_VIDEOS: Final = 12

GRID: Final = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
CLASS_NAMES: Final = tuple(f"class_{i}" for i in range(20))

MEAN_SNIPPETS: Final = 340
LOG_SPREAD: Final = 0.83
"""Standard deviation of the logarithm of the durations of THUMOS-14's test videos."""
SNIPPETS_PER_INSTANCE: Final = 21
INSTANCE_SNIPPETS: Final = 5.0
"""Median length of an instance in snippets, which is 3.2 s."""
ATTENTION_NOISE: Final = 2.4
"""Noise of the attention's logits. With it there are about as many detections as
`benchmarks.evaluation` scores."""


def rows(repeats: int = 9) -> Iterator[Figure]:
    """Time the profile ``corrected`` on all videos, and the loop on some of them."""
    settings = recipe("thumos14", profile="corrected").localization
    videos = _videos()
    some = _typical(videos)
    scale = sum(v.n_snippets for v in videos) / sum(v.n_snippets for v in some)
    fast_s, slow_s = interleaved(
        lambda: _localize(videos, settings),
        lambda: [localize_slowly(video, settings) for video in some],
        repeats=repeats,
    )
    yield ratio_of(
        f"localise {VIDEOS} videos",
        fast_s,
        [scale * taken for taken in slow_s],
        LOOP,
        detail=f"{sum(map(len, _localize(videos, settings)))} detections",
    )


def _localize(
    videos: Sequence[VideoActivations], settings: LocalizationSettings
) -> list[Detections]:
    return [localize_activations(video, settings) for video in videos]


def _typical(videos: Sequence[VideoActivations]) -> list[VideoActivations]:
    """Return a few videos whose lengths are evenly spread."""
    ranked = sorted(videos, key=lambda video: video.n_snippets)
    step = len(ranked) // TWIN_VIDEOS
    return ranked[step // 2 :: step]


def _videos() -> list[VideoActivations]:
    """Return network outputs for videos as long as THUMOS-14's."""
    random = np.random.default_rng(0)
    videos = []
    for i, length in enumerate(_lengths()):
        classes = random.choice(len(CLASS_NAMES), 2 if i % 6 == 0 else 1, replace=False)
        videos.append(_activations(random, length, classes.tolist()))
    return videos


def _lengths() -> list[int]:
    """Return the number of snippets of each video, by quantiles of a log-normal."""
    middle = np.log(MEAN_SNIPPETS) - LOG_SPREAD**2 / 2
    normal = statistics.NormalDist(float(middle), LOG_SPREAD)
    quantiles = [(i + 0.5) / VIDEOS for i in range(VIDEOS)]
    lengths = [np.exp(normal.inv_cdf(q)).clip(10, 2500) for q in quantiles]
    return [int(length) for length in lengths]


def _activations(
    random: np.random.Generator, length: int, classes: Sequence[int]
) -> VideoActivations:
    """Return outputs like a trained network's, with peaks at instances."""
    acting = np.zeros((len(classes), length))
    for _ in range(max(1, length // SNIPPETS_PER_INSTANCE)):
        start = random.integers(length)
        n = max(1, round(random.lognormal(np.log(INSTANCE_SNIPPETS), LOG_SPREAD)))
        acting[random.integers(len(classes)), start : start + n] = 1.0
    acting = _smooth(acting, 2)
    anywhere = acting.max(axis=0)
    near = np.minimum(_smooth(anywhere, 12) * 2.0, 1.0)

    branches = np.stack([4.5 * anywhere - 2.0, 2.0 * near - 0.5, 1.0 - 3.0 * near])
    branches += _smooth(random.normal(0.0, ATTENTION_NOISE, branches.shape), 2)
    attention = _softmax(branches.T)  # (T, 3)

    logits = _smooth(random.normal(0.0, 1.0, (len(CLASS_NAMES) + 1, length)), 2)
    logits[classes] += 3.0 + 5.0 * acting
    cas = _softmax(logits.T * attention[:, :1])  # (T, C + 1)

    video_logits = random.normal(0.0, 0.5, len(CLASS_NAMES) + 1)
    video_logits[classes] += 6.0
    probabilities = _softmax(video_logits)
    return VideoActivations(
        instance_cas=cas.astype(np.float32),
        attention=attention.astype(np.float32),
        video_scores=probabilities.astype(np.float32),
        n_snippets=length,
        grid=GRID,
        class_names=CLASS_NAMES,
    )


def _smooth(x: FloatArray, times: int) -> FloatArray:
    """Return values smoothed over the last axis with the weights (1, 2, 1) / 4."""
    for _ in range(times):
        wide = np.concatenate([x[..., :1], x, x[..., -1:]], axis=-1)
        x = (wide[..., :-2] + 2.0 * wide[..., 1:-1] + wide[..., 2:]) / 4.0
    return x


def _softmax(x: FloatArray) -> FloatArray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: FloatArray = e / e.sum(axis=-1, keepdims=True)
    return result


SlowDetection = tuple[float, float, float, int]
"""A detection: start and end in seconds, score, class."""


def localize_slowly(
    video: VideoActivations, settings: LocalizationSettings
) -> list[SlowDetection]:
    """Return the detections of a video under the profile ``corrected``, by loops."""
    probabilities = [float(p) for p in video.video_scores[:-1]]
    limit = settings.class_threshold * max(probabilities)
    chance = 1.0 / len(video.video_scores)
    attention = _fine([float(a) for a in video.attention[:, 0]], settings)
    found: list[SlowDetection] = []
    for label in [c for c, p in enumerate(probabilities) if p > limit]:
        column = video.instance_cas[:, label]
        shares = [max((float(p) - chance) / (1.0 - chance), 0.0) for p in column]
        cas = _fine(shares, settings)
        cell_s = GRID.stride_s / settings.upsampling
        proposals = []
        for sequence, thresholds in (
            (cas, settings.activation_thresholds),
            (attention, settings.attention_thresholds),
        ):
            for threshold in thresholds:
                for start, end in _runs(sequence, threshold):
                    if end - start >= settings.shortest_cells:
                        score = _contrast(cas, start, end, settings.contrast_margin)
                        proposals.append((start * cell_s, end * cell_s, score))
        kept = _suppressed(proposals, settings.nms_tiou)
        found += [(*proposal, label) for proposal in kept]
    return found


def _fine(sequence: list[float], settings: LocalizationSettings) -> list[float]:
    """Return values interpolated between the centres of snippets, one by one."""
    fine = []
    for cell in range(len(sequence) * settings.upsampling):
        t = (cell + 0.5) / settings.upsampling - 0.5
        t = min(max(t, 0.0), len(sequence) - 1.0)
        low = min(int(t), max(len(sequence) - 2, 0))
        high = min(low + 1, len(sequence) - 1)
        fine.append(sequence[low] + (sequence[high] - sequence[low]) * (t - low))
    return fine


def _runs(sequence: list[float], threshold: float) -> Iterator[tuple[int, int]]:
    start = None
    for cell, value in enumerate(sequence):
        if value >= threshold and start is None:
            start = cell
        elif value < threshold and start is not None:
            yield start, cell
            start = None
    if start is not None:
        yield start, len(sequence)


def _contrast(sequence: list[float], start: int, end: int, margin: float) -> float:
    flank = int(np.ceil(margin * (end - start) - 1e-9))
    outer = sequence[max(start - flank, 0) : start] + sequence[end : end + flank]
    inner = sequence[start:end]
    return sum(inner) / len(inner) - sum(outer) / max(len(outer), 1)


def _suppressed(
    proposals: list[tuple[float, float, float]], tiou: float
) -> list[tuple[float, float, float]]:
    """Return the detections that greedy non-maximum suppression keeps."""
    kept: list[tuple[float, float, float]] = []
    for start_s, end_s, score in sorted(proposals, key=lambda p: -p[2]):
        for other_s, other_end_s, _ in kept:
            overlap = min(end_s, other_end_s) - max(start_s, other_s)
            union = (end_s - start_s) + (other_end_s - other_s) - overlap
            if overlap > 0 and overlap / union >= tiou:
                break
        else:
            kept.append((start_s, end_s, score))
    return kept
