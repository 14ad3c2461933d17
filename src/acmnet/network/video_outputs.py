"""Run a trained network over a whole video, however long it is.

T is the number of snippets, D their dimension, C the number of classes.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.network.acm_net import ACMNet, Branch
from acmnet.network.exported_networks import (
    STUDENT_OUTPUTS,
    TEACHER_OUTPUTS,
    ExportedStudents,
    ExportedTeachers,
)
from acmnet.network.pooling import video_logits
from acmnet.network.student import Student, StudentOutput
from acmnet.runtime.devices import exact_fp32

CHUNK_SNIPPETS: Final = 1024
"""Snippets of one video that a network computes at once. This limits memory and changes
no result."""


class ACMNetVideo(NamedTuple):
    """The outputs of the paper's network for one video, as probabilities."""

    instance_cas: npt.NDArray[np.float32]
    """(T, C + 1). The probability of each class in each snippet, its logits weighted by
    the attention to instances before the softmax."""
    attention: npt.NDArray[np.float32]
    """(T, 3). The probability of each `Branch` in each snippet."""
    video_scores: npt.NDArray[np.float32]
    """(C + 1,). The probability of each class in the video, by the instance branch."""
    cas: npt.NDArray[np.float32]
    """(T, C + 1). The probability of each class in each snippet, without attention."""


class StudentVideo(NamedTuple):
    """The outputs of a student for one video."""

    probability: npt.NDArray[np.float32]
    """(T, C). The probability that a snippet lies in an instance of a class."""
    distance: npt.NDArray[np.float32]
    """(T, 2). Snippets back to the start of that instance and on to its end."""


def acm_net_on_video(network: ACMNet | ExportedTeachers, video: Tensor) -> ACMNetVideo:
    """Return the outputs of the paper's network for one video.

    Parameters
    ----------
    network : ACMNet or ExportedTeachers
        The trained network, on any device, or several in an exported file.
    video : (T, D) floating point tensor
        The features of the video, on any device.
    """
    if isinstance(network, ExportedTeachers):
        outputs = network.runner.outputs(video)
        return ACMNetVideo(*(outputs[name] for name in TEACHER_OUTPUTS))

    network.eval()
    settings, device = network.settings, network.classifier.weight.device
    with torch.inference_mode():
        attention, activation = _in_chunks(
            video, settings.reach_snippets, device, network.snippet_outputs
        )
        logits = attention[:, Branch.INSTANCE, None] * activation  # (T, C + 1)
        ratio, most = settings.instance_ratio, settings.most_pooled
        pooled = video_logits(logits.unsqueeze(0), ratio, most=most)[0]
    return ACMNetVideo(
        instance_cas=logits.softmax(dim=-1).cpu().numpy(),
        attention=attention.cpu().numpy(),
        video_scores=pooled.softmax(dim=-1).cpu().numpy(),
        cas=activation.softmax(dim=-1).cpu().numpy(),
    )


def student_on_video(
    student: Student | ExportedStudents, video: Tensor
) -> StudentVideo:
    """Return the outputs of a student for one video.

    Parameters
    ----------
    student : Student or ExportedStudents
        The trained student, on any device, or several in an exported file.
    video : (T, D) floating point tensor
        The features of the video, on any device.
    """
    if isinstance(student, ExportedStudents):
        exported = student.runner.outputs(video)
        return StudentVideo(*(exported[name] for name in STUDENT_OUTPUTS))

    def outputs(features: Tensor) -> tuple[Tensor, Tensor]:
        output: StudentOutput = student(features)
        return output.logits, output.distance

    student.eval()
    reach, device = student.settings.reach_snippets, student.teachers_best.device
    with torch.inference_mode():
        logits, distance = _in_chunks(video, reach, device, outputs)
    return StudentVideo(logits.sigmoid().cpu().numpy(), distance.cpu().numpy())


def _in_chunks(
    video: Tensor,
    reach: int,
    device: torch.device,
    outputs: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """Return two outputs of every snippet (T, ...), `CHUNK_SNIPPETS` at once.

    The outputs for a snippet depend on ``reach`` neighbours on either side. Each chunk
    is computed together with these neighbours, so that the outputs do not depend on
    where chunks begin.
    """
    n, size = len(video), min(len(video), CHUNK_SNIPPETS)
    one: list[Tensor] = []
    other: list[Tensor] = []
    # the last chunk overlaps the one before it, so that all have one shape and sums
    # are taken in one order
    for start in (*range(0, n - size, size), n - size):
        end, before = start + size, min(start, reach)
        chunk = video[start - before : end + reach].to(device).float()
        with exact_fp32(device):
            outcome = outputs(
                chunk.unsqueeze(0)
            )  # (1, before + size + after, ...) each
        done = sum(map(len, one))
        # the snippets of this chunk, without neighbours and without those already done
        kept = slice(before + done - start, before + size)
        one.append(outcome[0][0, kept])
        other.append(outcome[1][0, kept])
    return torch.cat(one), torch.cat(other)
