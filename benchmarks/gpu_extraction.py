"""Time I3D and optical flow on a GPU, against the matrix rate and plain versions."""

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest import mock

import cv2
import numpy as np
import torch
from torch import Tensor

from acmnet.extraction.extractors.i3d_choices import RGB_WEIGHTS
from acmnet.extraction.flow import optical_flow_torch
from acmnet.extraction.flow.optical_flow import TVL1_PRESETS, FlowMethod
from acmnet.extraction.flow.optical_flow_torch import flow_torch
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.i3d_planes import PlaneI3D
from acmnet.extraction.i3d.i3d_runner import network_input, scaled, torch_pass
from acmnet.extraction.i3d.i3d_weights import list_weights, load_i3d
from acmnet.extraction.i3d.speed.i3d_back_ends import cosines, work_of_a_snippet
from acmnet.runtime.devices import exact_fp32
from benchmarks.gpu_clock import DEVICE, in_turns, matrix_rates, peak_gb
from benchmarks.measure import Figure, median_ratio, spread

FRAMES: Final = 16
BATCHES: Final = (4, 16, 64)
SHARE_LIMIT: Final = 0.7
"""The share of the matrix rate that I3D is to reach."""
FLOW_SIZE: Final = (256, 340)
FLOW_PAIRS: Final = (16, 64)
METHODS: Final[tuple[FlowMethod, ...]] = ("default", "mid", "fast")
Pass = Callable[[Tensor], Tensor]


def rows() -> Iterator[Figure]:
    """Measure I3D's RGB stream, and TV-L1."""
    yield from _i3d()
    yield from _flow()


def _network() -> I3D:
    """Return I3D with its weights if they are installed, else with random ones."""
    torch.manual_seed(0)
    installed = {entry.name for entry in list_weights() if entry.installed}
    network = load_i3d(RGB_WEIGHTS) if RGB_WEIGHTS in installed else I3D()
    return network.folded().eval().requires_grad_(False)


