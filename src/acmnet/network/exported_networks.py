"""The networks of a trained model as one module, and as ONNX Runtime computes them.

`WholeModel` is what gets exported. B is the number of videos, T that of the snippets of
each, D their dimension, C that of the classes. All videos of a batch have the same
number of snippets: nothing is padded.

A trained model that was read from an exported file has two objects in place of its
networks: one for the mean of all teachers, and one for the mean of all students.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acmnet.network.acm_net import ACMNet, Branch
from acmnet.network.pooling import pooled_snippets
from acmnet.network.student import Student
from acmnet.network.video_dropout import VideoDropout

INPUT_NAME: Final = "features"
"""Name of the input: (B, T, D) fp32, standardised inside."""
TEACHER_OUTPUTS: Final = ("instance_cas", "attention", "video_scores", "cas")
"""Names of the first outputs: (B, T, C + 1), (B, T, 3), (B, C + 1), (B, T, C + 1), as
`acmnet.network.video_outputs.ACMNetVideo` describes them for one video."""
STUDENT_OUTPUTS: Final = ("probability", "distance")
"""Names of the outputs that a model with a second stage has besides: (B, T, C) and
(B, T, 2), as in `acmnet.network.video_outputs.StudentVideo`."""


class WholeModel(nn.Module):
    """The outputs of a model for whole videos, averaged over its networks.

    It computes what `acmnet.network.video_outputs` computes for one video. No step
    depends on the values of a tensor, so that it can be exported for any number of
    videos and snippets.

    Parameters
    ----------
    networks : sequence of ACMNet
        At least one; they differ in their seed alone.
    students : sequence of Student
        Empty for a model without a second stage.

    Examples
    --------
    >>> model = WholeModel([ACMNet(8, 3), ACMNet(8, 3)], [Student(8, 3)])
    >>> [tuple(outputs.shape) for outputs in model(torch.randn(2, 30, 8))]
    [(2, 30, 4), (2, 30, 3), (2, 4), (2, 30, 4), (2, 30, 3), (2, 30, 2)]
    """

    def __init__(self, networks: Sequence[ACMNet], students: Sequence[Student]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.students = nn.ModuleList(students)
        self.eval()

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs of `forward`, in order."""
        return (*TEACHER_OUTPUTS, *(STUDENT_OUTPUTS if len(self.students) else ()))

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs for features (B, T, D), in the order of `output_names`."""
        outputs = _means(
            [_acm_net_outputs(network, features) for network in self.networks]
        )
        if len(self.students):
            outputs += _means(
                [_student_outputs(student, features) for student in self.students]
            )
        return outputs


def _means(outputs: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Return the mean of each output over several networks."""
    return tuple(torch.stack(parts).mean(dim=0) for parts in zip(*outputs, strict=True))


def _acm_net_outputs(network: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """Return the outputs `TEACHER_OUTPUTS` of one of the paper's networks."""
    if not isinstance(network, ACMNet):
        raise TypeError(f"must be an ACMNet, got a {type(network).__name__}")
    mask = torch.ones_like(features[..., 0], dtype=torch.bool)  # (B, T)
    no_drop = VideoDropout(False, None, features)
    embedding = network.embedding(network.standardized(features)).relu()  # (B, T, E)
    attention = network.attend(embedding, mask, no_drop)  # (B, T, 3)
    activation, _ = network.classify(embedding, mask, no_drop)  # (B, T, C + 1)
    logits = attention[..., Branch.INSTANCE, None] * activation
    rules = network.settings
    k = pooled_snippets(mask, rules.instance_ratio, rules.most_pooled).unsqueeze(1)
    order = torch.arange(features.shape[1], device=features.device)  # (T,)
    is_counted = (order < k).unsqueeze(-1)  # (B, T, 1)
    highest = logits.sort(dim=1, descending=True).values
    pooled = torch.where(is_counted, highest, 0.0).sum(dim=1) / k  # (B, C + 1)
    return (
        logits.softmax(dim=-1),
        attention,
        pooled.softmax(dim=-1),
        activation.softmax(dim=-1),
    )


def _student_outputs(student: nn.Module, features: Tensor) -> tuple[Tensor, ...]:
    """Return the outputs `STUDENT_OUTPUTS` of one student."""
    logits, distance = student(features)
    return logits.sigmoid(), distance


CPU: Final = torch.device("cpu")

Outputs = dict[str, npt.NDArray[np.float32]]
"""The outputs of the file for one video, by name."""


class ExportedRunner:
    """Runs an exported file on one video after another.

    The outputs for the last video are kept, because a model with two stages needs those
    of its first stage and then those of its second.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        The opened file.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.names = tuple(output.name for output in session.get_outputs())
        self.last: tuple[Tensor, Outputs] | None = None

    def outputs(self, video: Tensor) -> Outputs:
        """Return all outputs for the features (T, D) of one video."""
        features = video.detach().cpu().float()
        if self.last is None or not torch.equal(self.last[0], features):
            batch = features.unsqueeze(0).contiguous().numpy()  # (1, T, D)
            arrays = self.session.run(None, {INPUT_NAME: batch})
            outputs = {n: x[0] for n, x in zip(self.names, arrays, strict=True)}
            self.last = features.clone(), outputs
        return self.last[1]


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedTeachers:
    """The mean of the paper's networks in an exported file."""

    runner: ExportedRunner
    feature_dim: int
    """D, the columns of the features."""
    device: torch.device = CPU


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedStudents:
    """The mean of the students in an exported file."""

    runner: ExportedRunner
    teachers_best: float
    """Mean of `acmnet.network.student.Student.teachers_best` over the students."""
    trust: torch.Tensor | None = None
    """Mean of `acmnet.network.student.Student.trust` over the students."""
