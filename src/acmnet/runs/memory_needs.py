"""The least memory that a training needs, and the memory that this machine has."""

import os
from pathlib import Path
from typing import Final

import torch

from acmnet.data.checks.refusals import DataError
from acmnet.data.labelled_features import Data
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.recipes import Settings
from acmnet.training.mining.snippet_mining import mining_bytes

NUMBERS_PER_WEIGHT: Final = 4
"""Numbers that training keeps for each weight: the weight, its gradient and the two
moments of Adam."""
CGROUP: Final = Path("/sys/fs/cgroup/memory.max")
"""File in which Linux says how much memory a container may take, in bytes."""


def refuse_oversized(settings: Settings, data: Data, device: str = "cpu") -> None:
    """Refuse a training that cannot fit into memory, before it is begun.

    Parameters
    ----------
    settings : Settings
        Settings of the networks and the batches.
    data : Data
        What is trained on; only the features' dimension and lengths are looked at.
    device : str
        Such as ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    DataError
        If the weights and one batch alone take more than all of the memory.
    ValueError
        If the settings do not fit the features' dimension.
    """
    needed, there = needed_bytes(settings, data), memory_bytes(device)
    if needed > there:
        raise DataError(
            f"training takes {needed / 1e9:,.0f} GB or more for features of dimension "
            f"{data.store.dimension:,} in {data.store.place}, and there are "
            f"{there / 1e9:,.0f} GB of memory; lower training.batch_size or "
            "sampling.snippets, or use features of fewer columns"
        )


def needed_bytes(settings: Settings, data: Data) -> int:
    """Return bytes that a training takes at the least.

    Counted are weights and one batch, and, before the training, what is held while
    snippets are mined from names. Of each layer only the input and the output are
    counted, not what lies between them. So a training that is refused could not have
    run.
    """
    dimension, n_classes = data.store.dimension, len(data.annotations.class_names)
    lengths = [data.store.shape(video)[0] for video in data.annotations.videos]
    most = max(lengths, default=1)
    sampling, training, student = settings.sampling, settings.training, settings.student
    kept = sampling.method in ("uniform", "crop")  # shorter videos stay as they are
    seen = sampling.mean_snippets(lengths or [1])
    batch = min(training.videos_a_step(seen), len(lengths))
    snippets = min(sampling.snippets, most) if kept else sampling.snippets
    with torch.device("meta"):  # weights without memory
        numbers = NUMBERS_PER_WEIGHT * _size(
            ACMNet(dimension, max(n_classes, 1), settings.model)
        )
        # the features and their embedding
        columns = dimension + settings.model.channels(dimension)
        numbers += batch * snippets * columns
        if settings.has_student:
            second = settings.student_training
            rows = min(second.batch_size, len(lengths)) * min(second.snippets, most)
            weights = NUMBERS_PER_WEIGHT * _size(
                Student(dimension, max(n_classes, 1), student)
            )
            numbers = max(numbers, weights + rows * (dimension + student.width))
    if settings.loss.marks_weight:
        mined = mining_bytes(lengths, dimension, settings.model)
        return max(4 * numbers, mined)
    return 4 * numbers


def _size(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def memory_bytes(device: str = "cpu") -> int:
    """Return all the memory of a device; a container's limit counts."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(total, int(CGROUP.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return total