def textures(n: int, height: int, width: int) -> np.ndarray[Any, Any]:
    """Return (n, H, W, 3) pictures of a drifting, blurred random texture."""
    random = np.random.default_rng(0)
    coarse = random.random((height // 8, width // 8, 3), np.float32) * 255
    large = cv2.resize(coarse, (width + 2 * n, height + n), interpolation=2)
    pictures = [large[i : i + height, 2 * i : 2 * i + width] for i in range(n)]
    return np.stack(pictures).clip(0, 255).astype(np.uint8)


def _snippets(n: int) -> Tensor:
    moving = textures(FRAMES + n, 224, 224)
    return torch.from_numpy(np.stack([moving[i : i + FRAMES] for i in range(n)]))


def _volumes(number: str) -> Pass:
    """Return the network as it is written: convolutions of volumes."""
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    layout: Any = torch.channels_last_3d
    moved: Any = _network().to(DEVICE, kind)
    moved = moved.to(memory_format=layout)

    def run(frames: Tensor) -> Tensor:
        seen = network_input(frames).to(kind).contiguous(memory_format=layout)
        features: Tensor = moved(seen)
        return features

    return run


def _planes(number: str) -> Pass:
    """Return the network picture by picture, as `extract` runs it on a GPU."""
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    moved = PlaneI3D(_network()).requires_grad_(False).to(DEVICE, kind)

    def run(frames: Tensor) -> Tensor:
        features: Tensor = moved(scaled(frames).to(kind))
        return features

    return run


def _variants() -> dict[str, tuple[str, Pass]]:
    """Return ways to compute the network alone, with the format of their numbers."""
    return {
        "fp32, volumes": ("fp32", _volumes("fp32")),
        "fp32, pictures": ("fp32", _planes("fp32")),
        "bf16, volumes": ("bf16", _volumes("bf16")),
        "bf16, pictures": ("bf16", _planes("bf16")),
        "bf16, pictures, compiled": (
            "bf16",
            torch.compile(_planes("bf16"), dynamic=False),
        ),
    }


def _i3d() -> Iterator[Figure]:
    rates = {name: statistics.median(x) for name, x in matrix_rates().items()}
    work = work_of_a_snippet(FRAMES)
    few = _snippets(BATCHES[1])
    with torch.inference_mode():
        exact = _network()(network_input(few)).numpy()
        for name, (number, run) in _variants().items():
            # a new shape would be compiled anew, for about a minute
            for batch in BATCHES[1:2] if "compiled" in name else BATCHES:
                frames = _snippets(batch).to(DEVICE)
                peak_gb()
                with exact_fp32(DEVICE):
                    (spent,) = in_turns(lambda: run(frames), repeats=7)  # noqa: B023
                form = f"I3D alone, {name}, {batch} snippets"
                row = _i3d_row(form, spent, batch, work, rates[number])
                memory = f"{row.detail}, {peak_gb():.1f} GB"
                yield dataclasses.replace(row, detail=memory)
            with exact_fp32(DEVICE):
                found = run(few.to(DEVICE)).float().cpu().numpy()
            yield Figure(
                name=f"I3D, {name}: worst cosine to the CPU's fp32",
                value=float(cosines(found, exact).min()),
                unit="cosine",
            )
            if name == "bf16, pictures":
                yield from _passes(work, rates)


def _passes(work: int, rates: dict[str, float]) -> Iterator[Figure]:
    """Measure what `extract` calls: frames from the host, features back to it."""
    for number in ("fp32", "bf16"):
        whole = torch_pass(_network(), number, DEVICE)
        for batch in BATCHES[:2]:
            host = _snippets(batch)
            (spent,) = in_turns(lambda: whole(host), repeats=7)  # noqa: B023
            form = f"I3D as extract runs it, {number}, {batch} snippets"
            yield _i3d_row(form, spent, batch, work, rates[number])


def _i3d_row(
    name: str, spent: list[float], batch: int, work: int, rate: float
) -> Figure:
    """Return how much longer a pass takes than its arithmetic at the matrix rate."""
    seconds = statistics.median(spent) / batch
    return Figure(
        name=name,
        value=seconds * rate / work,
        unit="of its arithmetic",
        limit=1 / SHARE_LIMIT,
        detail=f"{1 / seconds:.0f} snippets a second, {work / seconds / 1e12:.1f} "
        f"TFLOP/s, {100 * work / seconds / rate:.0f} % of the matrix rate, a pass "
        f"{spread(spent)}",
    )


def _flow() -> Iterator[Figure]:
    pictures = torch.from_numpy(textures(max(FLOW_PAIRS) + 1, *FLOW_SIZE)[..., 1])
    there = pictures.to(DEVICE)
    size = f"{FLOW_SIZE[1]} x {FLOW_SIZE[0]}"
    for method in METHODS:
        parameters = TVL1_PRESETS[method]

        def flows(pairs: int) -> Tensor:
            before, after = there[:pairs], there[1 : pairs + 1]
            return flow_torch(before, after, parameters)  # noqa: B023

        def eagerly(pairs: int) -> Tensor:
            with mock.patch.object(optical_flow_torch, "_fused", lambda f: f):
                return flows(pairs)

        for pairs in FLOW_PAIRS if method == "default" else FLOW_PAIRS[:1]:
            compiled, eager = in_turns(
                lambda: flows(pairs),  # noqa: B023
                lambda: eagerly(pairs),  # noqa: B023
                repeats=2,
                warm_up=1,
            )
            yield Figure(
                name=f"TV-L1, {method}, {size}, {pairs} pairs at once, compiled",
                value=median_ratio(compiled, eager),
                unit="of it uncompiled",
                limit=1.0,
                detail=f"{pairs / statistics.median(compiled):.0f} pairs a second, "
                f"uncompiled {pairs / statistics.median(eager):.0f}",
            )
        exact = flow_torch(pictures[:2], pictures[1:3], parameters)
        away = (flows(2).cpu() - exact).abs()
        yield Figure(
            name=f"TV-L1, {method}: largest difference to the CPU's",
            value=float(away.max()),
            unit="pixels",
            detail=f"mean {float(away.mean()):.2g} of {float(exact.abs().mean()):.2g}",
        )
