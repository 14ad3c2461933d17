"""I3D computed by OpenVINO on the CPU; needs the extra ``acmnet[openvino]``."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acmnet.extraction.extractors.i3d_choices import Precision
from acmnet.extraction.i3d.i3d import I3D, Frames, I3DError
from acmnet.extraction.i3d.openvino.i3d_int8 import kept_peak
from acmnet.extraction.i3d.openvino.i3d_openvino_model import openvino_model
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
        For "openvino-int8", what `measured_peaks` returns.

    Raises
    ------
    I3DError
        If there are not as many peaks as convolutions that need one.
    """
    is_int8 = precision == "openvino-int8"
    compiled = openvino.compile_model(
        openvino_model(network, snippet_frames, peaks if is_int8 else None),
        "CPU",
        cpu_settings("f32" if precision == "openvino" else "bf16"),
    )

    def run(frames: Tensor) -> Tensor:
        each = (frame[None].contiguous().numpy() for frame in frames)
        return torch.from_numpy(np.concatenate([compiled([one])[0] for one in each]))

    return run


def measured_peaks(openvino: Any, network: I3D, snippets: Frames) -> tuple[float, ...]:
    """Return the largest number that each convolution but the first one reads, in fp32.

    Parameters
    ----------
    openvino : module
        What `import_openvino` returns.
    network : I3D
        A folded network of the RGB stream.
    snippets : (n, T, 224, 224, 3) uint8 array
        A few snippets of each kind of video that will be described, at least one.
    """
    model = openvino_model(network, snippets.shape[1], returns_peaks=True)
    compiled = openvino.compile_model(model, "CPU", cpu_settings("f32"))
    found = [compiled([snippet[None]])[1] for snippet in snippets]
    return tuple(kept_peak(peak) for peak in np.max(found, axis=0).tolist())


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
