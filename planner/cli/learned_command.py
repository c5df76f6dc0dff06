"""`quantplan learned`: what runs taught about this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from planner.learned.lessons import Lesson

NOTHING = "Nothing learnt yet. A quiet run of a plan for this machine (`--on here`) teaches: quantplan demo"


@click.command(name="learned", short_help="Show what runs taught about this machine, or forget it.")
@click.option("--forget", is_flag=True, help="Forget everything; plans go by the catalogue's constants again.")
@click.option("--json", "as_json", is_flag=True, help="Print the lessons as JSON.")
def command(forget: bool, as_json: bool) -> None:
    """Show what runs measured on this machine, which corrects later plans for it.

    The environment variable QUANTPLAN_LEARNED=off makes plans leave it aside without forgetting it.
    """
    from planner.learned.lessons import forget_lessons, is_on, lessons_path, read_lessons

    path = lessons_path()
    if forget:
        forget_lessons(path)
        click.echo("Forgotten.")
        return
    lessons = read_lessons(path)
    if as_json:
        click.echo(json.dumps([lesson.model_dump(mode="json") for lesson in lessons], indent=2))
        return
    if not lessons:
        click.echo(NOTHING)
        return
    _print(lessons)
    if not is_on():
        click.echo("Left aside: QUANTPLAN_LEARNED turns it off.")


def _print(lessons: tuple[Lesson, ...]) -> None:
    from rich import box
    from rich.table import Table

    from planner.cli.terminal import console
    from planner.figures import NAMES, figure

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("machine and engine", "model and load", "figure"):
        table.add_column(heading, overflow="fold")
    for heading in ("predicted", "measured", "factor"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("run", no_wrap=True)
    for lesson in lessons:
        place = f"{lesson.machine}: {lesson.engine} {lesson.engine_version}, {lesson.kernel}"
        numbers = (figure(lesson.predicted), figure(lesson.measured), f"{lesson.measured / lesson.predicted:.2f}")
        run = f"{lesson.run_id} of {lesson.executor[:8]}" if lesson.executor else lesson.run_id
        table.add_row(place, lesson.configuration, NAMES.get(lesson.figure, lesson.figure), *numbers, run)
    console().print(table)
