"""Score detections against annotated instances: mAP, and what is needed to quote it.

The rules are those of a protocol (`acmnet.evaluation.protocols`). The default has the
rules of ActivityNet's `eval_detection.py`, which papers on THUMOS14 use, too: times in
seconds, AP interpolated at all points for each class, and the unweighted mean over the
classes that have an instance. Detections of any system can be scored; nothing here
knows how they were made. A higher AP is better.
"""

import dataclasses
import html
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.formats.exchange_format import Source
from acmnet.data.labels.annotations import Annotations
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.protocols import protocol as named_protocol
from acmnet.evaluation.scored_data import (
    ambiguous_intervals,
    notes_of,
    read_detected,
    read_truth,
    subset_note,
    taught_videos,
    without_videos,
)
from acmnet.evaluation.scoring.measures import (
    PROPOSALS,
    OperatingPoint,
    average_recall,
    best_f1,
    classification_ap,
    f1_at,
)
from acmnet.evaluation.scoring.ranking import Ranking, ranked_detections
from acmnet.evaluation.scoring.truth import Truth, located_truth
from acmnet.evaluation.tiou import checked_tiou, labelled_averages
from acmnet.evaluation.videos_trained_on import taught_note
from acmnet.segments import Detections, FloatArray, IntArray, figure_png


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DetectionReport:
    """How well detections agree with the ground truth; fractions of 1, not percent."""

    tiou: FloatArray
    """(n_tiou,) tIoU thresholds, in the given order."""
    map: FloatArray
    """(n_tiou,) mAP: the unweighted mean of ``ap`` over the classes."""
    ap: FloatArray
    """(n_tiou, C) average precision."""
    class_names: tuple[str, ...]
    """The C classes with an instance in the evaluated videos, in annotation order."""
    videos: int
    """Number of evaluated videos, those without instances or detections included."""
    instances: int
    """Number of instances in the evaluated videos."""
    detections: int
    """Number of detections that were scored."""
    dropped: Mapping[str, int]
    """Number of detections that were not scored, by reason (`DROP_REASONS`)."""
    unpredicted: tuple[str, ...]
    """Number of evaluated videos without any entry in the detections; an empty list of
    detections is an entry."""
    ground_truth_sha256: str | None
    """SHA-256 of the annotation file; None if it was not given as a path. For a folder
    of label files, see `acmnet.data.formats.reading.sha256_of_labels`."""
    external_data: Mapping[str, object]
    """The detections' ``external_data``: data used beyond the benchmark's."""
    taught: tuple[str, ...]
    """Videos that are not scored because the training was given their times."""
    protocol: Protocol
    """The rules of the scoring."""
    notes: tuple[str, ...]
    """Sentences on how the ground truth differs from the protocol's usual one."""
    ranking: Ranking = dataclasses.field(repr=False)
    """The ranked and matched detections, from which all measures are computed."""

    @property
    def average(self) -> float:
        """Average mAP: the mean of ``map`` over all thresholds."""
        return float(self.map.mean())

    def averages(self) -> dict[str, float]:
        """Return the average mAP over each usual range whose thresholds are all scored.

        Keys are names such as ``"0.1:0.7"``. Papers average over different ranges,
        often without saying so.
        """
        return labelled_averages(self.tiou, self.map)

    @cached_property
    def classification_ap(self) -> FloatArray:
        """(C,) AP of ranking videos by `acmnet.evaluation.scoring.measures`."""
        return classification_ap(self.ranking)

    @property
    def classification_map(self) -> float:
        """Mean of ``classification_ap`` over the classes."""
        return float(self.classification_ap.mean())

    @property
    def ignored(self) -> IntArray:
        """(n_tiou,) detections not counted because they touch an ambiguous interval."""
        if self.ranking.is_ignored is None:
            return np.zeros(len(self.tiou), np.int64)
        counts: IntArray = self.ranking.is_ignored.sum(axis=1)
        return counts

    def average_recall(self, proposals: Sequence[int] = PROPOSALS) -> dict[int, float]:
        """Return the recall of the first N detections of each video, by N.

        It is averaged over ``tiou`` and ignores classes. See
        `acmnet.evaluation.scoring.measures.average_recall`.
        """
        recalls = average_recall(self.ranking, proposals).tolist()
        return dict(zip(proposals, recalls, strict=True))

    def best_f1(
        self, tiou: Collection[float] | None = None
    ) -> tuple[OperatingPoint, ...]:
        """Return the best F1 at each threshold, and the score that reaches it.

        ``tiou`` names the thresholds that are wanted, if not all of them are.
        """
        return best_f1(self.ranking, tiou)

    def f1_at(self, score: float) -> tuple[OperatingPoint, ...]:
        """Return F1 at each threshold of the detections with at least ``score``."""
        return f1_at(self.ranking, score)

    def to_json(self) -> dict[str, object]:
        """Return the report as values that ``json.dumps`` accepts."""
        per_class = zip(self.class_names, self.ap.T.tolist(), strict=True)
        by_class = zip(self.class_names, self.classification_ap.tolist(), strict=True)
        return {
            "protocol": self.protocol.name,
            "tiou": self.tiou.tolist(),
            "map": self.map.tolist(),
            "average": self.average,
            "averages": self.averages(),
            "per_class": dict(per_class),
            "videos": self.videos,
            "instances": self.instances,
            "detections": self.detections,
            "dropped": dict(self.dropped),
            "ignored": self.ignored.tolist(),
            "unpredicted": list(self.unpredicted),
            "notes": list(self.notes),
            "ground_truth_sha256": self.ground_truth_sha256,
            "classification": {
                "map": self.classification_map,
                "per_class": dict(by_class),
            },
            "average_recall": {str(n): x for n, x in self.average_recall().items()},
            "best_f1": [point._asdict() for point in self.best_f1()],
        }

    def _repr_html_(self) -> str:
        """Return mAP in percent as a table for notebooks."""
        heads = [*(f"{t:g}" for t in self.tiou), "average"]
        cells = [f"{100 * value:.1f}" for value in (*self.map, self.average)]
        facts = str(self).splitlines()[2:]
        return (
            "<table><thead><tr><th>tIoU</th>"
            + "".join(f"<th>{head}</th>" for head in heads)
            + "</tr></thead><tbody><tr><th>mAP %</th>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + f"</tr></tbody></table><p>{'<br>'.join(map(html.escape, facts))}</p>"
        )

    def _repr_png_(self) -> bytes:
        """Return a PNG of mAP over tIoU, for notebooks."""
        # imported here, because the import takes 0.3 s and only this needs it
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4, 3), layout="tight")
        axes = figure.add_subplot(xlabel="tIoU", ylabel="mAP (%)", ylim=(0, 100))
        axes.plot(self.tiou, 100 * self.map, marker="o")
        axes.set_title(f"average {100 * self.average:.1f} %")
        return figure_png(figure)

    def __str__(self) -> str:
        """Return a small table of mAP in percent."""
        heads = [*(f"{t:g}" for t in self.tiou), "average"]
        cells = [f"{100 * value:.1f}" for value in (*self.map, self.average)]
        widths = [max(map(len, pair)) for pair in zip(heads, cells, strict=True)]
        lines = [
            "  ".join([name, *map(str.rjust, row, widths)])
            for name, row in (("tIoU ", heads), ("mAP %", cells))
        ]
        parts = [f"{name} {100 * value:.1f}" for name, value in self.averages().items()]
        if parts:
            lines.append(f"average over {', '.join(parts)}")
        lines.append(
            f"protocol {self.protocol.name}, videos {self.videos}, "
            f"instances {self.instances}, classes {len(self.class_names)}, "
            f"detections {self.detections}"
        )
        lines += [f"dropped: {n} ({reason})" for reason, n in self.dropped.items()]
        lines += [f"note: {note}" for note in self.notes]
        if self.unpredicted:
            lines.append(
                f"videos without an entry in the detections: {len(self.unpredicted)}, "
                f"such as {self.unpredicted[0]!r}"
            )
        return "\n".join(lines)


