"""`quantplan mcp`: the planner as tools for assistants."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("mcp", short_help="Offer the planner to assistants as tools (MCP), over stdio or HTTP.")
@click.option("--http", is_flag=True, help="Listen on HTTP instead of stdio (loopback only).")
@click.option("--port", type=click.IntRange(0, 65535), default=8643, show_default=True, help="Port for --http.")
@click.option("--rules", type=FOLDER, envvar="QUANTPLAN_RULES", help="House rules over the built-in book.")
@click.option("--model-root", "model_roots", type=FOLDER, multiple=True, help="Models may be read below this folder.")
def command(http: bool, port: int, rules: Path | None, model_roots: tuple[Path, ...]) -> None:
    """Answer assistants' questions: plan, what_fits, explain. Nothing is executed.

    For a client's configuration: {"command": "quantplan", "args": ["mcp"]}.
    """
    from planner.cli.serve_command import settings_from

    settings = settings_from({"rules": rules, "model_roots": model_roots})
    from planner.service.tools import create_tools

    server = create_tools(settings)
    if http:
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")
