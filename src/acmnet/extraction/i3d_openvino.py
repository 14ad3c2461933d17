"""I3D computed by OpenVINO on the CPU; needs the extra ``acmnet[openvino]``."""

import contextlib
import importlib
import importlib.resources
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from acmnet.extraction.i3d import I3D, SIDE, I3DError
from acmnet.extraction.i3d_choices import Precision


def openvino_pass(
    openvino: Any, network: I3D, precision: Precision, snippet_frames: int
) -> Callable[[Tensor], Tensor]:
    """Return a function that runs the network in OpenVINO on snippets of one length."""
    example = torch.zeros(2, network.in_channels, snippet_frames, SIDE, SIDE)
    batch = {0: torch.export.Dim("n", min=1)}
    # torch warns here of changes to its own internals
    with without_reports(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        exported = torch.export.export(network, (example,), dynamic_shapes=(batch,))
        converted = openvino.convert_model(exported)
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if "bf16" in precision else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = openvino.compile_model(converted, "CPU", settings)

    def run(snippets: Tensor) -> Tensor:
        return torch.from_numpy(compiled([snippets.contiguous().numpy()])[0].copy())

    return run


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


@contextlib.contextmanager
def without_reports() -> Iterator[None]:
    """Keep OpenVINO from reporting its use to its makers without being asked.

    OpenVINO sends such reports on import and on conversion. It works without them where
    its module for reports cannot be imported, so that module is hidden.
    """
    name = "openvino_telemetry"
    reporter = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if reporter is not None:
            sys.modules[name] = reporter
