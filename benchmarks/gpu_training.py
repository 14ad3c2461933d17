"""Time training and the networks on a GPU, against bare products and plain loops."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast
from unittest import mock

import torch
from torch import Tensor, nn

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.network.video_outputs import acm_net_on_video
from acmnet.recipes import recipe
from acmnet.runtime.devices import exact_fp32
from acmnet.training.first_stage.training_settings import LossSettings
from acmnet.training.first_stage.weak_task import Plan, WeakTask
from acmnet.training.optimisation import training_loop as loop
from acmnet.training.optimisation.device_epochs import DeviceEpochs
from acmnet.training.optimisation.schedule import Schedule
from acmnet.training.optimisation.tasks import StepRecord, Task
from acmnet.training.second_stage.pseudo_labels import StudentTask
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels
from benchmarks.gpu_clock import DEVICE, in_turns, matrix_rates, peak_gb
from benchmarks.localization import _lengths as thumos_lengths
from benchmarks.measure import Figure, spread

VIDEOS: Final = 208
BATCH: Final = 16
SNIPPETS: Final = 750
DIMENSION: Final = 2048
CLASSES: Final = 20
EPOCHS: Final = 8
WARM_UP: Final = 2
"""Epochs that are not counted: the first one records the graphs."""
WORK: Final = 2 * 2 * BATCH * SNIPPETS * 3 * DIMENSION**2
"""Multiplications and additions of the convolution of a step: its output, and the
gradient of its weights."""
FP32_LIMIT: Final = 1.15
BF16_LIMIT: Final = 1.4
SMALL_VIDEOS: Final = 144
SMALL_SNIPPETS: Final = 110
SMALL_DIMENSION: Final = 573
SMALL_CLASSES: Final = 16
"""The size of SHREC'22, on which ``best`` is measured."""


class _MadeUp:
    """A store of random features in the memory of the host, the same for all videos."""

    def __init__(self, lengths: Sequence[int], dimension: int) -> None:
        self.dimension = dimension
        self._lengths = {f"{i:04d}": n for i, n in enumerate(lengths)}
        self._rows = torch.rand(max(lengths), dimension).half()

    def require(self, videos: Sequence[str]) -> None:
        """Do nothing: all are there."""

    def shape(self, video: str) -> tuple[int, int]:
        """Return (T, D)."""
        return self._lengths[video], self.dimension

    def read(self, video: str) -> Tensor:
        """Return (T, D) fp16."""
        return self._rows[: self._lengths[video]]

    map = read


def dataset(
    lengths: Sequence[int], dimension: int, n_classes: int, *, in_memory: bool = True
) -> WeakDataset:
    """Return videos of these lengths with random features, each of one class."""
    names = [f"class_{i}" for i in range(n_classes)]
    labels = {f"{i:04d}": (names[i % n_classes],) for i in range(len(lengths))}
    store = cast(FeatureStore, _MadeUp(lengths, dimension))
    return WeakDataset(store, labels, names, device=DEVICE, in_memory=in_memory)


def steps(
    network: nn.Module, task: Task, batch_size: int, *, plain: bool = False
) -> list[float]:
    """Return the mean seconds of a step in each epoch but the first ones."""
    found: dict[int, float] = {}

    def keep(record: StepRecord) -> None:
        found[record.epoch] = found.get(record.epoch, 0.0) + record.seconds

    schedule = Schedule(
        epochs=EPOCHS,
        batch_size=batch_size,
        learning_rate=1e-4,
        weight_decay=0.0,
        averaging=0.99,
    )
    torch.manual_seed(0)
    network = network.to(DEVICE)
    how: Any = loop._PlainEpochs if plain else DeviceEpochs
    with mock.patch.object(loop, "DeviceEpochs", how):
        loop.optimize(network, task, schedule, 0, on_step=keep)
    each = -(-len(task.video_ids) // batch_size)
    return [seconds / each for epoch, seconds in found.items() if epoch > WARM_UP]


def rows() -> Iterator[Figure]:
    """Measure steps, epochs and whole videos."""
    rates = {name: statistics.median(x) for name, x in matrix_rates().items()}
    yield from _paper(rates)
    yield from _small()
    yield _videos()


def _paper(rates: dict[str, float]) -> Iterator[Figure]:
    """Measure the step of the paper's network in fp32 and in bf16."""
    lengths = [SNIPPETS + 10 + i % 7 for i in range(VIDEOS)]
    videos = dataset(lengths, DIMENSION, CLASSES)
    shape = f"B {BATCH}, T {SNIPPETS}, D {DIMENSION}, C {CLASSES}"
    resident: list[float] = []
    for number, limit in (("fp32", FP32_LIMIT), ("bf16", BF16_LIMIT)):
        task = _task(videos, number)
        with exact_fp32(DEVICE):
            convolution, products = in_turns(
                _convolution(number), _products(number), repeats=9
            )
        peak_gb()
        whole = steps(ACMNet(DIMENSION, CLASSES), task, BATCH)
        peak = peak_gb()
        plain = steps(ACMNet(DIMENSION, CLASSES), task, BATCH, plain=True)
        step_s = statistics.median(whole)
        resident = whole
        share = WORK / step_s / rates[number]
        yield Figure(
            name=f"training step, {number}, {shape}",
            value=step_s / statistics.median(convolution),
            unit="of its convolution",
            limit=limit,
            detail=f"{spread(whole)} over {spread(convolution)}; {100 * share:.0f} % "
            f"of the matrix rate; {peak:.1f} GB",
        )
        yield Figure(
            name=f"the same step, {number}",
            value=step_s / statistics.median(products),
            unit="of its bare products",
            limit=limit,
            detail=f"products {spread(products)}",
        )
        yield Figure(
            name=f"the same step queued as a graph, {number}",
            value=step_s / statistics.median(plain),
            unit="of one that is waited for",
            limit=1.0,
            detail=f"plain {spread(plain)}",
        )
    copying = dataset(lengths, DIMENSION, CLASSES, in_memory=False)
    copied = steps(ACMNet(DIMENSION, CLASSES), _task(copying, "bf16"), BATCH)
    yield Figure(
        name="epoch with all features on the GPU, bf16",
        value=statistics.median(resident) / statistics.median(copied),
        unit="of one that copies them",
        limit=1.0,
        detail=f"a step that copies: {spread(copied)}",
    )


def _task(videos: WeakDataset, number: str) -> WeakTask:
    """Return the paper's training in a format of numbers."""
    training = recipe("thumos14", profile="official").training
    plan = Plan(
        training=_with(training, precision=number),
        sampling=SamplingSettings(SNIPPETS, "random"),
        loss=LossSettings(),
        seed=0,
    )
    return WeakTask(videos, plan)


def _with(settings: Any, **values: object) -> Any:
    return type(settings)(**(vars(settings) | values))


def _convolution(number: str) -> Callable[[], object]:
    """Return the embedding's convolution, forward and backward, and nothing else."""
    layer = nn.Conv1d(DIMENSION, DIMENSION, 3, padding=1).to(DEVICE)
    features = torch.randn(BATCH, DIMENSION, SNIPPETS, device=DEVICE)
    gradient = torch.randn_like(features)
    is_bf16 = number == "bf16"
    kind = torch.bfloat16 if is_bf16 else torch.float32
    features, gradient = features.to(kind), gradient.to(kind)

    def run() -> None:
        layer.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=is_bf16):
            output = layer(features)
        torch.autograd.backward(output, gradient)

    return run


