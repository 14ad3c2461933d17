"""A trained run as one file for other programs: ONNX, or a program of torch.export.

The file holds all networks of the run, their standardisation among them, and its
metadata say everything else that localisation needs. Before a file is written, what it
computes is compared with the networks themselves.
"""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.checkpoints.checkpoint_folder import CONFIG_FILE
from acmnet.checkpoints.exported_file import SHA256_KEY, SUFFIX, import_onnx
from acmnet.files.file_access import written_whole
from acmnet.messages import one_line
from acmnet.model_exchange.published_notes import config_text, published_notes
from acmnet.models.stored_calibration import CALIBRATION_FILE
from acmnet.models.stored_model import TEACHERS_BEST, TRUST, load
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.network.acm_net import ACMNet
from acmnet.network.exported_networks import INPUT_NAME, WholeModel
from acmnet.network.student import Student
from acmnet.runtime.quiet_export import quiet_export

TORCH_SUFFIX: Final = ".pt2"
"""Suffix of programs of torch.export."""
LARGEST_DIFFERENCE: Final = 1e-5
"""Largest difference between a file's outputs and those of the networks; of an output
with values above 1, relative to the largest."""
COMPARED_BATCHES: Final = ((1, 1), (1, 9), (2, 40), (1, 600))
"""Videos and snippets of each made-up batch on which the two are compared."""

Arrays = Sequence[npt.NDArray[np.float32]]


class ExportError(ValueError):
    """A run that cannot be exported, or an export that computes something else."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    difference: float
    """Largest difference from the run's networks, as `LARGEST_DIFFERENCE` counts."""
    networks: int
    students: int


def export_onnx(run: str | Path, path: str | Path) -> Exported:
    """Write a trained run as one ONNX file, which ONNX Runtime and others compute.

    Input and outputs are described in `acmnet.network.exported_networks`; batch and
    time may have any length from 1.

    Parameters
    ----------
    run : path
        What `acmnet train` or `acmnet fit` wrote.
    path : path
        The file; its name ends with ``.onnx``.

    Raises
    ------
    ExportError
        If the suffix is another one, or the file computes something else than the run.
    ExportedFileError
        If ONNX or ONNX Runtime is not installed.
    CheckpointError
        If the run has no usable checkpoint.
    """
    path = _checked(path, SUFFIX)
    onnx = import_onnx("onnx", path)
    runtime = import_onnx("onnxruntime", path)
    import_onnx("onnxscript", path)
    model, module = _exported_module(Path(run))
    graph = _onnx_graph(onnx, module, _metadata(Path(run), model))
    content = graph.SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return _written(path, content, module, lambda x: session.run(None, {INPUT_NAME: x}))


def export_torch(run: str | Path, path: str | Path) -> Exported:
    """Write a trained run as a program of `torch.export`, for torch without acmnet.

    `torch.export.load` reads it. The metadata are its extra files, by name.

    Parameters
    ----------
    run : path
        What `acmnet train` or `acmnet fit` wrote.
    path : path
        The file; its name ends with ``.pt2``.

    Raises
    ------
    ExportError, CheckpointError
        As `export_onnx`.
    """
    path = _checked(path, TORCH_SUFFIX)
    model, module = _exported_module(Path(run))
    metadata = _metadata(Path(run), model)
    written = io.BytesIO()
    with quiet_export():
        torch.export.save(_program(module), written, extra_files=metadata)
        again = torch.export.load(io.BytesIO(written.getvalue())).module()

    def computed(batch: npt.NDArray[np.float32]) -> Arrays:
        with torch.inference_mode():
            return [output.numpy() for output in again(torch.from_numpy(batch))]

    return _written(path, written.getvalue(), module, computed)


def _checked(path: str | Path, suffix: str) -> Path:
    """Return a path that has the suffix of its kind of file."""
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ExportError(
            f"{path} must end with {suffix}, which tells what the file is; give "
            f"{path.with_suffix(suffix)}"
        )
    return path


def _exported_module(run: Path) -> tuple[TrainedModel, WholeModel]:
    """Return the model of a run, and all of its networks in one module."""
    model = load(run)
    networks = [x for x in model.networks if isinstance(x, ACMNet)]
    students = [x for x in model.students if isinstance(x, Student)]
    if not networks:
        raise ExportError(
            f"{run} is an exported file itself; give the run that it was exported from"
        )
    return model, WholeModel(networks, students)


def _program(module: WholeModel) -> torch.export.ExportedProgram:
    """Return the networks as a program for any batch and any time."""
    free = {0: torch.export.Dim("videos", min=1), 1: torch.export.Dim("time", min=1)}
    return torch.export.export(
        module, (_made_up(module, 2, 40),), dynamic_shapes=(free,)
    )


