"""`quantplan cost`: what plans cost, on the terminal, and as a page, a spreadsheet, a table or a PDF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.prices.line import KINDS

if TYPE_CHECKING:
    from planner.costs.comparison import Comparison
    from planner.costs.pricing import Owning

OWNING = ("years", "watts", "usd_per_kwh", "pue", "hosting_usd_per_month", "residual_usd")
TERMS = ("utilisation", "requests_per_s", "tokens_per_day", "cached_share", "api_price", "max_accelerators")


@click.command(name="cost", short_help="Compare what plans cost: per token, per month, against an API.")
@click.argument("plans", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "runs", multiple=True, metavar="RUN_ID", help="Use what this run measured; its plan joins in.")
@click.option("--requests-per-s", type=float, help="The load: requests a second.")
@click.option("--tokens-per-day", type=float, help="The load: tokens a day, in and out together.")
@click.option("--utilisation", type=float, help="Plan no copy busier than this share of its time (1).")
@click.option("--cached-share", type=float, help="Share of prompt tokens found in the prefix cache (0).")
@click.option("--api-price", metavar="IN,OUT[,CACHED]", help="USD per 1M tokens of an API, to compare with.")
@click.option("--max-accelerators", type=int, help="Refuse a load that takes more than these.")
@click.option("--provider", help="Price hours at this provider.")
@click.option("--kind", type=click.Choice(KINDS), help="Price hours of this kind.")
@click.option("--usd-per-hour", type=float, help="Price of one accelerator (or CPU host) for an hour.")
@click.option("--prices", type=click.Path(), help="A price file of your own (see `quantplan prices`), or skypilot.")
@click.option(
    "--purchase-usd", multiple=True, metavar="[GPU=]USD", help="Own it: price of one accelerator with its host."
)
@click.option("--years", type=float, help="Owned: written off over so many years.")
@click.option("--watts", type=float, help="Owned: draw of one accelerator while serving (as predicted; else TDP).")
@click.option("--usd-per-kwh", type=float, help="Owned: price of electricity.")
@click.option("--pue", type=float, help="Owned: power of the site for each watt of the machines.")
@click.option("--hosting-usd-per-month", type=float, help="Owned: rack, network and staff for one accelerator (0).")
@click.option("--residual-usd", type=float, help="Owned: what it is sold for at the end (0).")
@click.option("--out", "outs", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
              help="Write a report: .html, .pdf, .xlsx, .csv or .md; may be given several times.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    plans: tuple[Path, ...], runs: tuple[str, ...], outs: tuple[Path, ...], as_json: bool, **options: Any
) -> None:
    """Compare what plans cost: per million tokens, per month at a load, against an API and against each other.

    PLANS are files of `quantplan plan --out`. Amounts are in US dollars.
    """
    from planner.costs.report.writing import check_outputs, write_report

    check_outputs(outs)
    comparison = _compare(plans, runs, options)
    for out in outs:
        write_report(comparison, out)
    if as_json:
        from planner.costs.report.plain import as_json as plain

        click.echo(json.dumps(plain(comparison), indent=2))
        return
    from planner.cli.cost_view import print_comparison
    from planner.cli.terminal import console

    print_comparison(comparison, console())
    for out in outs:
        click.echo(f"\nWritten to {out}")


def _compare(plans: tuple[Path, ...], runs: tuple[str, ...], options: dict[str, Any]) -> Comparison:
    from planner.costs.comparison import compare
    from planner.costs.pricing import Pricing
    from planner.costs.terms import terms_from
    from planner.plan import load_plan
    from planner.ports import find_executor
    from planner.prices.table import own_price_file
    from planner.request import Workload

    loaded = [load_plan(path) for path in plans]
    records = [find_executor().show(run) for run in runs]
    first = next((plan.request for plan in [*loaded, *(record.plan for record in records)]), None)
    given = {name: options[name] for name in TERMS if options[name] is not None}
    if first:
        given.setdefault("utilisation", first.price.utilisation)
    pricing = Pricing(
        provider=options["provider"],
        kind=options["kind"],
        usd_per_hour=options["usd_per_hour"],
        file=options["prices"],
        usual_file=own_price_file(None),
        owning=_owning(options),
    )
    return compare(loaded, records, pricing, terms_from(first.workload if first else Workload(), **given))


def _owning(options: dict[str, Any]) -> Owning | None:
    """What was said of buying; None when nothing was."""
    from planner.costs.pricing import Owning, purchase_prices
    from planner.errors import BadInput

    given = {name: options[name] for name in OWNING if options[name] is not None}
    if not options["purchase_usd"]:
        if given:
            option = "--" + next(iter(given)).replace("_", "-")
            raise BadInput(f"{option} is about owning, and no purchase price is given", fix="add --purchase-usd USD")
        return None
    rented = [name for name in ("provider", "kind", "usd_per_hour") if options[name] is not None]
    if rented:
        option = "--" + rented[0].replace("_", "-")
        raise BadInput(f"{option} is about renting and --purchase-usd about owning", fix="leave out one of them")
    return Owning(purchase_prices(options["purchase_usd"]), **given)