def _products(number: str) -> Callable[[], object]:
    """Return the two matrix products that the convolution comes down to."""
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    rows, window = BATCH * SNIPPETS, 3 * DIMENSION
    seen = torch.randn(rows, window, device=DEVICE, dtype=kind)
    weight = torch.randn(window, DIMENSION, device=DEVICE, dtype=kind)
    gradient = torch.randn(rows, DIMENSION, device=DEVICE, dtype=kind)

    def run() -> tuple[Tensor, Tensor]:
        return seen @ weight, seen.t() @ gradient

    return run


def _small() -> Iterator[Figure]:
    """Measure both networks of `best` at the size of SHREC'22."""
    settings = recipe("shrec22", profile="best")
    lengths = [SMALL_SNIPPETS - 20 + i % 41 for i in range(SMALL_VIDEOS)]
    videos = dataset(lengths, SMALL_DIMENSION, SMALL_CLASSES)
    plan = Plan(
        training=settings.training,
        sampling=settings.sampling,
        loss=settings.loss,
        seed=0,
    )
    teacher = WeakTask(videos, plan)
    labels = {
        video: PseudoLabels(
            tuple(
                PseudoInstance((i + k) % SMALL_CLASSES, 20.0 * k, 20.0 * k + 8, 1.0)
                for k in range(4)
            ),
            (),
        )
        for i, video in enumerate(videos.video_ids)
    }
    second = settings.student_training
    pupil = StudentTask(
        videos,
        labels,
        central_share=settings.pseudo_labels.central_share,
        snippets=second.snippets,
        precision=settings.training.precision,
    )
    size = f"{SMALL_VIDEOS} videos of {SMALL_SNIPPETS} snippets, D {SMALL_DIMENSION}"

    def teaching() -> nn.Module:
        return ACMNet(SMALL_DIMENSION, SMALL_CLASSES, settings.model)

    def learning() -> nn.Module:
        return Student(SMALL_DIMENSION, SMALL_CLASSES, settings.student)

    one: tuple[str, Callable[[], nn.Module], Task, int]
    for one in (
        ("teacher", teaching, teacher, settings.training.batch_size),
        ("student", learning, pupil, second.batch_size),
    ):
        name, network, task, batch = one
        queued = steps(network(), task, batch)
        plain = steps(network(), task, batch, plain=True)
        yield Figure(
            name=f"step of the {name} of best, {size}",
            value=statistics.median(queued) / statistics.median(plain),
            unit="of one that is waited for",
            limit=1.0,
            detail=f"{spread(queued)} over {spread(plain)}",
        )


def _videos() -> Figure:
    """Measure the network on 210 videos as of THUMOS-14, against its convolutions."""
    network = ACMNet(DIMENSION, CLASSES).to(DEVICE).eval()
    videos = [torch.rand(n, DIMENSION).half() for n in thumos_lengths()]
    there = [x.to(DEVICE).float().unsqueeze(0) for x in videos]

    def bare() -> None:
        with torch.inference_mode():
            for x in there:
                network.embedding(x)

    with exact_fp32(DEVICE):
        whole, convolutions = in_turns(
            lambda: [acm_net_on_video(network, x) for x in videos], bare, repeats=3
        )
    return Figure(
        name=f"the network on {len(videos)} videos, fp32, from and to the host",
        value=statistics.median(whole) / statistics.median(convolutions),
        unit="of its convolutions",
        detail=f"{spread(whole)} over {spread(convolutions)}",
    )
