"""What the first question would wait for, done beforehand: tables read, templates compiled, an example answered."""

from __future__ import annotations

import logging

from planner.errors import QuantplanError
from planner.request import Request, Workload
from planner.service.answering import Answering
from planner.service.catalogues import CATALOGUES
from planner.service.pages.rendering import environment
from planner.service.sweeping import FitsQuestion, picture, swept

EXAMPLE = Request(model="llama-3.1-8b", hardware="1xL4")
UNDER_LOAD = EXAMPLE.model_copy(update={"workload": Workload(requests_per_s=0.1)})
log = logging.getLogger("quantplan.service")


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


def warm_the_rest(answering: Answering) -> None:
    """What is asked less often, while the first questions are answered: simulation, charts, the executor's runs."""
    from planner.charts import Axis, Chart, draw
    from planner.ports import find_executor

    answering.made(UNDER_LOAD)
    draw([Chart(says="", x=Axis.around("", [1.0, 2.0]), y=Axis.around("", [1.0, 2.0]))])
    try:
        find_executor().runs()
    except QuantplanError as absent:
        log.info("no runs of this host: %s", absent.what)