def _onnx_graph(onnx: Any, module: WholeModel, metadata: Mapping[str, str]) -> Any:
    """Return the networks as an ONNX model with its metadata."""
    with quiet_export():
        program = torch.onnx.export(
            _program(module),
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=list(module.output_names),
            verbose=False,
        )
    if program is None:
        raise ExportError("torch made no ONNX model of the run; install another torch")
    graph = program.model_proto
    _name_axes(graph)
    onnx.helper.set_model_props(graph, dict(metadata))
    return graph


def _name_axes(graph: Any) -> None:
    """Call the free axes of input and outputs ``videos`` and ``snippets``."""
    first = graph.graph.input[0].type.tensor_type.shape.dim
    names = {first[0].dim_param: "videos", first[1].dim_param: "snippets"}
    inner = graph.graph
    for value in (*inner.input, *inner.output, *inner.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in names:
                axis.dim_param = names[axis.dim_param]


def _metadata(run: Path, model: TrainedModel) -> dict[str, str]:
    """Return the metadata of an exported file, by name: texts, most of them JSON."""
    config, notes = model.config, published_notes(run)
    if config is None:
        raise ExportError(f"{run} does not say what it is; train it again")
    calibration = json.loads(notes.get(CALIBRATION_FILE, "{}"))
    of_class = {k: v["threshold"] for k, v in calibration.get("classes", {}).items()}
    metadata = {
        CONFIG_FILE: config_text(config),
        **notes,
        SHA256_KEY: weights_sha256(run),
        "feature_dim": str(config.feature_dim),
        "class_names": json.dumps(config.class_names, ensure_ascii=False),
        "snippet_grid": json.dumps(dataclasses.asdict(config.grid)),
        "standardization": "inside: give features as the extractor made them",
        "localization": json.dumps(dataclasses.asdict(model.settings.localization)),
        "thresholds": json.dumps(
            {"shown_from": shown_score(run, model.settings), "classes": of_class}
        ),
    }
    best = [float(x.teachers_best) for x in model.students]
    if best:
        teachers = dataclasses.asdict(model.settings.teachers)
        metadata["teachers"] = json.dumps(teachers)
        metadata[TEACHERS_BEST] = repr(sum(best) / len(best))
        metadata[TRUST] = json.dumps(model.trust_in_teachers())
    return metadata


def _made_up(module: WholeModel, videos: int, snippets: int) -> Tensor:
    """Return made-up features (videos, snippets, D) on the scale of the training's."""
    weights = module.state_dict()
    dimension = weights["networks.0.embedding.weight"].shape[1]
    drawn = torch.Generator().manual_seed(videos * 10_000 + snippets)
    features = torch.randn(videos, snippets, dimension, generator=drawn)
    for stage in ("students.0", "networks.0"):
        if f"{stage}.feature_mean" in weights:
            scale = weights[f"{stage}.feature_scale"]
            deviation = torch.where(scale > 0, 1.0 / scale, 0.0)
            features = features * deviation + weights[f"{stage}.feature_mean"]
            break
    return features


def _written(
    path: Path,
    content: bytes,
    module: WholeModel,
    computed: Callable[[npt.NDArray[np.float32]], Arrays],
) -> Exported:
    """Write a file that computes what the networks do; refuse it otherwise."""
    difference = max(
        _difference(module, computed, *shape) for shape in COMPARED_BATCHES
    )
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"{path} was not written: its outputs differ from the run's by "
            f"{difference:.1e}, more than {LARGEST_DIFFERENCE:g}; install another "
            "version of torch or onnxruntime"
        )
    with written_whole(path) as part:
        part.write_bytes(content)
    return Exported(path, difference, len(module.networks), len(module.students))


def _difference(
    module: WholeModel,
    computed: Callable[[npt.NDArray[np.float32]], Arrays],
    videos: int,
    snippets: int,
) -> float:
    """Return the `Exported.difference` on one made-up batch."""
    batch = _made_up(module, videos, snippets)
    with torch.inference_mode():
        expected = [output.numpy() for output in module(batch)]
    try:
        outputs = computed(batch.numpy())
    except Exception as error:
        raise ExportError(
            f"the exported file cannot be computed ({one_line(error)[:200]}); install "
            "another version of torch or onnxruntime"
        ) from error
    return max(
        float(np.abs(mine - theirs).max() / max(1.0, np.abs(theirs).max()))
        for mine, theirs in zip(outputs, expected, strict=True)
    )
