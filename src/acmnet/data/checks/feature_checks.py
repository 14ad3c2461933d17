"""Check features: useless dimensions, and lengths that do not fit the labels."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.data.checks.duplicate_videos import Features, TwinSearch
from acmnet.data.checks.findings import SHOWN, Finding, Level
from acmnet.data.checks.instance_checks import past_end
from acmnet.data.checks.refusals import problems
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.data.labels.annotations import Video
from acmnet.messages import quoted
from acmnet.segments import FloatArray

LARGEST_ZERO_SHARE: Final = 0.999
"""Share of zeros above which a dimension is reported as holding hardly any
information."""
LARGEST_SPREAD_RATIO: Final = 100.0
"""A dimension is reported if its standard deviation is more than this many times the
median one, because it dominates the others."""
FEWEST_SNIPPETS: Final = 8
"""Least number of snippets of a video in which equal snippets are reported."""
SNIPPETS_AT_ONCE: Final = 1024
"""Snippets that are read at once, so that memory does not depend on the length of a
video."""

Progress = Callable[[str, int, int], None]


def feature_findings(data: Data, on_progress: Progress) -> Iterator[Finding]:
    """Yield what is wrong with the features of videos, which must all have some.

    Each video is read once, and those that look like another once more.

    Parameters
    ----------
    on_progress : callable
        Called with the step, the number of videos done, and their total.
    """
    where = data.store.place
    sums = DimensionSums.empty(data.store.dimension)
    twins = TwinSearch(data.store.dimension)
    readable = set()
    for done, video in enumerate(data.annotations.videos.values(), start=1):
        on_progress("reading features", done, len(data.annotations.videos))
        try:
            features = data.store.read_array(video.id)
        except FeatureError as error:
            yield Finding(
                level="error",
                kind="bad-features",
                sentence=str(error),
                source=where,
                video=video.id,
            )
            continue
        readable.add(video.id)
        sums.add(features)
        twins.add(video.id, video.subset, features)
        yield from _constant(where, video.id, features)
        yield from _past_features(data, video, len(features))
    for is_refused, sentence in problems(data.only(readable), for_training=False):
        level: Level = "error" if is_refused else "warning"
        yield Finding(
            level=level,
            kind="duration",
            sentence=sentence,
            source=data.annotations.source,
        )
    yield from _dimensions(where, sums)
    yield from twins.findings(
        data.store, sums.deviation, lambda *n: on_progress("comparing videos", *n)
    )


def _past_features(data: Data, video: Video, n_snippets: int) -> Iterator[Finding]:
    """Yield a finding if instances of a video lie behind the end of its features."""
    grid = data.store.grid
    span_s = grid.span_s(n_snippets)
    # a last snippet that was not whole has no feature
    end_s = span_s + max(grid.window_s, grid.stride_s)
    bound = f"its features, which cover {span_s:g} s"
    return past_end(data.annotations.source, video, end_s, bound)


def _constant(where: str, video: str, features: Features) -> Iterator[Finding]:
    """Yield a finding if all snippets of a video are equal."""
    if len(features) < FEWEST_SNIPPETS or (features[-1] != features[0]).any():
        return
    if (features == features[0]).all():
        yield Finding(
            level="warning",
            kind="still",
            sentence=f"{where}: all rows of {quoted(video)} ({len(features)}) are the "
            "same; was the video decoded? extract it again or leave it out",
            source=where,
            video=video,
        )


@dataclasses.dataclass
class DimensionSums:
    """Mean, deviation and range of each of D dimensions, over the snippets so far."""

    n: int
    mean: FloatArray
    squares: FloatArray
    """Sum of squared distances from the mean."""
    low: FloatArray
    high: FloatArray
    zeros: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, dimension: int) -> "DimensionSums":
        """Return the sums of no snippet."""
        zero = np.zeros(dimension)
        inf = np.full(dimension, np.inf)
        return cls(0, zero, zero, inf, -inf, np.zeros(dimension, np.int64))

    @property
    def deviation(self) -> FloatArray:
        """(D,) standard deviation; 0 for a dimension that never changes."""
        deviation: FloatArray = np.sqrt(self.squares / max(self.n, 1))
        return np.where(self.low == self.high, 0.0, deviation)

    def add(self, features: Features) -> None:
        """Add snippets of shape (T, D)."""
        for start in range(0, len(features), SNIPPETS_AT_ONCE):
            self._add(features[start : start + SNIPPETS_AT_ONCE].astype(np.float64))

    def _add(self, rows: FloatArray) -> None:
        # Chan et al. 1983: sums of squares about each part's own mean lose no digits
        n, mean = len(rows), rows.mean(axis=0)
        total, gap = self.n + n, mean - self.mean
        self.squares = self.squares + ((rows - mean) ** 2).sum(axis=0)
        self.squares = self.squares + gap**2 * self.n * n / total
        self.mean = self.mean + gap * n / total
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        self.zeros = self.zeros + (rows == 0).sum(axis=0)
        self.n = total


def _dimensions(where: str, sums: DimensionSums) -> Iterator[Finding]:
    """Yield findings on dimensions without information, and on those that dominate."""
    if sums.n < 2:
        return
    n_dimensions, deviation = len(sums.mean), sums.deviation
    is_constant = deviation == 0
    if is_constant.all():
        yield Finding(
            level="error",
            kind="constant",
            sentence=f"{where}: all {sums.n} rows of features are equal, so nothing "
            "can be learned; extract the features again",
            source=where,
        )
        return
    typical = float(np.median(deviation[~is_constant]))
    faults = (
        ("constant", is_constant, "never change; they say nothing: leave them out"),
        (
            "dead",
            ~is_constant & (sums.zeros > LARGEST_ZERO_SHARE * sums.n),
            f"are 0 in over {LARGEST_ZERO_SHARE:.1%} of rows; they say next to "
            "nothing: was a stream lost?",
        ),
        (
            "scale",
            deviation > LARGEST_SPREAD_RATIO * typical,
            f"vary over {LARGEST_SPREAD_RATIO:g} times as much as most (standard "
            f"deviation up to {deviation.max():.3g} against {typical:.3g}) and drown "
            "the others: scale each dimension to one deviation",
        ),
    )
    for kind, which, bound in faults:
        dimensions = np.flatnonzero(which).tolist()
        if dimensions:
            shown = ", ".join(map(str, dimensions[:SHOWN])) + ", ..." * (
                len(dimensions) > SHOWN
            )
            count = f"{len(dimensions)} of {n_dimensions} dimensions ({shown})"
            sentence = f"{where}: {count} {bound}"
            yield Finding(level="warning", kind=kind, sentence=sentence, source=where)
