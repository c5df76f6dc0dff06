"""What the planner believes: models, GPUs and prices, each with source and date. Answers carry an ETag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from planner.service.access import Reader
from planner.service.api.paging import Limit, Offset, Page, not_changed, page
from planner.service.catalogues import CATALOGUES, Line, matching, model_lines
from planner.service.problems import Problem, not_found

router = APIRouter(tags=["catalogue"])
Wanted = Annotated[str, Query(max_length=100, description="part of a name")]
Name = Annotated[str, Path(max_length=100)]
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The catalogue is as the client has it."}}


@router.get("/models/{name}", responses={404: {"model": Problem}})
def model(asks: Reader, name: Name) -> Line:
    """One model of the catalogue."""
    found = next((line for line in model_lines() if line["name"] == name.lower()), None)
    if found is None:
        raise not_found(f"no model {name} in the catalogue", fix="GET /v1/models?q=... searches it")
    return found


def listing(lines: Callable[[], list[Line]]) -> Callable[..., Any]:
    """The address of one catalogue: searched by name, in pages, and not sent again while it has not changed."""

    def answer(
        request: Request, response: Response, asks: Reader, q: Wanted = "", limit: Limit = 100, offset: Offset = 0
    ) -> Any:
        if not_changed(request, response):
            return Response(status_code=304, headers=dict(response.headers))
        return page(request, matching(lines(), q), limit, offset)

    return answer


SAYS = {
    "models": "The models that are known by name.",
    "gpus": "The accelerators that are known, with the figures the planner uses.",
    "prices": "Dated prices of an hour, each with its provider and source. USD.",
}
for noun, catalogue in CATALOGUES.items():
    router.add_api_route(
        f"/{noun}",
        listing(catalogue),
        name=noun,
        description=SAYS[noun],
        response_model=Page[Line],
        responses=UNCHANGED,
    )
