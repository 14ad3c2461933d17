"""TV-L1 optical flow computed by torch, for batches of frames on a GPU.

The algorithm, and its order of steps, is that of OpenCV, which
`acmnet.extraction.flow.optical_flow` uses on the CPU.
"""

import functools
import importlib.util
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from acmnet.extraction.flow.median_of_25 import median_of_25
from acmnet.extraction.flow.optical_flow import (
    SMALLEST_SIDE,
    TVL1_PRESETS,
    FlowError,
    FlowField,
    FlowMethod,
    Picture,
    TVL1Parameters,
    gray,
    refuse_sizes,
)

STEPS_AT_ONCE: Final = 5
"""Steps that a GPU is given as one function, because calling it takes as long as a step
of small frames."""


def flow_sequence_torch(
    frames: Iterable[Picture], method: FlowMethod, device: str, batch: int = 16
) -> Iterator[FlowField]:
    """Yield the flow from each frame to the next, computed on a device by `flow_torch`.

    The flow of the last frame is that of the frame before, or zero if it is the only
    frame, as in `acmnet.extraction.flow.optical_flow.flow_sequence`.

    Parameters
    ----------
    frames : iterable of (H, W, 3) arrays
        RGB, all of one size; ``batch`` + 1 of them are in memory at a time.
    method : FlowMethod
        A preset of `TVL1_PRESETS`; "dis" runs on the CPU only.
    device : str
        A device of torch, such as ``"cuda"``.
    batch : int
        Pairs computed at once, from 1. On the CPU, flow does not depend on it.

    Raises
    ------
    FlowError
        If the method is "dis", or the frames differ in size or are too small.
    """
    if method == "dis":
        raise FlowError("dis has no version for a GPU; take default, mid or fast")
    field: FlowField | None = None
    greys: list[Picture] = []
    for grey in map(gray, frames):
        greys.append(grey)
        if len(greys) > batch:
            for field in _flows(greys, TVL1_PRESETS[method], device):
                yield field
            greys = greys[-1:]
    for field in _flows(greys, TVL1_PRESETS[method], device):
        yield field
    if greys:
        still = np.zeros((*greys[-1].shape, 2), np.float32)
        yield still if field is None else field


def _flows(
    greys: list[Picture], parameters: TVL1Parameters, device: str
) -> Iterator[FlowField]:
    """Yield the flow of each picture to the next."""
    if len(greys) > 1:
        pictures = torch.from_numpy(np.stack(greys)).to(device)
        yield from flow_torch(pictures[:-1], pictures[1:], parameters).cpu().numpy()


class _Problem(NamedTuple):
    """The variables of B optimisation problems: B pairs at one level and one warp."""

    flow: Tensor
    """(B, 2, h, w): the flow that is sought [u]; changed in place."""
    dual_x: Tensor
    """(B, 2, h, w): θ times the dual variable of the flow's slope along x; changed in
    place."""
    dual_y: Tensor
    """(B, 2, h, w): θ times the dual variable of the slope along y; changed in
    place."""
    slope_x: Tensor
    """(B, 2, h, w): buffer for the flow's slope along x; its last column stays 0."""
    slope_y: Tensor
    """(B, 2, h, w): buffer for the flow's slope along y; its last row stays 0."""
    gradient: Tensor
    """(B, 2, h, w): slopes of the warped second frame along x and y."""
    inverse: Tensor
    """(B, 1, h, w): -1 / |gradient|²."""
    constant: Tensor
    """(B, 1, h, w): brightness difference that remains where the flow is zero."""

    def of(self, rows: Tensor) -> "_Problem":
        """Return a copy of the problems with these indices."""
        return _Problem(*(tensor[rows] for tensor in self))

    def take_back(self, rows: Tensor, solved: "_Problem") -> None:
        """Write back the solutions of a copy that `of` made of these problems."""
        for name in ("flow", "dual_x", "dual_y"):
            getattr(self, name)[rows] = getattr(solved, name)


