"""`quantplan fits`: what fits on this hardware, and what hardware this model fits on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from planner.errors import BadInput
from rules.vocabulary import EngineId, FormatId

if TYPE_CHECKING:
    from planner.fits.on_hardware import Answer
    from planner.fits.question import Question
    from planner.models.model import Model

HOW = "quantplan fits --on 1xA100-80GB, quantplan fits llama-3.1-70b, or both a model and --on"


@click.command(name="fits", short_help="Show what fits on given hardware, or what hardware a model fits on.")
@click.argument("model", required=False)
@click.option("--on", "hardware", help="1xA100-80GB, 2xL40S, cpu:64GB, here, or a YAML file.")
@click.option("--host-memory-gib", type=float, help="With --on: memory of the host the GPUs sit in.")
@click.option("--users", type=int, help="Requests in flight at once that it must hold (8).")
@click.option("--context-tokens", type=int, help="Tokens of such a request (8192, or the model's own maximum).")
@click.option("--min-context", type=int, help="The longest single request must reach this many tokens.")
@click.option("--task", help="Models made for this: chat, code, embedding, vision.")
@click.option("--family", help="Models of this family: a model_type (qwen3_moe), or how names begin (qwen3).")
@click.option("--engine", type=click.Choice(get_args(EngineId)), help="This engine only.")
@click.option("--format", "format_", type=click.Choice(get_args(FormatId)), help="This weight format only.")
@click.option("--limit", type=int, help="Show this many rows at most.")
@click.option("--all", "everything", is_flag=True, help="Every combination, also those that do not fit.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows here as CSV.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a heat map here, as SVG.")
@click.option("--colour-by", type=click.Choice(["users", "context"]), default="users", help="What the heat map shows.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(
    model: str | None,
    hardware: str | None,
    everything: bool,
    csv_path: Path | None,
    plot: Path | None,
    colour_by: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what fits on --on HARDWARE, or what hardware MODEL fits on, or with both, how MODEL fits there.

    For each model the best is shown: the format that loses least and still holds the users with their context.
    """
    from planner.asking import hardware_text

    hardware = hardware_text(hardware, options) if hardware else None
    answer = _ask(model, hardware, _question(options), everything, plot, colour_by)
    if csv_path:
        from planner.fits.writing import as_csv
        from planner.writing import write_aside

        write_aside(csv_path, as_csv(answer.fits))
    if as_json:
        from planner.fits.writing import as_json as plain

        click.echo(json.dumps(plain(answer), indent=2))
        return
    from planner.cli.fits_view import print_answer
    from planner.cli.terminal import console

    print_answer(answer, console(), by_accelerator=hardware is None)
    for path in filter(None, (csv_path, plot)):
        click.echo(f"Written to {path}")


def _question(options: dict[str, Any]) -> Question:
    from planner.fits.question import Question

    asked = {name: value for name, value in options.items() if value is not None and name != "host_memory_gib"}
    given = {name.removesuffix("_"): value for name, value in asked.items()}
    return Question(**given).checked()


def _ask(
    model: str | None, hardware: str | None, question: Question, everything: bool, plot: Path | None, colour_by: str
) -> Answer:
    """Sweep in the direction that was asked for, and draw the picture where one is wanted."""
    if model is None and hardware is None:
        raise BadInput("neither a model nor hardware is named", fix=HOW)
    models = _models(model)
    if hardware is None:
        from planner.fits.over_accelerators import everywhere

        swept = everywhere(models[0], question)
        if plot:
            from planner.fits.heat_map import accelerator_map

            accelerator_map(swept, colour_by).write(plot)
        return swept.answer(everything=everything)
    from planner.fits.on_hardware import all_fits, best_fits, outcome_on
    from planner.hardware.resolving import resolve_hardware

    place = resolve_hardware(hardware)
    if plot is None and model is None and not everything:
        return best_fits(place, models, question)
    outcome = outcome_on(place, models, question)
    if plot:
        from planner.fits.heat_map import model_map

        model_map(outcome, colour_by).write(plot)
    return all_fits(outcome) if everything or model else best_fits(place, models, question)


def _models(name: str | None) -> tuple[Model, ...]:
    """The model of that name, or the whole catalogue."""
    if name:
        from planner.models.resolving import resolve_model

        return (resolve_model(name),)
    from planner.models.catalogue import entries, model_of

    return tuple(model_of(entry) for entry in entries())
