"""I3D: snippets of frames in, 1024 features out.

The network is Inception-v1 inflated to three dimensions, as published with its Kinetics
weights: TensorFlow's SAME padding, batch norm without a scale. It is for inference.

Shapes: ``n`` snippets, ``T`` frames of a snippet, ``H`` and ``W`` pixels, ``C``
channels (3 for RGB, 2 for flow: x, then y).

References
----------
Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", CVPR 2017 (arXiv 1705.07750), figure 3.
"""

import contextlib
import copy
import functools
import importlib
import importlib.resources
import itertools
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.devices import computed_in

Stream = Literal["rgb", "flow"]
Crop = Literal["centre", "ten"]
Precision = Literal["fp32", "bf16", "openvino", "openvino-bf16"]
Frames = npt.NDArray[Any]
Frame = TypeVar("Frame")

SIDE: Final = 224
"""Height and width of what the network sees, in pixels."""
DIMENSION: Final = 1024
N_CLASSES: Final = 400
MIN_FRAMES: Final = 9
"""Fewer leave one step of time, and the network's last pool takes two."""
NORM_EPSILON: Final = 1e-3
CHANNELS: Final = {"rgb": 3, "flow": 2}
FRAME_DTYPES: Final = {"rgb": np.dtype(np.uint8), "flow": np.dtype(np.float32)}
WIDTHS: Final = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Of each module: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 after the pool (the paper's
"Inc." modules, with GoogLeNet's widths)."""


class I3DError(ValueError):
    """Frames or settings that I3D cannot take; the message says what to do."""


class I3D(nn.Module):
    """The network of one stream: features, and the 400 Kinetics classes of features.

    Parameters
    ----------
    in_channels : int
        3 for RGB, 2 for flow.

    Notes
    -----
    Parameter names are TensorFlow's scopes, such as
    ``layers.Mixed_3b.Branch_1.Conv3d_0b_3x3.conv.weight``.
    """

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            Conv3d_1a_7x7=_Unit(in_channels, 64, 7, 2),
            MaxPool3d_2a_3x3=_MaxPool((1, 3, 3), (1, 2, 2)),
            Conv3d_2b_1x1=_Unit(64, 64, 1),
            Conv3d_2c_3x3=_Unit(64, 192, 3),
            MaxPool3d_3a_3x3=_MaxPool((1, 3, 3), (1, 2, 2)),
        )
        n_in = 192
        for name, widths in WIDTHS.items():
            if name == "Mixed_4b":
                layers["MaxPool3d_4a_3x3"] = _MaxPool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                layers["MaxPool3d_5a_2x2"] = _MaxPool((2, 2, 2), (2, 2, 2))
            layers[name] = _Mixed(n_in, widths)
            n_in = widths[0] + widths[2] + widths[4] + widths[5]
        self.layers = nn.Sequential(layers)
        self.head = nn.Linear(DIMENSION, N_CLASSES)

    def forward(self, snippets: Tensor) -> Tensor:
        """Return the features of snippets.

        Parameters
        ----------
        snippets : (n, C, T, 224, 224)
            In ``[-1, 1]``, ``T`` at least 9.

        Returns
        -------
        (n, 1024)
            At least 0; fp32 where the snippets are bf16.

        Raises
        ------
        I3DError
            If the shape is another one.

        Notes
        -----
        As published, 2x7x7 windows are averaged, then the windows over time. At 16
        frames there is one window, so this is the mean of all that Mixed_5c puts out.
        """
        _refuse_shape(tuple(snippets.shape), self.in_channels)
        x = self.layers(snippets)
        x = x.mean((3, 4), dtype=torch.promote_types(x.dtype, torch.float32))
        features: Tensor = (x[:, :, 1:] + x[:, :, :-1]).mean(2) / 2
        return features

    def logits(self, features: Tensor) -> Tensor:
        """Return the (n, 400) class logits of (n, 1024) features.

        Published, the head comes before the mean over time; the two commute.
        """
        logits: Tensor = self.head(features)
        return logits

    def folded(self) -> Self:
        """Return a copy that puts out the same, its batch norms inside its kernels."""
        network = copy.deepcopy(self)
        for unit in network.modules():
            if isinstance(unit, _Unit):
                unit.fold()
        return network


