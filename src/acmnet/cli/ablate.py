"""The verb ablate: the paper's tables, and ours, on your own data."""

from pathlib import Path

from acmnet.cli.app import app, console, errors, quiet
from acmnet.cli.data_options import JsonPath, fail_for_missing
from acmnet.cli.progress import Waiting
from acmnet.cli.terminal_tables import plain_table
from acmnet.cli.training_options import FOLDS, Training
from acmnet.files import refuse_unwritable, write_json, written_whole
from acmnet.pipeline.ablation import AblationRequest, ablate
from acmnet.pipeline.studies import study
from acmnet.show.figures.ablation_figures import write_choice_figure


@app.command(name="ablate")
def ablate_command(
    table: str,
    *,
    given: Training,
    out: Path,
    folds: int = FOLDS,
    seeds: tuple[int, ...] = (0, 1, 2),
    workers: int = 1,
    json_path: JsonPath = None,
    device: str = "auto",
) -> None:
    """Repeat one of the paper's ablation tables on your data, with spread and a test.

    Every row is cross-validated on the same folds and seeds and compared with the full
    model; the paper's own figures, of the paper's data, stand beside it. A call that
    was cut short goes on where it stopped, and tables share their trainings.

    Parameters
    ----------
    table
        III and IV (which branches), V (which added losses), VI (snippets a video),
        profiles, ideas (beyond the paper), or streams (two streams of features side
        by side, or gating each other).
    out
        Directory for all trainings; TABLE.md, TABLE.tex, TABLE.json and a figure of
        what would be chosen without true segments go there too.
    folds
        Parts that the videos are dealt into, the same for every row.
    seeds
        One training a fold for each: --seeds 0 --seeds 1.
    workers
        Trainings at the same time; they share the cores, and take GPUs in turn.
    json_path
        Also write the scores here, as fractions of 1.
    """
    refuse_unwritable(out / f"{table}.json", json_path)
    request = AblationRequest(
        study=study(table),
        base=given.request(out, device),
        overrides=given.given.by_name(),
        folds=folds,
        seeds=seeds,
        workers=workers,
    )
    with Waiting(errors, f"table {table}", "trainings", silent=quiet()) as bar:
        result = ablate(request, bar.update)
    values, rows = result.to_json(), result.table()
    for suffix, text in ((".md", rows.to_markdown()), (".tex", rows.to_latex())):
        with written_whole(out / f"{table}{suffix}") as part:
            part.write_text(text, encoding="utf-8")
    write_json(out / f"{table}.json", values)
    write_choice_figure(result, out / f"{table}_choice")
    if json_path is not None:
        write_json(json_path, values)
    console.print(plain_table(f"{table}: {result.study.title}", result.short_table()))
    for choice in result.choices():
        console.print(
            f"chosen by {choice.criterion}, without a true segment: {choice.chosen}, "
            f"{100 * choice.average:.1f} (the best has {100 * choice.best:.1f}; rank "
            f"correlation over the rows {choice.correlation:.2f})",
            markup=False,
        )
    console.print(f"mAP in %; the whole table: {out / table}.md, .tex, .json")
    fail_for_missing(request.base.data)
