"""Settings of the second stage: teachers, pseudo labels, the student's training.

The second stage is a network, the student, that learns where actions begin and end
from the detections of other trained networks, its teachers. The settings of the student
as a network are `acmnet.network.network_settings.StudentSettings`.
"""

import dataclasses

from acmnet.limits import refuse_out_of_range


@dataclasses.dataclass(frozen=True)
class TeacherSettings:
    """Number of the teachers, and their part in the student's detections."""

    count: int = 0
    """Number of teachers: networks of the paper that differ in their random seed only.
    The student learns from their mean scores. 0 trains no student: detections then come
    from one network of the paper."""
    contrast_weight: float = 0.0
    """Weight of the teachers in the score of a student's detection, in [0, 1]. The
    score is a weighted geometric mean of the student's probability and of the teachers'
    score of the same stretch of time (D-073). The teachers' scores are divided by the
    mean of their best score of each class in a training video. 0 leaves the teachers
    out."""
    proposal_weight: float = 0.0
    """Weight of the teachers' proposals beside the student's detections, in [0, 1]. The
    teachers' scores are scaled so that the mean of their best score of each class in a
    training video becomes this value. 0 leaves their proposals out."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "at least 0": ["count"],
                "in [0, 1]": ["contrast_weight", "proposal_weight"],
            },
        )


@dataclasses.dataclass(frozen=True)
class PseudoLabelSettings:
    """Which detections of the teachers the student learns from."""

    relative_score: float = 0.5
    """A detection of the teachers becomes a pseudo label when its score is at least
    this share of the highest score of the same class in the same video, in (0, 1]."""
    nms_tiou: float = 0.3
    """NMS threshold among the teachers' detections of one class: a detection whose tIoU
    with a higher-scoring one reaches this value is dropped, in (0, 1]."""
    central_share: float = 0.6
    """Middle part of an instance whose snippets the student must recognise, as a share
    of its length, in (0, 1]. The snippets outside the middle part are ignored, because
    the teachers' boundaries are uncertain, and because near a boundary it is hard to
    tell where the other one is (D-091)."""
    marked_weight: float = 1.0
    """Weight of the boundaries of a segment that a person marked, above 0. Those of the
    teachers' best detection of a class in a video have weight 1 (D-081)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "in (0, 1]": ["relative_score", "nms_tiou", "central_share"],
                "above 0": ["marked_weight"],
            },
        )


@dataclasses.dataclass(frozen=True)
class StudentTrainingSettings:
    """How the student is trained."""

    epochs: int = 60
    """Passes over the training videos, at least 1."""
    batch_size: int = 8
    """Videos, or pieces of longer ones, in one optimisation step; at least 1."""
    learning_rate: float = 1e-3
    """Learning rate of Adam at its highest, above 0. It rises over the first 50 steps
    and then falls to 0 along a cosine."""
    averaging: float = 0.99
    """Decay of the running mean of the weights, in [0, 1). The mean is what is kept as
    the trained student. 0 keeps the weights of the last step."""
    snippets: int = 256
    """Longest piece of a video in one step, in snippets, at least 1. A longer video
    gives as many pieces in each epoch as cover its length, each at a random place, so
    that the number of steps follows how much video there is (D-064)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "at least 1": ["epochs", "batch_size", "snippets"],
                "above 0": ["learning_rate"],
                "in [0, 1)": ["averaging"],
            },
        )