def flow_torch(before: Tensor, after: Tensor, parameters: TVL1Parameters) -> Tensor:
    """Return the TV-L1 flow of B pairs of frames, on the tensors' device.

    Parameters
    ----------
    before, after : tensors of shape (B, H, W)
        Grey levels in ``[0, 255]``, of any dtype; H and W at least 16.
    parameters : TVL1Parameters
        The parameters, for example ``TVL1_PRESETS["mid"]``.

    Returns
    -------
    tensor of shape (B, H, W, 2)
        Displacement to the right and down, in pixels, in fp32.

    Raises
    ------
    FlowError
        If the shapes differ, are not (B, H, W), or are too small.

    Notes
    -----
    A pair whose changes fall below its epsilon leaves the batch until the next warp.
    Therefore the flow of a pair does not depend on the other pairs: it is equal bit for
    bit on the CPU, and up to the order of sums on a GPU. OpenCV 5.0 computes the same
    flow up to rounding, which can change the iteration at which a warp ends. OpenCV 4
    differs more, because it samples frames at 1/32 of a pixel.

    References
    ----------
    Zach et al. 2007; Sánchez et al. 2013, algorithm 1; OpenCV's order of steps
    (opencv_contrib `modules/optflow/src/tvl1flow.cpp`, `procOneScale`).
    """
    if before.ndim != 3 or after.ndim != 3:
        raise FlowError(
            f"frames must have shape (B, H, W), got {tuple(before.shape)} and "
            f"{tuple(after.shape)}; add the axis of the batch"
        )
    refuse_sizes(tuple(before.shape), tuple(after.shape))
    step = parameters.scale_step
    levels = [torch.stack((before, after), 1).float()]
    for _ in range(1, parameters.scales):
        size = [round(side * step) for side in levels[-1].shape[-2:]]
        if min(size) < SMALLEST_SIDE:
            break
        levels.append(_resized(levels[-1], size, (1 / step, 1 / step)))
    flow = torch.zeros_like(levels[-1])
    for pair in reversed(levels):
        size = list(pair.shape[-2:])
        if list(flow.shape[-2:]) != size:
            ratio = (flow.shape[-2] / size[0], flow.shape[-1] / size[1])
            flow = _resized(flow, size, ratio) / step
        _refine(pair, flow, parameters)
    return flow.permute(0, 2, 3, 1).contiguous()


def _resized(planes: Tensor, size: list[int], ratio: tuple[float, float]) -> Tensor:
    """Return (..., h, w) planes at another size, by linear interpolation.

    Beyond its edges a plane continues with the values of its edge.
    """
    for axis, side, step in zip((-2, -1), size, ratio, strict=True):
        last = planes.shape[axis] - 1
        place = (torch.arange(side, dtype=torch.float64) + 0.5) * step - 0.5
        place = place.clamp(0, last).to(planes.device, torch.float32)
        low = place.long()
        high = (low + 1).clamp(max=last)
        weight = place - low
        if axis == -2:
            weight = weight[:, None]
        planes = torch.lerp(
            planes.index_select(axis, low), planes.index_select(axis, high), weight
        )
    return planes


def _refine(pair: Tensor, flow: Tensor, parameters: TVL1Parameters) -> None:
    """Improve the flow (B, 2, h, w) of one level's pairs (B, 2, h, w), in place."""
    first, second = pair[:, :1], pair[:, 1:]
    edged = functional.pad(second, (1, 1, 1, 1), mode="replicate")
    slope_x = (edged[..., 1:-1, 2:] - edged[..., 1:-1, :-2]) / 2
    slope_y = (edged[..., 2:, 1:-1] - edged[..., :-2, 1:-1]) / 2
    sampled = torch.cat((second, slope_x, slope_y), 1)
    dual_x, dual_y = torch.zeros_like(flow), torch.zeros_like(flow)
    room_x, room_y = torch.zeros_like(flow), torch.zeros_like(flow)
    for _ in range(parameters.warps):
        warped = _warped(sampled, flow)
        gradient = warped[:, 1:].contiguous()
        square = gradient.square().sum(1, keepdim=True)
        constant = warped[:, :1] - first - (gradient * flow).sum(1, keepdim=True)
        inverse = -square.clamp_(min=torch.finfo(torch.float32).eps).reciprocal_()
        _solve(
            _Problem(
                flow=flow,
                dual_x=dual_x,
                dual_y=dual_y,
                slope_x=room_x,
                slope_y=room_y,
                gradient=gradient,
                inverse=inverse,
                constant=constant,
            ),
            parameters,
        )


