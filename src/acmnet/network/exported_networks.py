"""The networks of an exported file, computed by ONNX Runtime on the CPU.

They stand in a trained model where the networks themselves would: one object for the
mean of all teachers, and one for the mean of all students.
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
"""What the file says of one video, by the names of its outputs."""


class ExportedRunner:
    """Runs an exported file on one video after another.

    What it said of the last video is kept, because a model with two stages asks for the
    outputs of each stage in turn.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        The opened file.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.names = tuple(output.name for output in session.get_outputs())
        self.last: tuple[Tensor, Outputs] | None = None

    def said(self, video: Tensor) -> Outputs:
        """Return all outputs for the features (T, D) of one video."""
        seen = video.detach().cpu().float()
        if self.last is None or not torch.equal(self.last[0], seen):
            batch = seen.unsqueeze(0).contiguous().numpy()  # (1, T, D)
            arrays = self.session.run(None, {INPUT_NAME: batch})
            said = {n: x[0] for n, x in zip(self.names, arrays, strict=True)}
            self.last = seen.clone(), said
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
    """As `acmnet.network.student.Student.teachers_best`, in the mean over students."""
    trust: torch.Tensor | None = None
    """As `acmnet.network.student.Student.trust`, in the mean over students."""
