"""What the first question would wait for, done beforehand: tables read, templates compiled, an example answered."""

from __future__ import annotations

from planner.request import Request
from planner.service.answering import Answering
from planner.service.catalogues import CATALOGUES
from planner.service.pages.rendering import environment
from planner.service.sweeping import FitsQuestion, picture, swept

EXAMPLE = Request(model="llama-3.1-8b", hardware="1xL4")


def warm(answering: Answering) -> None:
    """Answer an example of each kind and forget the answers; none is kept in the database."""
    answering.made(EXAMPLE)
    for question in (FitsQuestion(on=EXAMPLE.hardware, limit=1), FitsQuestion(model=EXAMPLE.model, limit=1)):
        swept(question)
        picture(question)
    for lines in CATALOGUES.values():
        lines()
    for name in environment().list_templates(extensions=["j2"]):
        if name.startswith("pages/"):
            environment().get_template(name)
