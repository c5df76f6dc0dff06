"""`quantplan rules`: read the rule book, and check it after a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.rules_situations import diff, explain

if TYPE_CHECKING:
    from rules.book import Book
    from rules.checking import Check
    from rules.rule import Chapter

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("rules", short_help="Read and check the rule book.")
def command() -> None:
    """The rules that decide: YAML files an author can change without touching Python."""


@command.command("check")
@click.option("--rules", "directory", type=DIRECTORY, help="Check these house rules instead of the built-in book.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def check(context: click.Context, directory: Path | None, as_json: bool) -> None:
    """Read every rule, ask every example, and nudge every threshold. Exit code 2 when something is wrong."""
    from rules.book import BUILT_IN
    from rules.checking import check_book

    outcome = check_book(directory or BUILT_IN)
    if as_json:
        click.echo(json.dumps(_check_as_json(outcome), indent=2))
    else:
        from planner.cli.rules_view import print_check
        from planner.cli.terminal import console

        print_check(console(), outcome)
    context.exit(0 if outcome.passed else 2)


@command.command("show")
@click.argument("decision", required=False)
@click.option("--rules", "directory", type=DIRECTORY, help="Show the book with these house rules.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def show(decision: str | None, directory: Path | None, as_json: bool) -> None:
    """Print the book, or one DECISION of it: each rule with its reason and its source."""
    from rules.book import load_book

    book = load_book(directory)
    chapters = [book.chapter(decision)] if decision else list(book.chapters.values())
    if as_json:
        click.echo(json.dumps(_book_as_json(book, [chapter.decision for chapter in chapters]), indent=2))
        return
    from planner.cli.rules_view import print_chapter, print_works
    from planner.cli.terminal import console

    for chapter in chapters:
        print_chapter(console(), chapter, book.sources)
    print_works(console(), (book.sources[source] for source in _cited(chapters)))


@command.command("test")
@click.argument("names", nargs=-1, metavar="[RULE|DECISION]...")
@click.option("--rules", "directory", type=DIRECTORY, help="House rules over the built-in book.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def test(context: click.Context, names: tuple[str, ...], directory: Path | None, as_json: bool) -> None:
    """Ask the examples of every rule, or of those named, and show what the book answers. Exit code 2 on a failure."""
    from rules.book import load_book
    from rules.testing import asked_examples

    asked = list(asked_examples(load_book(directory), names))
    if as_json:
        click.echo(json.dumps([example.as_plain() for example in asked], indent=2))
    else:
        from planner.cli.rules_view import print_examples
        from planner.cli.terminal import console

        print_examples(console(), asked)
    context.exit(0 if all(example.passed for example in asked) else 2)


command.add_command(explain)
command.add_command(diff)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a decision file, for editors that complete and check YAML."""
    from rules.json_schema import decision_schema

    click.echo(json.dumps(decision_schema(), indent=2))


def _check_as_json(outcome: Check) -> dict[str, Any]:
    findings = [{"kind": finding.kind, **finding.error.as_plain()} for finding in outcome.findings]
    counts = {"decisions": outcome.decisions, "rules": outcome.rules, "examples": outcome.examples}
    return {"passed": outcome.passed, **counts, "findings": findings}


def _book_as_json(book: Book, decisions: list[str]) -> dict[str, Any]:
    shown = [book.chapters[name] for name in decisions]
    return {
        "decisions": [chapter.as_plain() for chapter in shown],
        "sources": {source: book.sources[source].as_plain() for source in _cited(shown)},
    }


def _cited(chapters: list[Chapter]) -> list[str]:
    """Every source id the rules of these decisions cite, once."""
    return list(dict.fromkeys(source for chapter in chapters for rule in chapter.rules for source in rule.sources))