def evaluate(
    ground_truth: str | Path | Source | Annotations,
    detections: str | Path | DetectionFile | Mapping[str, Detections],
    *,
    subset: str | None = None,
    tiou: Sequence[float] | None = None,
    protocol: str | Protocol = "custom",
    ambiguous: str | Path | None = None,
    leave_out: Collection[str] = (),
) -> DetectionReport:
    """Return the mAP of detections, with what is needed to quote it.

    Parameters
    ----------
    ground_truth : path, Source or Annotations
        The videos with their instances; a `Source` is a path with a frame rate, for
        labels that count frames. An instance that is listed twice counts twice,
        as in the code of the paper's authors.
    detections : path, DetectionFile or mapping from video id to Detections
        The detections. Their order decides between equal scores.
    subset : str, optional
        The subset of the annotations to evaluate, in place of the protocol's.
    tiou : sequence of float, optional
        tIoU thresholds in ``(0, 1]``, in place of the protocol's; each is evaluated
        separately. A number that equals a decimal of three places up to rounding, such
        as ``0.1 + 0.2``, is taken for that decimal.
    protocol : str or Protocol
        The rules, or the name of one of `acmnet.evaluation.protocols.protocols`.
        ``"custom"`` scores any ground truth by ActivityNet's rules at tIoU 0.1 to 0.7.
    ambiguous : path, optional
        THUMOS14's ``Ambiguous_test.txt``, with ambiguous intervals beyond those that
        the ground truth labels so. Only the protocol ``thumos14-2014`` uses them.
    leave_out : collection of str, optional
        Videos not to score, such as those that a run was trained on.

    Returns
    -------
    DetectionReport
        If the file of detections lists the videos that the run was trained on, the
        notes name those of them that are scored. Videos whose times the training was
        given are not scored, and the notes name them.

    Raises
    ------
    ValueError
        If a file cannot be read (`AnnotationError`, `DetectionFileError`), a threshold
        is out of range, there is no protocol of that name, no evaluated video has an
        instance, the training was given the times of all that have one, or all
        detections are of other videos.

    Notes
    -----
    Of detections with equal scores, the one listed earlier ranks first. Of instances
    with equal tIoU, the one with the nearer boundary is taken. The official code leaves
    both to an unstable sort, which can change mAP by 0.0005 (docs/decisions.md, D-010).
    Detections whose video or label is not in the ground truth, or that do not end after
    they start, are counted and dropped (docs/decisions.md, D-011).

    References
    ----------
    ActivityNet `eval_detection.py`: `compute_average_precision_detection`.

    Examples
    --------
    >>> from acmnet.data.labels.annotations import Instance, Segment, Video
    >>> truth = (Instance("jump", Segment(2.0, 4.0)),)
    >>> video = Video(
    ...     id="a", subset="test", duration_s=9.0, labels=("jump",), instances=truth
    ... )
    >>> found = Detections.of(["jump"], [(2.0, 3.0, 0.9, 0), (6.0, 8.0, 0.1, 0)])
    >>> labels = Annotations("labels.json", {"a": video}, ("jump",))
    >>> print(evaluate(labels, {"a": found}, tiou=(0.3, 0.5, 0.7)))
    tIoU     0.3    0.5  0.7  average
    mAP %  100.0  100.0  0.0     66.7
    protocol custom, videos 1, instances 1, classes 1, detections 2
    """
    rules = named_protocol(protocol) if isinstance(protocol, str) else protocol
    thresholds = checked_tiou(rules.tiou if tiou is None else tiou)
    intervals = None if ambiguous is None else ambiguous_intervals(ambiguous, rules)
    annotations, sha256 = read_truth(ground_truth)
    detected = read_detected(detections)
    if leave_out:
        annotations, detected = without_videos(leave_out, annotations, detected, rules)
    truth = located_truth(annotations, rules, subset, intervals)
    taught = taught_videos(detected, truth)
    if taught:
        annotations, detected = without_videos(taught, annotations, detected, rules)
        truth = located_truth(annotations, rules, subset, intervals)
    ranking = ranked_detections(detected, truth, thresholds)
    ap = ranking.ap()
    predicted, unpredicted = _divided(truth, detected)
    of_subset = subset_note(truth, annotations, predicted)
    return DetectionReport(
        tiou=ranking.tiou,
        map=ap.mean(axis=1),
        ap=ap,
        class_names=truth.class_names,
        videos=len(truth.video_ids),
        instances=len(truth.instances.group),
        detections=len(ranking.score),
        dropped=ranking.dropped,
        unpredicted=tuple(unpredicted),
        ground_truth_sha256=sha256,
        external_data=detected.external_data,
        taught=tuple(taught),
        protocol=rules,
        notes=(
            *truth.notes,
            *((taught_note(taught),) if taught else ()),
            *notes_of(annotations.source, detected, truth),
            *((of_subset,) if of_subset else ()),
        ),
        ranking=ranking,
    )


def _divided(truth: Truth, detected: DetectionFile) -> tuple[list[str], list[str]]:
    """Return the scored videos with an entry in the detections, and those without."""
    rules = truth.protocol
    entries = set(rules.ids_of(detected.video_ids))
    predicted: list[str] = []
    unpredicted: list[str] = []
    for video, name in zip(truth.video_ids, rules.ids_of(truth.video_ids), strict=True):
        (predicted if name in entries else unpredicted).append(video)
    return predicted, unpredicted
