"""`quantplan rules explain` and `rules diff`: the book asked about real requests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from planner.errors import BadInput

FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
BUILT_IN = "built-in"


@click.command("explain")
@click.argument("request_file", metavar="REQUEST", type=FILE)
@click.option("--rules", "directory", type=DIRECTORY, envvar="QUANTPLAN_RULES", help="House rules over the book.")
@click.option("--rule", "only", help="Explain this one rule: did it speak, and if not, why not?")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def explain(request_file: Path, directory: Path | None, only: str | None, as_json: bool) -> None:
    """Walk through every decision of a REQUEST: which rule spoke, which did not, and the clause that failed.

    REQUEST is a JSON file: a request, or a plan (`quantplan plan ... --out plan.json`).
    """
    from planner.asking import read_requests
    from planner.planning.reviewing import about_rule, verdict
    from rules.book import load_book

    book = load_book(directory)
    found = verdict(read_requests(request_file)[0], book)
    decisions = about_rule(found.decisions, only, book) if only else found.decisions
    if as_json:
        plain = [decision.model_dump(mode="json") for decision in decisions]
        click.echo(json.dumps({"choice": found.choice, "refused": found.refused, "decisions": plain}, indent=2))
        return
    from planner.cli.situations_view import print_verdict
    from planner.cli.terminal import console

    print_verdict(console(), found, decisions)


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--requests", "requests_file", type=FILE, help="The requests to try (the situations that ship).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def diff(old: str, new: str, requests_file: Path | None, as_json: bool) -> None:
    """Which decisions change between two books, for a set of requests.

    OLD and NEW are folders of rules, or the word built-in. REQUESTS is a file of one JSON request a line.
    """
    from planner.asking import read_requests
    from planner.catalog import data_file
    from planner.planning.reviewing import changes
    from rules.book import load_book

    books = [load_book(None if name == BUILT_IN else _directory(name)) for name in (old, new)]
    requests = read_requests(requests_file or data_file("situations.jsonl"))
    found = list(changes(requests, *books))
    if as_json:
        plain = [{**asdict(change), "request": change.request.model_dump(mode="json")} for change in found]
        click.echo(json.dumps({"requests": len(requests), "changed": plain}, indent=2))
        return
    from planner.cli.situations_view import print_changes
    from planner.cli.terminal import console

    print_changes(console(), found, asked=len(requests))


def _directory(name: str) -> Path:
    if not Path(name).is_dir():
        raise BadInput(f"no such folder of rules: {name}", fix=f"name a folder with decision files, or {BUILT_IN}")
    return Path(name)
