"""`quantplan predict quantizing`: the memory, disk and time that making a checkpoint takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import click

from rules.vocabulary import FormatId

if TYPE_CHECKING:
    from planner.plan import QuantizingNeeds


@click.command("quantizing", short_help="What quantizing a model takes: memory, disk, time.")
@click.argument("model")
@click.option("--format", "format_", required=True, type=click.Choice(get_args(FormatId)), help="The format to make.")
@click.option("--tool", help="The tool that makes it (the format's usual one).")
@click.option("--on", "hardware", default="here", show_default=True, help="1xA100-80GB, cpu:64GB:16cores, here ...")
@click.option("--samples", type=click.IntRange(1), help="Samples to calibrate with (256).")
@click.option("--sample-tokens", type=click.IntRange(1), help="Tokens of each (2048).")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON for programs.")
def quantizing(
    model: str,
    format_: str,
    tool: str | None,
    hardware: str,
    samples: int | None,
    sample_tokens: int | None,
    as_json: bool,
) -> None:
    """What quantizing MODEL itself takes: host memory, GPU memory, what is written, and rough minutes, by tool.

    A figure is the sum of what the tool holds; its upper bound adds mapped files and what PyTorch keeps in reserve.
    """
    needs, warnings = _ask(model, format_, tool, hardware, samples, sample_tokens)
    if as_json:
        click.echo(json.dumps({**needs.model_dump(mode="json"), "warnings": warnings}, indent=2))
        return
    from planner.cli.quantizing_view import needs_lines

    for line in (*needs_lines(needs), *(f"! {warning}" for warning in warnings)):
        click.echo(line)


def _ask(
    model: str, format_: str, tool: str | None, hardware: str, samples: int | None, tokens: int | None
) -> tuple[QuantizingNeeds, list[str]]:
    from planner.catalog import load_yaml
    from planner.errors import BadInput
    from planner.hardware.resolving import resolve_hardware
    from planner.models.resolving import resolve_model
    from planner.quantizing.needing import needs_of
    from planner.quantizing.planned import shortages
    from planner.quantizing.quantities import Calibration
    from planner.schemes import scheme

    shape, where, target = resolve_model(model).shape, resolve_hardware(hardware), scheme(format_)
    if target.tool is None:
        raise BadInput(
            f"{format_} needs no quantizing", fix="choose a quantized format, such as awq-int4 or gguf-q4_k_m"
        )
    usual = load_yaml("checks.yaml")["calibration"]
    text = Calibration(samples or usual["samples"], tokens or min(usual["max_tokens"], shape.max_context_tokens))
    needs = needs_of(shape, target, tool or target.tool, where, calibration=text if target.needs_calibration else None)
    return needs, list(shortages(needs, where))
