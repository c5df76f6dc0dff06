"""The `quantplan` command group. Subcommands are imported when called, so that `--help` stays instant."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import click

CHAPTERS = {
    "Decide": {
        "plan": "Decide how to serve a model on given hardware, and say why.",
        "fits": "Show what fits on given hardware, or what hardware a model fits on.",
        "cost": "Compare what plans cost: per token, per month, against an API.",
        "prices": "List the dated prices the planner knows, and their age.",
        "simulate": "Put a plan's server under a simulated load: waits by percentile.",
        "predict": "Predict a table of server starts, to be checked.",
        "detect": "Show the hardware of this machine.",
    },
    "Decide for a cluster": {
        "cluster": "Show a cluster: declared in YAML, or as Ray or Kubernetes print it.",
        "layouts": "Lay a model over several nodes, and show what the slower link costs.",
        "fleet": "Place models on a cluster: which copies where, at what cost.",
        "scale": "Simulate a day: autoscaling, spot reclaim, failures; cost and tails.",
    },
    "Do it and check it": {
        "demo": "The whole path on this machine with a small real model.",
        "apply": "Carry out a plan: quantize, launch, measure, compare.",
        "render": "Write a plan's server as files: shell, Compose, Kubernetes, Ray Serve ...",
        "runs": "List the runs on this machine; remove old ones.",
        "show": "Show one run: its steps, what it fell back to, findings and report.",
        "evaluate": "Compare a run's model with its original: queries, benchmarks, log-probabilities.",
        "bench": "Put a server or a run's model under load, and find the largest it bears.",
        "ab": "Size an A/B test of a quantized model, and route requests to it.",
    },
    "Keep it running": {
        "deployments": "List the servers that runs left running.",
        "promote": "Put a kept server in service for its model.",
        "rollback": "Serve the full-precision original again.",
        "stop": "Stop a server that a run left running.",
        "artefacts": "Put models into an object store, and fetch them.",
    },
    "Learn": {
        "learned": "Show what runs taught about this machine, or forget it.",
        "ledger": "Share what runs measured with other machines.",
        "rules": "Read and check the rule book.",
    },
    "Offer it to others": {
        "serve": "Answer over HTTP: plans, fits, costs, runs, and pages.",
        "tokens": "Let callers into the service, and shut them out.",
        "mcp": "Offer the planner to assistants as tools (MCP), over stdio or HTTP.",
    },
}
SUBCOMMANDS = {name: says for chapter in CHAPTERS.values() for name, says in chapter.items()}
NAME_WIDTH = max(map(len, SUBCOMMANDS))

BAD_INPUT = 2
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
COLLECT_EVERY = 50_000  # start-up makes many objects that live on; collecting among them only costs time

EXIT_CODES = """\b
Exit codes:
  0  done
  2  bad input (the message names the thing, the place and the fix)
  3  no feasible plan on this hardware
  4  a step of a run failed (run `quantplan apply` again to resume)
  5  no executor is installed"""


class LazyGroup(click.Group):
    """Knows its subcommands by name and one-line help; imports `planner.cli.<name>_command` only to run one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"planner.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in CHAPTERS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(NAME_WIDTH), says) for name, says in commands.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in SUBCOMMANDS and not args[0].startswith("-"):
            from planner.errors import BadInput, nearest

            fix = "`quantplan --help` lists the commands"
            raise BadInput(f"there is no command {args[0]!r}", nearest=nearest(args[0], SUBCOMMANDS), fix=fix)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, epilog=EXIT_CODES, context_settings=HELP)
@click.version_option(package_name="quantplan")
def cli() -> None:
    """Decide how to serve a language model on the GPUs you have, do it, and check that it was right."""


def main() -> None:
    """Entry point: problems become a message on stderr (a JSON object with --json) and their exit code."""
    import gc

    gc.set_threshold(COLLECT_EVERY)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or pydantic searches every installed package
    from planner.errors import QuantplanError, refused_by_the_system
    from rules.errors import RuleError

    try:
        cli.main(standalone_mode=True)
    except QuantplanError as error:
        sys.exit(_report(error.what, error, error.exit_code))
    except RuleError as error:
        sys.exit(_report(error.message, error, BAD_INPUT))
    except OSError as error:
        if (refused := refused_by_the_system(error)) is None:
            raise
        sys.exit(_report(refused.what, refused, refused.exit_code))


def _report(what: str, error: Any, exit_code: int) -> int:
    """Say what is wrong, the way that was asked for."""
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": what, "where": error.where, "nearest": [*error.nearest], "fix": error.fix}))
    else:
        click.echo(click.style("Error: ", fg="red", bold=True) + str(error), err=True)
    return exit_code


if __name__ == "__main__":
    main()
