"""The back ends that can compute I3D on this machine, and how fast and exact each is.

Each is measured in a process of its own, by one thread, in seconds of processor time,
so that other work on the machine hardly changes the figures.
"""

import functools
import importlib
import importlib.util
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from acmnet.extraction.extractors.i3d_choices import RGB_WEIGHTS, Precision
from acmnet.extraction.i3d.i3d import I3D, INPUT_SIDE, Frames, I3DError
from acmnet.extraction.i3d.i3d_runner import network_input, torch_pass
from acmnet.extraction.i3d.i3d_weights import load_i3d
from acmnet.extraction.i3d.openvino.i3d_openvino import (
    import_openvino,
    measured_peaks,
    openvino_pass,
)
from acmnet.extraction.i3d.published_i3d_files import unfilled_network
from acmnet.runtime.devices import computed_in
from acmnet.runtime.quiet_export import quiet_export
from acmnet.runtime.startup import SAFE_PATH
from acmnet.workers.worker_engines import bound_to_us, environment

Pass = Callable[[Tensor], Tensor]
"""Turns (n, T, 224, 224, 3) bytes into (n, 1024) features."""

TINY: Final = np.finfo(np.float64).tiny
MATRIX_SIDE: Final = 1024
"""Rows and columns of the matrices whose product tells the matrix rate."""
MATRIX_PRODUCTS: Final = 8
"""Products that are timed; the fastest one counts."""


class BackEnd(NamedTuple):
    """A way to compute I3D's RGB stream."""

    precision: Precision | None
    """What `--precision` calls it; None where it is only measured."""
    number: str
    """Format of the numbers that it multiplies: fp32, bf16 or int8."""
    make: Callable[[I3D, int, Sequence[float]], Pass]
    """Given a folded network, frames in a snippet and the peaks for int8."""


class Measured(NamedTuple):
    """What was measured of a back end."""

    seconds: float
    """Seconds of one core for a snippet."""
    start_s: float
    """Seconds of one core before the first snippet, such as for compiling."""
    features: npt.NDArray[np.float32]
    """(n, 1024): the features of the snippets."""
    peak_bytes: int
    """Most memory of the process at any time; 0 where the system does not say."""
    matrix_rate: float
    """Multiplications and additions a second in a product of two large matrices of the
    same format of numbers, measured in the same process."""


def _openvino(
    precision: Precision, network: I3D, snippet_frames: int, peaks: Sequence[float]
) -> Pass:
    compiler = import_openvino("cpu")
    return openvino_pass(compiler, network, precision, snippet_frames, peaks)


def _torch(precision: str, network: I3D, _frames: int, _peaks: Sequence[float]) -> Pass:
    return torch_pass(network, precision)


def _contiguous(network: I3D, _frames: int, _peaks: Sequence[float]) -> Pass:
    def run(frames: Tensor) -> Tensor:
        features: Tensor = network(network_input(frames).contiguous())
        return features

    return run


def _compiled(
    precision: str, network: I3D, _frames: int, _peaks: Sequence[float]
) -> Pass:
    compiled: Any = torch.compile(network)
    return torch_pass(compiled, precision)


