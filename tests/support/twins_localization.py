"""Localization again, slowly: the rules one cell and one proposal at a time.

Written from the rules in `LocalizationSettings` and docs/method.md, without numpy;
numbers that decide a rounding are exact fractions. Sequences are plain lists.
"""

import math
from fractions import Fraction

import numpy as np

from acmnet.segments import temporal_iou


def exactly(number):
    """Read a decimal as it is written: 0.2 is one fifth."""
    return Fraction(str(number))


def mean(values):
    return math.fsum(values) / len(values)


def runs_of(values, level, shortest_cells=1):
    """Return every maximal run ``(start, end)`` of values at or above a level."""
    runs, start = [], None
    for i, value in enumerate(values):
        if value >= level and start is None:
            start = i
        if value < level and start is not None:
            runs.append((start, i))
            start = None
    if start is not None:
        runs.append((start, len(values)))
    return [(start, end) for start, end in runs if end - start >= shortest_cells]


def contrast_of(values, start, end, margin, flanks, outer):
    """Return the mean of ``[start, end)`` minus the mean of what lies beside it."""
    length = end - start
    if flanks == "right_rounded_down":
        # they keep inclusive ends, and int() drops the fraction of either
        first = int(start - margin * length)
        last = int(end - 1 + margin * length)
        flank = margin * length
    else:
        flank = math.ceil(exactly(margin) * length)
        first = start - flank
        last = end - 1 + flank
    inside = [values[i] for i in range(start, end)]
    outside = [
        values[i]
        for i in range(first, last + 1)
        if 0 <= i < len(values) and not start <= i < end
    ]
    if outer == "full":
        return mean(inside) - math.fsum(outside) / (2 * flank)
    return mean(inside) - (mean(outside) if outside else 0.0)


def tiou_of(a, b):
    """Return the temporal IoU of two ``(start, end, ...)``."""
    overlap = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    return overlap / ((a[1] - a[0]) + (b[1] - b[0]) - overlap)


def best_of(candidates, score):
    """Return the candidate with the highest score; the first of equals."""
    best = candidates[0]
    for i in candidates:
        if score[i] > score[best]:
            best = i
    return best


def suppressed_hard(intervals, score, tiou, padding_s=0.0):
    """Take the best, drop what it overlaps, go on: the indices of greedy NMS."""
    padded = [(start, end + padding_s) for start, end in intervals]
    left, kept = list(range(len(score))), []
    while left:
        best = best_of(left, score)
        kept.append(best)
        left.remove(best)
        left = [i for i in left if tiou_of(padded[i], padded[best]) < tiou]
    return kept


def suppressed_softly(intervals, score, sigma):
    """Return indices and decayed scores of Gaussian soft-NMS, the highest first."""
    score = list(score)
    left, order = list(range(len(score))), []
    while left:
        best = best_of(left, score)
        order.append(best)
        left.remove(best)
        for i in left:
            if score[i] > 0:
                tiou = tiou_of(intervals[i], intervals[best])
                score[i] *= math.exp(-tiou * tiou / sigma)
    return order, [score[i] for i in order]


def gathered_softly(start_s, end_s, score, sigma):
    """Return what `suppress_softly` does; proposals that are left are gathered."""
    score, left = score.copy(), np.arange(len(score))
    order = np.empty(len(score), dtype=np.int64)
    for place in range(len(score)):
        best = left[score[left].argmax()]
        order[place] = best
        left = left[left != best]
        tiou = temporal_iou(start_s[left], end_s[left], start_s[best], end_s[best])
        decay = np.where(score[left] > 0, np.exp(-(tiou**2) / sigma), 1.0)
        score[left] *= decay
    return order, score[order]


def upsampled_at_centres(values, n_snippets, grid, upsampling):
    """Each cell reads the line between the two samples whose centres enclose it.

    Sample j stands for ``stretch`` snippets and lies at their common centre. Before
    the first centre and after the last one the end's value is held.
    """
    stretch = Fraction(n_snippets, len(values))
    cell_frames = grid.stride_frames * stretch / upsampling
    span_frames = (n_snippets - 1) * grid.stride_frames + grid.snippet_frames
    half_window = Fraction(grid.snippet_frames, 2)
    centres = [
        half_window + (j * stretch + (stretch - 1) / 2) * grid.stride_frames
        for j in range(len(values))
    ]
    cells = []
    while len(cells) * cell_frames < span_frames:
        middle = (len(cells) + Fraction(1, 2)) * cell_frames
        if middle <= centres[0]:
            cells.append(values[0])
        elif middle >= centres[-1]:
            cells.append(values[-1])
        else:
            j = max(j for j in range(len(values)) if centres[j] <= middle)
            share = float((middle - centres[j]) / (centres[j + 1] - centres[j]))
            cells.append(values[j] + (values[j + 1] - values[j]) * share)
    return cells