def _warped(planes: Tensor, flow: Tensor) -> Tensor:
    """Return (B, n, h, w) planes sampled where the flow points to; 0 outside.

    The interpolation is Keys' bicubic over 16 neighbours, as in `cv2.remap`, so it is
    exact where the flow is 0. torch's `grid_sample` would not do, because it rounds the
    sampled place, which moves pixels in flat regions.
    """
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
    columns, rows = _cubic_taps(x, width), _cubic_taps(y, height)
    flat = planes.flatten(2)
    sampled = torch.zeros_like(planes)
    for row, row_weight in rows:
        for column, column_weight in columns:
            index = (row * width + column).flatten(1)[:, None]
            taps = flat.gather(2, index.expand(-1, flat.shape[1], -1))
            weight = (row_weight * column_weight)[:, None]
            sampled.addcmul_(taps.view_as(planes), weight)
    return sampled


def _cubic_taps(place: Tensor, n: int) -> list[tuple[Tensor, Tensor]]:
    """Return index and weight of each of a place's four neighbours on an axis.

    ``n`` is the axis' number of pixels; a neighbour outside has the weight 0.
    """
    first = place.floor()
    ahead = place - first
    taps = []
    for offset in (-1, 0, 1, 2):
        distance = (ahead - offset).abs()
        near = ((1.25 * distance - 2.25) * distance) * distance + 1
        far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
        index = first + offset
        inside = (index >= 0) & (index < n)
        weight = torch.where(distance <= 1, near, far) * inside
        taps.append((index.clamp(0, n - 1).long(), weight))
    return taps


def _solve(whole: _Problem, parameters: TVL1Parameters) -> None:
    """Iterate each problem, in place, until its flow changes by less than epsilon."""
    if whole.flow.device.type != "cpu":
        _solve_on_gpu(whole, parameters)
        return
    _, _, height, width = whole.flow.shape
    limit = parameters.epsilon**2 * height * width
    rows = torch.arange(len(whole.flow), device=whole.flow.device)
    rest = whole
    for n in range(parameters.inner * parameters.outer):
        if parameters.median > 1 and n % parameters.inner == 0:
            rest.flow.copy_(median_of_25(rest.flow))
        moves = _iterate(rest, parameters) > limit
        if bool(moves.all()):
            continue
        if rest is not whole:
            whole.take_back(rows, rest)
        rows = rows[moves]
        if not len(rows):
            return
        rest = whole.of(rows)
    if rest is not whole:
        whole.take_back(rows, rest)


def _solve_on_gpu(problem: _Problem, parameters: TVL1Parameters) -> None:
    """Do what `_solve` does, and wait for the GPU only once in ``inner`` steps.

    A problem whose flow has stopped to change stays in the batch and is left as it is.
    """
    is_moving = problem.flow.new_ones((len(problem.flow), 1, 1, 1), dtype=torch.bool)
    state = _State(problem.flow, problem.dual_x, problem.dual_y, is_moving)
    for n in range(parameters.outer):
        if n and not bool(state.is_moving.any()):
            break
        if parameters.median > 1:
            smooth = _fused(median_of_25)(state.flow)
            flow = torch.where(state.is_moving, smooth, state.flow)
            state = state._replace(flow=flow)
        done = 0
        while done < parameters.inner:
            at_once = min(STEPS_AT_ONCE, parameters.inner - done)
            state = _fused(_steps_where)(state, problem, parameters, at_once)
            done += at_once
    for name in ("flow", "dual_x", "dual_y"):
        getattr(problem, name).copy_(getattr(state, name))


