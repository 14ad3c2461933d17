"""I3D computed by OpenVINO on the CPU; needs the extra ``acmnet[openvino]``."""

import contextlib
import importlib
import importlib.resources
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acmnet.extraction.extractors.i3d_choices import Precision
from acmnet.extraction.i3d.i3d import CHANNELS, I3D, INPUT_SIDE, I3DError
from acmnet.extraction.i3d.i3d_int8 import quantize
from acmnet.extraction.openvino_on_cpu import cpu_settings, without_reports


def openvino_pass(
    openvino: Any,
    network: I3D,
    precision: Precision,
    snippet_frames: int,
    peaks: Sequence[float] = (),
) -> Callable[[Tensor], Tensor]:
    """Return a function that runs the network in OpenVINO on snippets of one length.

    The function takes (n, T, 224, 224, C) frames, as `I3DRunner.describe` gets them.

    Parameters
    ----------
    openvino : module
        What `import_openvino` returns.
    network : I3D
        A folded network.
    precision : {"openvino", "openvino-bf16", "openvino-int8"}
        The number format.
    snippet_frames : int
        Frames in a snippet T.
    peaks : sequence of float
        For "openvino-int8", what `acmnet.extraction.i3d.i3d_int8.measured_peaks`
        returns.
    """
    model = openvino_model(openvino, network, snippet_frames)
    if precision == "openvino-int8":
        quantize(model, network, peaks)
    compiled = openvino.compile_model(
        taking_frames(model, network.in_channels),
        "CPU",
        cpu_settings("f32" if precision == "openvino" else "bf16"),
    )

    def run(frames: Tensor) -> Tensor:
        each = (frame[None].contiguous().numpy() for frame in frames)
        return torch.from_numpy(np.concatenate([compiled([one])[0] for one in each]))

    return run


def openvino_model(openvino: Any, network: I3D, snippet_frames: int) -> Any:
    """Return the network as a model of OpenVINO, for (1, C, T, 224, 224) in fp32.

    OpenVINO is faster with one snippet at a time, and with a shape that is fixed.
    """
    example = torch.zeros(
        1, network.in_channels, snippet_frames, INPUT_SIDE, INPUT_SIDE
    )
    # torch warns here of changes to its own internals
    with without_reports(), warnings.catch_warnings():
        _keep_bars_to_this_process()
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        model = openvino.convert_model(torch.export.export(network, (example,)))
    model.reshape(list(example.shape))
    return model


def taking_frames(model: Any, channels: int) -> Any:
    """Return a model that takes (1, T, 224, 224, C) frames: bytes, or flow in fp32.

    The scaling of bytes to ``[-1, 1]`` and the change of axes become part of the model,
    which does both faster than torch does.
    """
    openvino = importlib.import_module("openvino")
    opset13 = importlib.import_module("openvino.opset13")
    (former,) = model.inputs
    n_frames = former.get_shape()[2]
    kind = np.uint8 if channels == CHANNELS["rgb"] else np.float32
    taken = opset13.parameter([1, n_frames, INPUT_SIDE, INPUT_SIDE, channels], kind)
    moved = opset13.transpose(taken, [0, 4, 1, 2, 3])
    if kind is np.uint8:
        scaled = opset13.divide(opset13.convert(moved, "f32"), np.float32(127.5))
        moved = opset13.subtract(scaled, np.float32(1))
    for reader in former.get_target_inputs():
        reader.replace_source_output(moved.output(0))
    return openvino.Model(model.get_results(), [taken], "i3d")


def import_openvino(device: str) -> Any:
    """Return the module ``openvino``; refuse other devices than the CPU.

    Raises
    ------
    I3DError
        If OpenVINO is not installed, or the device is not the CPU.
    """
    if device != "cpu":
        raise I3DError(
            f"precision openvino runs on the CPU, got device {device!r}; take fp32 or "
            "bf16 there"
        )
    try:
        with without_reports():
            return importlib.import_module("openvino")
    except ImportError:
        raise I3DError(
            "precision openvino needs OpenVINO, which is not installed; run: pip "
            "install 'acmnet[openvino]'"
        ) from None


def _keep_bars_to_this_process() -> None:
    """Keep tqdm, by which torch counts what it has traced, from sharing its lock.

    The lock would be a semaphore of the system. When a worker that has one is killed,
    Python warns at the end of the program that it was never closed.
    """
    with contextlib.suppress(ImportError):  # torch does without it
        importlib.import_module("tqdm").tqdm.set_lock(threading.RLock())
