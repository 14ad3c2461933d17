"""The verb ablate: ablation tables, of the paper and our own, on your own data."""

from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.cli.options.dotted_settings import TRAINING_EPILOGUE
from acmnet.cli.options.fold_options import AtATime, Folding, FoldOptions, WorkerOptions
from acmnet.cli.options.shared_options import (
    Device,
    JsonPath,
    OutputFolder,
    Seeds,
    fail_for_missing,
)
from acmnet.cli.options.training_options import Training
from acmnet.cli.terminal.app import app, console, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.cli.terminal.terminal_tables import plain_table
from acmnet.files.file_access import refuse_unwritable, write_json, write_text
from acmnet.show.figures.score_figures import write_choice_figure
from acmnet.validation.ablation import AblationRequest, ablate
from acmnet.validation.ablation_studies import study, study_names

TABLES: Final = "The name of the table. " + "; ".join(
    f"{name}: {study(name).title}" for name in study_names()
)
"""The tables, each with its title, for the help."""


@app.command(name="ablate", help_epilogue=TRAINING_EPILOGUE)
def ablate_command(
    table: Annotated[str, Parameter(help=TABLES)],
    *,
    training: Training,
    out: OutputFolder,
    folding: Folding = FoldOptions(),
    seeds: Seeds = (0, 1, 2),
    at_a_time: AtATime = WorkerOptions(),
    json_path: JsonPath = None,
    device: Device = "auto",
) -> None:
    """Repeat an ablation table of the paper, or one of our own, on your own data.

    Each row of the table is the recipe with something changed or left out. Every row
    is cross-validated with the same folds and seeds, and compared with the whole
    recipe: standard deviations over the seeds, and a test of the difference. The
    numbers that the paper gives for its own data stand beside yours. The same command
    again goes on where it stopped; trainings that several tables need are done once.

    For example: acmnet ablate V --annotations labels.json --features features/
    --out ablation/

    Parameters
    ----------
    out
        Directory for all trainings. The table goes there as TABLE.md, TABLE.tex and
        TABLE.json, with a figure TABLE_choice of the row that one would choose without
        true segments.
    seeds
        Seeds to train every fold with, as in --seeds 0 --seeds 1.
    json_path
        Also write the scores to this JSON file, as fractions of 1.
    """
    named = study(table)
    refuse_unwritable(out / f"{table}.json", json_path)
    base = training.request(out, device)
    deal = folding.deal_with_note(base.data)
    request = AblationRequest(
        study=named,
        base=base,
        overrides=training.given.by_name(),
        folds=deal.folds,
        groups=deal.groups,
        seeds=seeds,
        workers=at_a_time.requested(),
    )
    with Waiting(errors, f"table {table}", "trainings", silent=quiet()) as bar:
        result = ablate(request, bar.update, note)
    values, rows = result.to_json(), result.table()
    for suffix, text in ((".md", rows.to_markdown()), (".tex", rows.to_latex())):
        write_text(out / f"{table}{suffix}", text)
    write_json(out / f"{table}.json", values)
    write_choice_figure(result, out / f"{table}_choice")
    if json_path is not None:
        write_json(json_path, values)
    console.print(plain_table(f"{table}: {result.study.title}", result.short_table()))
    for choice in result.choices():
        console.print(
            f"chosen by {choice.criterion}, which needs no true segment: "
            f"{choice.chosen}, mAP {100 * choice.average:.1f} (the best row has "
            f"{100 * choice.best:.1f}; rank correlation of the criterion with mAP "
            f"{choice.correlation:.2f})",
            markup=False,
        )
    console.print(f"mAP in %; the whole table: {out / table}.md, .tex, .json")
    fail_for_missing(request.base.data)