def upsampled_at_left_edges(values, n_snippets, grid, upsampling):
    """Sample j lies at its left edge; past the last one the last line goes on.

    A sample has its stride's cells and no more, and none starts after the video.
    """
    cell_frames = Fraction(grid.stride_frames * n_snippets, len(values) * upsampling)
    span_frames = (n_snippets - 1) * grid.stride_frames + grid.snippet_frames
    cells = []
    for i in range(len(values) * upsampling):
        if i * cell_frames >= span_frames:
            break
        if len(values) == 1:
            cells.append(values[0])
            continue
        j = min(i // upsampling, len(values) - 2)
        share = (i - j * upsampling) / upsampling
        cells.append(values[j] + (values[j + 1] - values[j]) * share)
    return cells


def classes_of(class_scores, settings):
    """Return the indices of the classes to localise."""
    best = max(class_scores)
    limit = settings.class_threshold
    if settings.class_threshold_scale == "relative_to_best":
        limit = limit * best
    above = [c for c, score in enumerate(class_scores) if score > limit]
    return above or [class_scores.index(best)]


def rows_of(sequence, thresholds, settings):
    """``(run, what it is measured on)`` for each threshold, then in time."""
    rows = []
    for threshold in thresholds:
        level = threshold
        if settings.threshold_scale == "relative_to_peak":
            if max(sequence) == 0:
                continue  # nothing stands out of all zeros
            level = max(sequence) * threshold
        measured = sequence
        if settings.contrast_zeroed:
            measured = [value if value >= level else 0.0 for value in sequence]
        for run in runs_of(sequence, level, settings.shortest_cells):
            rows.append((run, measured))
    return rows


def proposals_of(cas, instance, video_score, settings):
    """``(start, end, score)`` of one class in cells: from its CAS, then attention."""

    def score_of(run, class_values, attention_values, gamma):
        margin = settings.contrast_margin
        rule = (settings.contrast_flanks, settings.contrast_outer)
        alpha = settings.attention_weight
        return (
            (1 - alpha) * contrast_of(class_values, *run, margin, *rule)
            + alpha * contrast_of(attention_values, *run, margin, *rule)
            + gamma * video_score
        )

    proposals = []
    for run, measured in rows_of(cas, settings.activation_thresholds, settings):
        score = score_of(run, measured, instance, settings.activation_video_weight)
        proposals.append((*run, score))
    for run, measured in rows_of(instance, settings.attention_thresholds, settings):
        score = score_of(run, cas, measured, settings.attention_video_weight)
        proposals.append((*run, score))
    return proposals


def localize_literally(cas, attention, scores, n_snippets, grid, class_names, settings):
    """Return ``(label, start_s, end_s, score)`` of every detection of one video."""
    cas, attention, scores = cas.tolist(), attention.tolist(), scores.tolist()
    chance = 1 / (len(class_names) + 1)
    cell_s = grid.stride_s * (n_snippets / len(cas)) / settings.upsampling

    def upsampled(values):
        if settings.time_alignment == "left":
            return upsampled_at_left_edges(
                values, n_snippets, grid, settings.upsampling
            )
        return upsampled_at_centres(values, n_snippets, grid, settings.upsampling)

    def seconds(cell):
        return min(cell * cell_s, grid.span_s(n_snippets))

    detections = []
    instance = upsampled([row[0] for row in attention])
    for c in classes_of(scores[: len(class_names)], settings):
        values = [row[c] for row in cas]
        if settings.activation_scale == "above_chance":
            values = [max(value - chance, 0.0) / (1 - chance) for value in values]
        found = proposals_of(upsampled(values), instance, scores[c], settings)
        intervals = [(seconds(start), seconds(end)) for start, end, _ in found]
        own = [score for _, _, score in found]
        if settings.nms == "soft":
            kept, kept_scores = suppressed_softly(
                intervals, own, settings.soft_nms_sigma
            )
        else:
            padding_s = settings.nms_padding_s
            kept = suppressed_hard(intervals, own, settings.nms_tiou, padding_s)
            kept_scores = [own[i] for i in kept]
        for i, score in zip(kept, kept_scores, strict=True):
            detections.append((class_names[c], *intervals[i], score))
    return detections
