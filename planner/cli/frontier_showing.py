"""`quantplan plan --frontier`: sweep, show, and write the picture and the table that were asked for."""

from __future__ import annotations

import json
from pathlib import Path

import click

from planner.errors import BadInput
from planner.request import Request
from rules.book import Book


def check_options(hardware: str, frontier: bool, out: Path | None, plot: Path | None, csv_path: Path | None) -> None:
    """BadInput for options that only make sense with, or without, a frontier."""
    if frontier and out:
        raise BadInput(
            "--out writes a plan, and a frontier is many",
            fix="choose one of its points and plan it: leave out --frontier",
        )
    if not frontier and (plot or csv_path):
        raise BadInput(f"{'--plot' if plot else '--csv'} shows a frontier", fix="add --frontier, or leave it out")
    if not frontier and ("," in hardware or hardware == "any"):
        raise BadInput(
            f"--on {hardware[:60]}: a plan is for one kind of hardware",
            fix="name one, or add --frontier to compare several",
        )


def show_frontier(request: Request, book: Book, *, as_json: bool, plot: Path | None, csv_path: Path | None) -> None:
    """Print the Pareto set, and write what was asked for."""
    from planner.frontier.frontier import make_frontier

    found = make_frontier(request, request.hardware.split(","), book=book)
    if csv_path:
        from planner.frontier.writing import as_csv
        from planner.writing import write_aside

        write_aside(csv_path, as_csv(found))
    if plot:
        from planner.frontier.picture import picture

        picture(found).write(plot)
    if as_json:
        from planner.frontier.writing import as_json as plain

        click.echo(json.dumps(plain(found), indent=2))
        return
    from planner.cli.frontier_view import print_frontier
    from planner.cli.terminal import console

    print_frontier(found, console())
    for path in filter(None, (csv_path, plot)):
        click.echo(f"Written to {path}")