class _State(NamedTuple):
    """What the steps of `_solve_on_gpu` change."""

    flow: Tensor
    """(B, 2, h, w)."""
    dual_x: Tensor
    """(B, 2, h, w), as in `_Problem`."""
    dual_y: Tensor
    """(B, 2, h, w), as in `_Problem`."""
    is_moving: Tensor
    """(B, 1, 1, 1) bool. False for a problem whose flow has stopped to change."""


@functools.cache
def _fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with its loops over pixels fused; as it is without a compiler.

    torch fuses them with Triton, which needs a C compiler on the machine.
    """
    if importlib.util.find_spec("triton") is None or shutil.which("cc") is None:
        return function
    fused: Callable[..., Any] = torch.compile(function, dynamic=True)
    return fused


def _steps_where(
    state: _State, problem: _Problem, parameters: TVL1Parameters, n: int
) -> _State:
    """Return the state after ``n`` steps of `_iterate` in those problems that move."""
    for _ in range(n):
        state = _step_where(state, problem, parameters)
    return state


def _step_where(state: _State, problem: _Problem, parameters: TVL1Parameters) -> _State:
    """Return the state after the step of `_iterate` in those problems that move."""
    flow, dual_x, dual_y, is_moving = state
    gradient = problem.gradient
    bound = parameters.data_weight * parameters.theta
    limit = parameters.epsilon**2 * flow.shape[-2] * flow.shape[-1]
    residual = problem.constant + gradient[:, :1] * flow[:, :1]
    residual = residual + gradient[:, 1:] * flow[:, 1:]
    change = gradient * (residual * problem.inverse).clamp(-bound, bound)
    change = change + dual_x + dual_y
    # the divergence of the dual variables: less their left and upper neighbours
    change = change - functional.pad(dual_x[..., :-1], (1, 0))
    change = change - functional.pad(dual_y[..., :-1, :], (0, 0, 1, 0))
    change = torch.where(is_moving, change, 0.0)
    flow = flow + change
    slope_x = functional.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    slope_y = functional.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    norm = (slope_x.square() + slope_y.square()).sqrt()
    norm = norm * (parameters.tau / parameters.theta) + 1
    next_x = (dual_x + parameters.tau * slope_x) / norm
    next_y = (dual_y + parameters.tau * slope_y) / norm
    changed = change.square().sum((1, 2, 3), keepdim=True)
    return _State(
        flow,
        torch.where(is_moving, next_x, dual_x),
        torch.where(is_moving, next_y, dual_y),
        is_moving & (changed > limit),
    )


def _iterate(problem: _Problem, parameters: TVL1Parameters) -> Tensor:
    """Take one step in place; return each flow's squared change, summed, (B,)."""
    flow, dual_x, dual_y, slope_x, slope_y, gradient, inverse, constant = problem
    bound = parameters.data_weight * parameters.theta
    residual = torch.addcmul(constant, gradient[:, :1], flow[:, :1])
    residual.addcmul_(gradient[:, 1:], flow[:, 1:])
    change = gradient * residual.mul_(inverse).clamp_(-bound, bound)
    # add the divergence of the dual variables
    change.add_(dual_x).add_(dual_y)
    change[..., 1:].sub_(dual_x[..., :-1])
    change[..., 1:, :].sub_(dual_y[..., :-1, :])
    flow.add_(change)
    torch.sub(flow[..., 1:], flow[..., :-1], out=slope_x[..., :-1])
    torch.sub(flow[..., 1:, :], flow[..., :-1, :], out=slope_y[..., :-1, :])
    norm = torch.mul(slope_x, slope_x).addcmul_(slope_y, slope_y).sqrt_()
    norm.mul_(parameters.tau / parameters.theta).add_(1)
    dual_x.add_(slope_x, alpha=parameters.tau).div_(norm)
    dual_y.add_(slope_y, alpha=parameters.tau).div_(norm)
    # (B, 2, h, w): first the sum over w, then over the rest, so that the order of
    # additions, and the rounding, do not depend on the batch
    return change.square_().sum(-1).sum((1, 2))