def _onnxruntime(network: I3D, snippet_frames: int, _peaks: Sequence[float]) -> Pass:
    for module in ("onnxruntime", "onnxscript"):
        if importlib.util.find_spec(module) is None:
            raise I3DError(f"{module} is not installed")
    onnxruntime = importlib.import_module("onnxruntime")
    example = torch.zeros(
        1, network.in_channels, snippet_frames, INPUT_SIDE, INPUT_SIDE
    )
    with quiet_export():
        program: Any = torch.onnx.export(
            network, (example,), dynamo=True, verbose=False
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    (taken,) = session.get_inputs()

    def run(frames: Tensor) -> Tensor:
        given = network_input(frames).contiguous().numpy()
        return torch.from_numpy(session.run(None, {taken.name: given})[0])

    return run


BACK_ENDS: Final[Mapping[str, BackEnd]] = {
    "torch fp32": BackEnd("fp32", "fp32", functools.partial(_torch, "fp32")),
    "torch fp32, channels first": BackEnd(None, "fp32", _contiguous),
    "torch.compile fp32": BackEnd(None, "fp32", functools.partial(_compiled, "fp32")),
    "ONNX Runtime fp32": BackEnd(None, "fp32", _onnxruntime),
    "OpenVINO fp32": BackEnd(
        "openvino", "fp32", functools.partial(_openvino, "openvino")
    ),
    "torch bf16": BackEnd("bf16", "bf16", functools.partial(_torch, "bf16")),
    "torch.compile bf16": BackEnd(None, "bf16", functools.partial(_compiled, "bf16")),
    "OpenVINO bf16": BackEnd(
        "openvino-bf16", "bf16", functools.partial(_openvino, "openvino-bf16")
    ),
    "OpenVINO int8": BackEnd(
        "openvino-int8", "int8", functools.partial(_openvino, "openvino-int8")
    ),
}
"""The back ends by name. Those without a precision are measured, but not taken: where
one of them would be the fastest, a back end of OpenVINO was faster."""


def measured(
    names: Sequence[str], snippets: Frames, peaks: Sequence[float]
) -> Iterator[tuple[str, Measured | str]]:
    """Yield each back end's figures, or a sentence on why there are none.

    Parameters
    ----------
    names : sequence of str
        Keys of `BACK_ENDS`.
    snippets : (n, T, 224, 224, 3) uint8 array
        The snippets that each is to compute, at least one.
    peaks : sequence of float
        For int8; see `acmnet.extraction.i3d.openvino.i3d_openvino.measured_peaks`.
    """
    context = multiprocessing.get_context("spawn")
    for name in names:
        number = BACK_ENDS[name].number
        if number == "bf16" and computed_in("bf16", "cpu") != "bf16":
            yield name, "this processor has no bf16"
            continue
        with (
            environment(SAFE_PATH | bound_to_us()),
            ProcessPoolExecutor(
                1, context, initializer=torch.set_num_threads, initargs=(1,)
            ) as pool,
        ):
            try:
                yield name, pool.submit(measure, name, snippets, peaks).result()
            except Exception as error:  # noqa: BLE001 - a library that lacks something
                yield name, str(error).strip().splitlines()[0]


def installed_rgb() -> I3D:
    """Return the installed network of the RGB stream, folded, as `BackEnd.make` takes.

    Raises
    ------
    WeightsError
        If the weights are not installed, or their file has changed since.
    """
    return load_i3d(RGB_WEIGHTS).folded().eval().requires_grad_(False)


def peaks_of(network: I3D, snippets: Frames) -> tuple[float, ...]:
    """Return the peaks for int8 on some snippets, as `measured_peaks` measures them.

    Without OpenVINO, nothing is computed in int8, and there are none.
    """
    if importlib.util.find_spec("openvino") is None:
        return ()
    return measured_peaks(import_openvino("cpu"), network, snippets)


def measure(name: str, snippets: Frames, peaks: Sequence[float]) -> Measured:
    """Measure one back end in this process, with as many threads as torch has."""
    back_end = BACK_ENDS[name]
    began = time.process_time()
    network = installed_rgb()
    run = back_end.make(network, snippets.shape[1], peaks)
    features, spent = [], []
    with torch.inference_mode():
        run(torch.from_numpy(snippets[:1]))  # a first pass is slower
        start_s = time.process_time() - began
        for snippet in snippets:
            began = time.process_time()
            features.append(run(torch.from_numpy(snippet[None])).float().numpy())
            spent.append(time.process_time() - began)
        rate = matrix_rate(back_end.number)
    return Measured(
        seconds=min(spent) / torch.get_num_threads(),
        start_s=start_s,
        features=np.concatenate(features),
        peak_bytes=_peak_bytes(),
        matrix_rate=rate,
    )


def matrix_rate(number: str) -> float:
    """Return the multiplications and additions a second of a large matrix product.

    Parameters
    ----------
    number : {"fp32", "bf16", "int8"}
        Format of the numbers that are multiplied.
    """
    multiply: Callable[[Tensor, Tensor], Tensor] = torch.mm
    matrix = torch.randn(MATRIX_SIDE, MATRIX_SIDE)
    if number == "bf16":
        matrix = matrix.bfloat16()
    if number == "int8":
        matrix, multiply = matrix.mul(30).to(torch.int8), torch._int_mm
    multiply(matrix, matrix)
    spent = []
    for _ in range(MATRIX_PRODUCTS):
        began = time.process_time()
        multiply(matrix, matrix)
        spent.append(time.process_time() - began)
    return 2 * MATRIX_SIDE**3 / min(spent) * torch.get_num_threads()


def work_of_a_snippet(snippet_frames: int) -> int:
    """Return the multiplications and additions of I3D's RGB stream for a snippet."""
    snippet = torch.zeros((1, 3, snippet_frames, INPUT_SIDE, INPUT_SIDE), device="meta")
    with FlopCounterMode(display=False) as counter:
        unfilled_network(3)(snippet)
    return int(counter.get_total_flops())


def cosines(
    found: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the (n,) cosines between the (n, D) features of the same snippets."""
    a, b = found.astype(np.float64), exact.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    products: npt.NDArray[np.float64] = (a * b).sum(axis=1)
    found_cosines: npt.NDArray[np.float64] = products / np.maximum(lengths, TINY)
    return found_cosines


def _peak_bytes() -> int:
    """Return the most memory that this process has had, as Linux states it."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
