"""`quantplan prices`: the dated price lines the planner knows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from planner.prices.line import KINDS

if TYPE_CHECKING:
    from planner.prices.line import PriceLine

COLUMNS = ("name", "provider", "price_type", "usd_per_hour", "term_months", "vcpus", "memory_gib", "default", "as_of",
           "source", "note")  # fmt: skip


@click.command(name="prices", short_help="List the dated prices the planner knows, and their age.")
@click.option("--gpu", help="Prices of this accelerator, or of all whose name contains this.")
@click.option("--provider", help="Prices of this provider.")
@click.option("--kind", type=click.Choice(KINDS), help="Prices of this kind.")
@click.option(
    "--prices", type=click.Path(), help="A price file of your own, listed first; or skypilot[:FOLDER][@REGION]."
)
@click.option("--region", help="With --prices skypilot: offers of this region only, or of all like 'eu-*'.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print them as CSV: a price file to start from.")
def command(prices: str | None, region: str | None, as_json: bool, as_csv: bool, **wanted: Any) -> None:
    """List the prices of an hour of one accelerator (or CPU host), in USD, each with its source, date and age.

    A price file of your own (--prices FILE, or the environment variable QUANTPLAN_PRICES) has the same columns, and its
    lines come before these wherever a price is looked up.

    `--prices skypilot` reads SkyPilot's catalogue of clouds as it lies on this machine (nothing is fetched), here and
    in every command that takes --prices: for each accelerator and cloud the cheapest region, dated by SkyPilot's
    files. `skypilot:FOLDER` reads it elsewhere, `skypilot@eu-north1` (or `@eu-*`) in one region. What it offers and no
    line was made of is listed by name.
    """
    from planner.prices.listing import listed
    from planner.prices.table import own_price_file, price_table

    table = price_table(_in_region(own_price_file(prices), region))
    found = listed(table, **wanted)
    if as_csv:
        click.echo(_csv(found), nl=False)
    elif as_json:
        click.echo(json.dumps([_plain(line, date.today()) for line in found], indent=2))
    else:
        from planner.cli.prices_view import print_left_out, print_prices
        from planner.cli.terminal import console

        print_prices(found, table, console(), date.today())
        if not any(wanted.values()):
            print_left_out(table.left_out, console())


def _in_region(file: str | None, region: str | None) -> str | None:
    from planner.errors import BadInput
    from planner.prices.skypilot import WORD, asked_of

    if region is None:
        return file
    asked = asked_of(file) if file else None
    if asked is None:
        raise BadInput("only SkyPilot's prices are by region", fix=f"--prices {WORD} --region {region}")
    return f"{WORD}:{asked.folder}@{region}"


def _plain(line: PriceLine, today: date) -> dict[str, object]:
    from planner.prices.ages import age_days, stale_after_days

    least, most = age_days(line.as_of, today)
    age = {"age_days": [least, most], "may_be_stale": most > stale_after_days()}
    return {**asdict(line), "currency": "USD", **age}


def _csv(lines: tuple[PriceLine, ...]) -> str:
    from planner.writing import csv_cell

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        row = {**asdict(line), "default": "yes" if line.is_default else ""}
        writer.writerow([csv_cell(row[column]) for column in COLUMNS])
    return text.getvalue()
