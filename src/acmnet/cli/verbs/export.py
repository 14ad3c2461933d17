"""The verb export: a trained run as files that others use without acmnet."""

import json
from collections.abc import Mapping
from pathlib import Path

from acmnet.cli.options.shared_options import OutputFolder
from acmnet.cli.terminal.app import UsageError, app, console
from acmnet.files.file_access import refuse_unwritable
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.messages import counted
from acmnet.model_exchange.model_card import ModelCardError
from acmnet.model_exchange.model_export import Exported, export_onnx, export_torch
from acmnet.model_exchange.pretrained import save_pretrained


@app.command(name="export")
def export_command(
    run: Path,
    /,
    *,
    onnx: Path | None = None,
    torch_export: Path | None = None,
    pretrained: OutputFolder | None = None,
    licence: str | None = None,
    figures: Path | None = None,
) -> None:
    """Write a run for other programs: ONNX, torch.export, or a model directory.

    Each holds all networks of the run, and the names of the classes, the grid of the
    snippets, and thresholds. None names a video or a path. What an ONNX file or a
    program of torch.export computes is compared with the run's networks first: if it
    differs by more than 0.00001, nothing is written.

    For example: acmnet export runs/mine --onnx mine.onnx

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    onnx
        ONNX file to write, for any number of videos and snippets. `acmnet localize
        --run` takes it in place of the run. Needs the extra acmnet[onnx].
    torch_export
        File to write for torch.export.load; its name ends with .pt2.
    pretrained
        Directory to write in the layout of Hugging Face: config.json,
        model.safetensors, and a model card in README.md. It is a run as well.
    licence
        Only with --pretrained: the licence that you give the weights, such as
        cc-by-4.0.
    figures
        Only with --pretrained: the JSON that `acmnet evaluate --json` wrote, whose
        figures go into the model card.
    """
    if onnx is None and torch_export is None and pretrained is None:
        raise UsageError(
            f"say what to write, such as acmnet export {run} --onnx {run.name}.onnx"
        )
    if pretrained is None and (licence is not None or figures is not None):
        raise UsageError("--licence and --figures need --pretrained DIRECTORY")
    measured = None if figures is None else _figures(figures)
    refuse_unwritable(onnx, torch_export)
    if onnx is not None:
        _tell(export_onnx(run, onnx))
    if torch_export is not None:
        _tell(export_torch(run, torch_export))
    if pretrained is not None:
        path = save_pretrained(run, pretrained, licence=licence, figures=measured)
        console.print(f"{path}: model directory with a model card", markup=False)


def _tell(done: Exported) -> None:
    """Print what was written."""
    students = f" and {counted(done.students, 'student')}" if done.students else ""
    console.print(
        f"{done.path}: {counted(done.networks, 'network')}{students}; outputs differ "
        f"from the run's by at most {done.difference:.0e}",
        markup=False,
    )


def _figures(path: Path) -> Mapping[str, object]:
    """Return the values of a file of figures."""
    kind = "file of figures"
    text = read_text(path, kind, ModelCardError, "acmnet evaluate --json writes it")
    values = parse_json(str(path), text, kind, ModelCardError)
    if not isinstance(values, dict):
        raise ModelCardError(
            f"{path} must be what acmnet evaluate --json writes, got "
            f"{json.dumps(values)[:60]}; give that file"
        )
    return values
