"""The networks of an exported file, computed by ONNX Runtime on the CPU.

A trained model that was read from an exported file has two objects in place of its
networks: one for the mean of all teachers, and one for the mean of all students.
"""

import dataclasses
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.network.whole_model import INPUT_NAME

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
        seen = video.detach().cpu().float()
        if self.last is None or not torch.equal(self.last[0], seen):
            batch = seen.unsqueeze(0).contiguous().numpy()  # (1, T, D)
            arrays = self.session.run(None, {INPUT_NAME: batch})
            outputs = {n: x[0] for n, x in zip(self.names, arrays, strict=True)}
            self.last = seen.clone(), outputs
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