class _Norm(nn.Module):
    """Batch norm with a shift and no scale, by the statistics it was given."""

    mean: Tensor
    var: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("var", torch.ones(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(
            x, self.mean, self.var, None, self.shift, eps=NORM_EPSILON
        )


class _Unit(nn.Module):
    """Convolution with a cubic kernel and SAME padding, batch norm, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        # an odd kernel with stride 1 has the same padding on both sides
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv3d(n_in, n_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = _Norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        if self.conv.stride[0] > 1:
            x = functional.pad(x, self._padding(tuple(x.shape[2:])))
        return functional.relu(self.norm(self.conv(x)), inplace=True)

    def _padding(self, sizes: tuple[int, ...]) -> list[int]:
        """Return what `functional.pad` wants: front and back, the last axis first."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        totals = [same_padding(size, kernel, stride) for size in reversed(sizes)]
        return [side for total in totals for side in (total // 2, total - total // 2)]

    def fold(self) -> None:
        """Move the batch norm into the kernel and a bias."""
        if not isinstance(self.norm, _Norm):
            return
        norm, kernel = self.norm, self.conv.weight.detach()
        scale = (norm.var.double() + NORM_EPSILON).rsqrt()
        bias = norm.shift.detach().double() - norm.mean.double() * scale
        folded = kernel.double() * scale[:, None, None, None, None]
        self.conv.weight = nn.Parameter(folded.to(kernel.dtype))
        self.conv.bias = nn.Parameter(bias.to(kernel.dtype))
        self.norm = nn.Identity()


class _MaxPool(nn.Module):
    """Max pooling with SAME padding."""

    def __init__(
        self, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        # an odd padding is one longer at the back, where ceil_mode makes up for it
        front = [
            same_padding(size, kernel, stride) // 2
            for size, kernel, stride in zip(
                x.shape[2:], self.kernel, self.stride, strict=True
            )
        ]
        return functional.max_pool3d(x, self.kernel, self.stride, front, ceil_mode=True)


class _Mixed(nn.ModuleDict):
    """Four branches over the same input, their channels one after the other."""

    def __init__(self, n_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        one, three_in, three, small_in, small, pooled = widths
        branches: dict[str, OrderedDict[str, nn.Module]] = {
            "Branch_0": OrderedDict(Conv3d_0a_1x1=_Unit(n_in, one, 1)),
            "Branch_1": OrderedDict(
                Conv3d_0a_1x1=_Unit(n_in, three_in, 1),
                Conv3d_0b_3x3=_Unit(three_in, three, 3),
            ),
            "Branch_2": OrderedDict(
                Conv3d_0a_1x1=_Unit(n_in, small_in, 1),
                Conv3d_0b_3x3=_Unit(small_in, small, 3),
            ),
            "Branch_3": OrderedDict(
                MaxPool3d_0a_3x3=_MaxPool((3, 3, 3), (1, 1, 1)),
                Conv3d_0b_1x1=_Unit(n_in, pooled, 1),
            ),
        }
        super().__init__(
            {name: nn.Sequential(layers) for name, layers in branches.items()}
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.values()], dim=1)


def same_padding(size: int, kernel: int, stride: int) -> int:
    """Return how many values TensorFlow's SAME adds along one axis.

    Half of them, rounded down, come before the first value.

    Examples
    --------
    >>> same_padding(224, 7, 2), same_padding(7, 3, 1), same_padding(4, 2, 2)
    (5, 2, 0)
    """
    n_out = -(-size // stride)
    return max((n_out - 1) * stride + kernel - size, 0)


def _refuse_shape(shape: tuple[int, ...], in_channels: int) -> None:
    """Refuse what is not (n, C, T, 224, 224) with enough frames."""
    if (
        len(shape) != 5
        or shape[1] != in_channels
        or shape[2] < MIN_FRAMES
        or shape[3:] != (SIDE, SIDE)
    ):
        raise I3DError(
            f"I3D takes (n, {in_channels}, T, {SIDE}, {SIDE}) with T at least "
            f"{MIN_FRAMES} frames, got {shape}; cut and crop the snippets first"
        )


def kinetics_classes() -> tuple[str, ...]:
    """Return the names of the 400 classes of Kinetics, in the order of the logits.

    Examples
    --------
    >>> kinetics_classes()[:2]
    ('abseiling', 'air drumming')
    """
    file = importlib.resources.files("acmnet.extraction") / "kinetics400_classes.txt"
    return tuple(file.read_text(encoding="utf-8").splitlines())


def cut_snippets(
    frames: Iterable[Frame], snippet_frames: int, stride_frames: int
) -> Iterator[list[Frame]]:
    """Yield the frames of each snippet, in order.

    N frames give ``floor((N - snippet_frames) / stride_frames) + 1`` whole snippets;
    what is left at the end is dropped. Fewer frames than a snippet give one, made by
    holding the last frame; no frames give none.

    Parameters
    ----------
    frames : iterable
        Of one video; at most ``snippet_frames`` of them are held.
    snippet_frames, stride_frames : int
        Frames in a snippet, and from one snippet to the next; at least 1.

    Raises
    ------
    I3DError
        If one of the two numbers is below 1.

    Examples
    --------
    >>> list(cut_snippets("abcdefg", 3, 2))
    [['a', 'b', 'c'], ['c', 'd', 'e'], ['e', 'f', 'g']]
    >>> list(cut_snippets("ab", 4, 4))
    [['a', 'b', 'b', 'b']]
    """
    for name, value in (
        ("snippet_frames", snippet_frames),
        ("stride_frames", stride_frames),
    ):
        if value < 1:
            raise I3DError(f"{name} must be at least 1, got {value}")
    held: list[Frame] = []
    skipped, is_short = 0, True
    for frame in frames:
        if skipped:
            skipped -= 1
            continue
        held.append(frame)
        if len(held) == snippet_frames:
            yield list(held)
            is_short = False
            del held[:stride_frames]
            skipped = max(stride_frames - snippet_frames, 0)
    if is_short and held:
        yield held + [held[-1]] * (snippet_frames - len(held))


def crop_centre(frames: Frames, side: int = SIDE) -> Frames:
    """Return the central square of (..., H, W, C) frames, as a view.

    An odd rest leaves one more pixel below and to the right.
    """
    top, left = (frames.shape[-3] - side) // 2, (frames.shape[-2] - side) // 2
    return _crop(frames, top, left, side)


def crop_ten(frames: Frames, stream: Stream, side: int = SIDE) -> Iterator[Frames]:
    """Yield the four corners and the centre of (..., H, W, C) frames, then mirrored.

    What moves to the right moves to the left in a mirror: the first channel of
    mirrored flow is negated.
    """
    bottom, right = frames.shape[-3] - side, frames.shape[-2] - side
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right))
    crops = [_crop(frames, top, left, side) for top, left in corners]
    crops.append(crop_centre(frames, side))
    yield from crops
    for crop in crops:
        mirrored = crop[..., ::-1, :]
        if stream == "flow":
            mirrored = mirrored * np.array([-1, 1], dtype=frames.dtype)
        yield mirrored


def _crop(frames: Frames, top: int, left: int, side: int) -> Frames:
    return frames[..., top : top + side, left : left + side, :]


class I3DRunner:
    """One stream of one network: frames in, snippet features out, in batches.

    Parameters
    ----------
    network : I3D
        With as many input channels as the stream has. It is copied, not changed.
    stream : {"rgb", "flow"}
        What the frames are.
    crop : {"centre", "ten"}
        The centre, or the mean of the features of four corners, the centre, and their
        mirror images: ten times the work.
    precision : {"fp32", "bf16", "openvino", "openvino-bf16"}
        bf16 moves features by about 1 % (0.9999 in cosine); a device that would have
        to imitate it computes in fp32. The last two run on the CPU only and need the
        extra ``acmnet[openvino]``. On a GPU, fp32 follows torch's own setting of TF32.
    batch : int
        Snippets in one pass, from 1. Memory grows with it; features change by
        rounding only.
    device : str
        Of torch; ``"cpu"`` for OpenVINO.

    Raises
    ------
    I3DError
        If a choice is unknown, the network is another stream's, or OpenVINO is
        missing or asked to run elsewhere than on the CPU.
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
    ) -> None:
        for name, value, choices in (
            ("stream", stream, get_args(Stream)),
            ("crop", crop, get_args(Crop)),
            ("precision", precision, get_args(Precision)),
        ):
            if value not in choices:
                raise I3DError(
                    f"{name} must be one of {', '.join(choices)}; got {value!r}"
                )
        if batch < 1:
            raise I3DError(f"batch must be at least 1, got {batch}")
        if network.in_channels != CHANNELS[stream]:
            raise I3DError(
                f"the {stream} stream has {CHANNELS[stream]} channels, the network "
                f"takes {network.in_channels}; load the weights of that stream"
            )
        precision = computed_in(precision, device)
        self.stream, self.crop, self.batch = stream, crop, batch
        self.precision: Precision = precision
        """What it computes in."""
        folded = network.folded().eval().requires_grad_(False)
        self._pass_of: Callable[[int], Callable[[Tensor], Tensor]]
        if precision in ("fp32", "bf16"):
            run = _torch_pass(folded, precision, device)
            self._pass_of = lambda _: run
        else:
            compiler = _openvino(device)
            self._pass_of = functools.cache(
                lambda n_frames: _openvino_pass(compiler, folded, precision, n_frames)
            )

    def describe(
        self, frames: Iterable[Frames], snippet_frames: int, stride_frames: int
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, 1024) blocks of features, in order of time.

        Parameters
        ----------
        frames : iterable of arrays
            Of one video and one size, no side below 224 (as published, the shorter one
            is 256): RGB as (H, W, 3) uint8, flow as (H, W, 2) float32 in ``[-1, 1]``.
            Consumed as they come; ``batch`` snippets of them are held.
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
            # not around the yield: whoever consumes would be in it too
            with torch.inference_mode():
                features = [run(self._tensor(view)) for view in views]
                block = torch.stack(features).mean(0).numpy()
            yield block

    def _checked(self, frames: Iterable[Frames]) -> Iterator[Frames]:
        """Yield the frames, each of one shape and type that this stream has."""
        shape: tuple[int, ...] | None = None
        for i, frame in enumerate(frames):
            if (
                frame.ndim != 3
                or frame.shape[2] != CHANNELS[self.stream]
                or min(frame.shape[:2]) < SIDE
                or frame.dtype != FRAME_DTYPES[self.stream]
            ):
                raise I3DError(
                    f"frame {i} must be (H, W, {CHANNELS[self.stream]}) "
                    f"{FRAME_DTYPES[self.stream]} with H and W from {SIDE}, got "
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
            return [snippets]  # cropped frame by frame
        return crop_ten(snippets, self.stream)

    def _tensor(self, view: Frames) -> Tensor:
        """Return (n, T, 224, 224, C) frames as (n, C, T, 224, 224) in [-1, 1]."""
        tensor = torch.from_numpy(np.ascontiguousarray(view)).float()
        if self.stream == "rgb":
            tensor = tensor.div_(127.5).sub_(1)
        return tensor.permute(0, 4, 1, 2, 3)


def _torch_pass(
    network: I3D, precision: Precision, device: str
) -> Callable[[Tensor], Tensor]:
    """Return the network's pass in torch, from fp32 to fp32 on the CPU."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    network = network.to(device, dtype)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def run(snippets: Tensor) -> Tensor:
        moved = snippets.to(device, dtype)
        features: Tensor = network(
            moved.contiguous(memory_format=torch.channels_last_3d)
        )
        return features.cpu()

    return run


def _openvino_pass(
    openvino: Any, network: I3D, precision: Precision, snippet_frames: int
) -> Callable[[Tensor], Tensor]:
    """Return the network's pass in OpenVINO for snippets of one length."""
    example = torch.zeros(2, network.in_channels, snippet_frames, SIDE, SIDE)
    batch = {0: torch.export.Dim("n", min=1)}
    with (
        _unreported(),
        warnings.catch_warnings(),
    ):  # about torch's own future, on the way
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


def _openvino(device: str) -> Any:
    """Return the module, or refuse where it is missing or cannot run."""
    if device != "cpu":
        raise I3DError(
            f"precision openvino runs on the CPU, got device {device!r}; take fp32 or "
            "bf16 there"
        )
    try:
        with _unreported():
            return importlib.import_module("openvino")
    except ImportError:
        raise I3DError(
            "precision openvino needs OpenVINO, which is not installed; run: pip "
            "install 'acmnet[openvino]'"
        ) from None


@contextlib.contextmanager
def _unreported() -> Iterator[None]:
    """Keep OpenVINO from reporting its use to its makers, unasked.

    It does so on import and on conversion, and does without where it cannot.
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
