"""Run I3D over the frames of a video, in batches of snippets, on a CPU or a GPU."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.extraction.extractors.i3d_choices import (
    Crop,
    Precision,
    Stream,
    without_search,
)
from acmnet.extraction.i3d.i3d import (
    CHANNELS,
    DIMENSION,
    I3D,
    INPUT_SIDE,
    MIN_FRAMES,
    Frames,
    I3DError,
)
from acmnet.extraction.i3d.i3d_planes import PlaneI3D
from acmnet.extraction.i3d.openvino.i3d_openvino import import_openvino, openvino_pass
from acmnet.extraction.i3d.snippet_cutting import crop_centre, crop_ten, cut_snippets
from acmnet.runtime.devices import computed_in, exact_fp32

FRAME_DTYPES: Final = {"rgb": np.dtype(np.uint8), "flow": np.dtype(np.float32)}


class I3DRunner:
    """Computes the snippet features of one stream, in batches of snippets.

    Parameters
    ----------
    network : I3D
        The network, with as many input channels as the stream has. It is copied, not
        changed.
    stream : {"rgb", "flow"}
        What the frames are.
    crop : {"centre", "ten"}
        "centre" looks at the central square of each frame. "ten" averages the features
        of the four corners, the centre and their mirror images, at ten times the work.
    precision : {"fp32", "bf16", "openvino", "openvino-bf16", "openvino-int8"}
        The number format. bf16 changes features by about 1 % (a cosine of 0.9999
        between the vectors); a device that could only emulate bf16 falls back to fp32.
        The OpenVINO formats run on the CPU only and need the extra
        ``acmnet[openvino]``. int8 is for the RGB stream (a cosine of 0.998).
    batch : int
        Snippets in one pass of the network, from 1. More need more memory; features
        change by rounding only.
    device : str
        A device of torch, such as ``"cuda"``; OpenVINO needs ``"cpu"``.
    peaks : sequence of float
        For int8, what `measured_peaks` of ``openvino/`` returns.

    Raises
    ------
    I3DError
        If a choice is unknown, the network has the channels of the other stream, or
        OpenVINO is missing or is to run elsewhere than on the CPU.
    """

    dimension: Final = DIMENSION

    def __init__(
        self,
        network: I3D,
        *,
        stream: Stream,
        crop: Crop = "centre",
        precision: Precision = "bf16",
        batch: int = 4,
        device: str = "cpu",
        peaks: Sequence[float] = (),
    ) -> None:
        _refuse_choices(network, stream, crop, precision, batch)
        precision = computed_in(without_search(precision), device)
        self.stream, self.crop, self.batch = stream, crop, batch
        self.precision: Precision = precision
        """The number format that is used; fp32 where bf16 would be emulated."""
        folded = network.folded().eval().requires_grad_(False)
        self._pass_of: Callable[[int], Callable[[Tensor], Tensor]]
        if precision in ("fp32", "bf16"):
            run = torch_pass(folded, precision, device)
            self._pass_of = lambda _: run
        else:
            compiler = import_openvino(device)
            self._pass_of = functools.cache(
                lambda n_frames: openvino_pass(
                    compiler, folded, precision, n_frames, peaks
                )
            )

    def describe(
        self, frames: Iterable[Frames], snippet_frames: int, stride_frames: int
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, 1024) blocks of features, in order of time.

        Parameters
        ----------
        frames : iterable of arrays
            The frames of one video, all of one size, with both sides at least 224
            pixels (I3D was published with 256 for the shorter side). RGB as (H, W, 3)
            uint8, flow as (H, W, 2) float32 in ``[-1, 1]``. Frames are read as needed;
            those of ``batch`` snippets are in memory at a time.
        snippet_frames : int
            At least 9; I3D was trained on 64 and is commonly run on 16.
        stride_frames : int
            At least 1.

        Raises
        ------
        I3DError
            If a frame has another shape or type, or a snippet is too short.
        """
        if snippet_frames < MIN_FRAMES:
            raise I3DError(
                f"snippet_frames must be at least {MIN_FRAMES} for I3D, got "
                f"{snippet_frames}; 16 is usual"
            )
        run = self._pass_of(snippet_frames)
        checked = self._checked(frames)
        snippets = cut_snippets(checked, snippet_frames, stride_frames)
        while group := list(itertools.islice(snippets, self.batch)):
            views = self._views(np.stack([np.stack(snippet) for snippet in group]))
            # inference mode must not last during the yield, where the caller computes
            with torch.inference_mode():
                whole = (torch.from_numpy(np.ascontiguousarray(x)) for x in views)
                features = [run(view) for view in whole]
                block = torch.stack(features).mean(0).numpy()
            yield block

    def _checked(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        """Yield the frames; refuse one of a wrong shape or type."""
        shape: tuple[int, ...] | None = None
        for i, frame in enumerate(frames):
            if (
                frame.ndim != 3
                or frame.shape[2] != CHANNELS[self.stream]
                or min(frame.shape[:2]) < INPUT_SIDE
                or frame.dtype != FRAME_DTYPES[self.stream]
            ):
                raise I3DError(
                    f"frame {i} must be (H, W, {CHANNELS[self.stream]}) "
                    f"{FRAME_DTYPES[self.stream]} with H and W from {INPUT_SIDE}, got "
                    f"{frame.shape} {frame.dtype}; resize its shorter side to 256"
                )
            if frame.shape != (shape or frame.shape):
                raise I3DError(
                    f"frame {i} has shape {frame.shape}, the frames before it "
                    f"{shape}; resize all frames of a video alike"
                )
            shape = frame.shape
            yield crop_centre(frame) if self.crop == "centre" else frame

    def _views(self, snippets: Frames) -> Iterable[Frames]:
        """Return the crops of (n, T, H, W, C) snippets."""
        if self.crop == "centre":
            return [snippets]  # `_checked` has cropped each frame
        return crop_ten(snippets, self.stream)


def _refuse_choices(
    network: I3D, stream: str, crop: str, precision: str, batch: int
) -> None:
    """Refuse what `I3DRunner` cannot compute."""
    for name, value, choices in (
        ("stream", stream, get_args(Stream)),
        ("crop", crop, get_args(Crop)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in choices:
            raise I3DError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    if batch < 1:
        raise I3DError(f"batch must be at least 1, got {batch}")
    if network.in_channels != CHANNELS[stream]:
        raise I3DError(
            f"the {stream} stream has {CHANNELS[stream]} channels, the network takes "
            f"{network.in_channels}; load the weights of that stream"
        )
    if precision == "openvino-int8" and stream != "rgb":
        raise I3DError(
            "int8 is for the RGB stream, got the flow stream; take openvino-bf16"
        )


def network_input(frames: Tensor) -> Tensor:
    """Return (n, T, 224, 224, C) frames as (n, C, T, 224, 224) in [-1, 1], in fp32."""
    return scaled(frames).permute(0, 4, 1, 2, 3)


def scaled(frames: Tensor) -> Tensor:
    """Return frames in fp32, bytes as values in [-1, 1]."""
    values = frames.float()
    return values.div_(127.5).sub_(1) if frames.dtype == torch.uint8 else values


def torch_pass(
    network: I3D, precision: str, device: str = "cpu"
) -> Callable[[Tensor], Tensor]:
    """Return a function that runs the network in torch.

    It takes (n, T, 224, 224, C) frames on the CPU, and returns features in fp32 on the
    CPU. Frames are scaled on the device. A GPU computes picture by picture, see
    `acmnet.extraction.i3d.i3d_planes`.
    """
    if torch.device(device).type != "cpu":
        return _planes_pass(network, precision, device)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    network = network.to(dtype)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def run(frames: Tensor) -> Tensor:
        moved = network_input(frames).to(dtype)
        features: Tensor = network(
            moved.contiguous(memory_format=torch.channels_last_3d)
        )
        return features

    return run


def _planes_pass(
    network: I3D, precision: str, device: str
) -> Callable[[Tensor], Tensor]:
    """Return `torch_pass` for a GPU."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    planes = PlaneI3D(network).eval().requires_grad_(False).to(device, dtype)

    def run(frames: Tensor) -> Tensor:
        with exact_fp32(device):
            features: Tensor = planes(scaled(frames.to(device)).to(dtype))
        return features.cpu()

    return run
