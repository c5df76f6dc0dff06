"""Cost questions over HTTP: which plans, at which prices, for which load."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from planner.costs.comparison import Comparison, compare
from planner.costs.pricing import Owning, Pricing, purchase_prices
from planner.costs.terms import terms_from
from planner.plan import Plan
from planner.prices.line import PriceKind
from planner.request import Frozen
from planner.service.problems import not_found
from planner.service.store.plans import PlanStore

PREFIX = "sha256:"
MOST_PLANS = 8
TERMS = ("utilisation", "requests_per_s", "tokens_per_day", "cached_share", "api_price", "max_accelerators")
OWNING = ("years", "watts", "usd_per_kwh", "pue", "hosting_usd_per_month", "residual_usd")
Digest = Annotated[str, Query(pattern=r"^(sha256:)?[0-9a-f]{64}$")]
Amount = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]


class CostQuestion(Frozen):
    """Plans by digest, compared at one load and one way of paying. USD throughout."""

    plan: Annotated[list[Digest], Query(max_length=MOST_PLANS, description="digests of plans made here")] = []
    requests_per_s: Amount = None
    tokens_per_day: Amount = None
    utilisation: Share = None
    cached_share: Share = None
    api_price: Annotated[str | None, Query(max_length=60, description="USD per 1M tokens: in,out[,cached]")] = None
    max_accelerators: Annotated[int | None, Query(ge=1)] = None
    provider: Annotated[str | None, Query(max_length=80)] = None
    kind: PriceKind | None = None
    usd_per_hour: Amount = None
    purchase_usd: Annotated[list[Annotated[str, Query(max_length=80)]], Query(max_length=MOST_PLANS)] = []
    years: Amount = None
    watts: Amount = None
    usd_per_kwh: Amount = None
    pue: Amount = None
    hosting_usd_per_month: Amount = None
    residual_usd: Amount = None


def comparison_for(question: CostQuestion, store: PlanStore) -> Comparison:
    """The plans compared. BadInput for terms that cannot be; a 404 names a plan that was not made here."""
    plans = [_plan(digest, store) for digest in dict.fromkeys(question.plan)]
    if not plans:
        raise not_found("no plan is named", fix="add ?plan=DIGEST, of a plan made here")
    first = plans[0].request
    given = {name: getattr(question, name) for name in TERMS if getattr(question, name) is not None}
    given.setdefault("utilisation", first.price.utilisation)
    return compare(plans, [], _pricing(question), terms_from(first.workload, **given))


def _plan(digest: str, store: PlanStore) -> Plan:
    body = store.body(PREFIX + digest.removeprefix(PREFIX))
    if body is None:
        raise not_found(f"no plan {digest}", fix="make it first: POST /v1/plans")
    return Plan.model_validate_json(body)


def _pricing(question: CostQuestion) -> Pricing:
    given = {name: getattr(question, name) for name in OWNING if getattr(question, name) is not None}
    bought = purchase_prices(tuple(question.purchase_usd)) if question.purchase_usd else None
    return Pricing(
        provider=question.provider,
        kind=question.kind,
        usd_per_hour=question.usd_per_hour,
        file=None,
        owning=Owning(bought, **given) if bought else None,
    )
