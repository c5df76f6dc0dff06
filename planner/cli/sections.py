"""A command whose many options are listed in sections, each with a title of its own."""

from __future__ import annotations

from typing import Any

import click


class Sectioned(click.Command):
    """`titles`: by the Python name of the option at which a section begins, the section's title."""

    def __init__(self, *args: Any, titles: dict[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.titles = titles

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        title = "Options"
        for option in (each for each in self.get_params(ctx) if isinstance(each, click.Option)):
            title = self.titles.get(option.name or "", title)
            if record := option.get_help_record(ctx):
                sections.setdefault(title, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)
