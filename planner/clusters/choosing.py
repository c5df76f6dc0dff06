"""A plan asked of a cluster: on which kind of node, in which layout, how many copies; and why.

Three questions. Of so many nodes: the layout that gives most output tokens a second within the targets. With a rate:
the least set of accelerators that carries it. Otherwise one copy: the fewest accelerators of a kind that hold it.
Between kinds of nodes the price of a token decides, for accelerators of different kinds have no other common measure;
without prices their count for a token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from planner.candidate import Placement, Weighed
from planner.catalog import load_yaml
from planner.clusters.carrying import Copies, carrying
from planner.clusters.cluster import Cluster
from planner.clusters.survey import ANYTHING, Survey, Wanted, in_flight
from planner.clusters.tails import cheapest_within_percentile, is_held_to_percentile
from planner.clusters.weighing import Offer
from planner.errors import BadInput
from planner.models.resolving import resolve_model
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request
from planner.unfeasible import NoFeasiblePlan
from rules.book import Book, load_book

ROWS_SHOWN = 24


def plan_on_cluster(request: Request, cluster: Cluster, wanted: Wanted = ANYTHING, *, book: Book | None = None) -> Plan:
    """The plan of what was chosen; its `placement` says where and why, its request asks for just that again.

    BadInput where the cluster has no such nodes, NoFeasiblePlan where nothing there answers the question.
    """
    model = resolve_model(request.model)
    survey = Survey(request, cluster, wanted, book or load_book(), model)
    if wanted.nodes is not None:
        chosen, because = _on_nodes(survey, wanted.nodes)
    elif request.workload.requests_per_s is not None:
        chosen, because = _carrying_the_rate(survey, request.workload.requests_per_s)
    else:
        chosen, because = _one_copy(survey)
    return _drawn_up(survey, chosen, because)


def _on_nodes(survey: Survey, nodes: int) -> tuple[Copies, str]:
    kinds = [node for node in survey.kinds if node.count >= nodes]
    if not kinds:
        most = max((node.count for node in survey.kinds), default=0)
        what = f"{nodes} nodes: {survey.cluster.name} has at most {most} of a kind"
        raise BadInput(what, fix="name fewer with --nodes")
    offers = [offer for node in kinds for offer in _shown(survey, survey.filling(node, nodes))]
    rate = survey.request.workload.requests_per_s
    ways = [Copies.of(offer) if rate is None else carrying(offer, None) for offer in offers if offer.holds]
    able = [way for way in ways if way is not None and (rate is None or way.carries(rate))]
    if not able:
        raise _refused(survey, f"{nodes} nodes")
    chosen = _best(able, survey.request)
    measure = {"latency": "least time per output token", "cost": "lowest cost per output token"}
    if survey.wanted.way:
        return chosen, "The layout you insist on."
    of = f"{nodes} nodes" if len(kinds) > 1 else f"{nodes} {kinds[0].name} node{'s' if nodes > 1 else ''}"
    best = measure.get(survey.request.objective, "most output tokens per second")
    within: float = load_yaml("clusters.yaml")["simpler_within"]["value"]
    return chosen, (
        f"Of the layouts of {of} that hold it within the targets, this one has the {best}, or is simpler and within "
        f"{within:.0%} of it."
    )


def _one_copy(survey: Survey) -> tuple[Copies, str]:
    """For each kind of node the first set of accelerators that holds a copy; of those the best by the objective."""
    found = []
    for node in survey.kinds:
        for size in survey.sizes(node):
            offers = _shown(survey, survey.offers(node, size))
            able = [Copies.of(offer) for offer in offers if offer.holds]
            if able:
                found.append(_best(able, survey.request))
                break
    if not found:
        raise _refused(survey, "one copy")
    by_wait = survey.request.objective == "latency"
    chosen = min(found, key=lambda way: (_measure(survey.request)(way), way.usd_per_hour, way.offer.way.accelerators))
    if survey.wanted.way:
        return chosen, "The layout you insist on."
    least = "least time per output token" if by_wait else "lowest cost per output token"
    kind = f" {chosen.offer.site.node.name} has the {least}." if len(found) > 1 else ""
    return chosen, f"The fewest accelerators of a kind that hold one copy within the targets.{kind}"


def _carrying_the_rate(survey: Survey, rate: float) -> tuple[Copies, str]:
    """Every set of accelerators for a copy, as many copies as carry the rate; of those that there are the cheapest."""
    request = in_flight(survey.request, 1)
    able: list[Copies] = []
    for node in survey.kinds:
        for size in survey.sizes(node):
            offers = survey.offers(node, size, request)
            loads = {offer.way: carrying(offer, rate) for offer in offers if offer.holds}
            survey.show(offers, loads)
            able += [load for load in loads.values() if load is not None and load.is_there]
    if not able:
        raise _refused(survey, f"{rate:g} requests/s")
    level = survey.request.service_level
    if is_held_to_percentile(level):
        held = cheapest_within_percentile(able, rate, survey.book)
        if held is None:
            raise _refused(survey, f"{rate:g} requests/s at {level.percentile}", within_means=True)
        return held, (
            f"The least that was simulated to carry {rate:g} requests/s within the targets at {level.percentile}: "
            f"{held.copies} cop{'ies' if held.copies > 1 else 'y'} of up to {held.batch} requests at once each."
        )
    chosen = min(able, key=lambda load: (load.usd_per_hour, load.accelerators, -load.tokens_per_s))
    each = chosen.requests_per_s / chosen.copies
    copies = f"{chosen.copies} copies, each" if chosen.copies > 1 else "one copy,"
    return chosen, (
        f"The least that carries {rate:g} requests/s within the targets: {copies} planned for {each:.3g} "
        f"requests/s: {chosen.busy_share:.0%} of what it carries with {chosen.batch} requests in flight."
    )


def _shown(survey: Survey, offers: list[Offer]) -> list[Offer]:
    survey.show(offers)
    return offers


def _best(ways: Sequence[Copies], request: Request) -> Copies:
    """The simplest of those that are nearly as good as the best one."""
    within: float = load_yaml("clusters.yaml")["simpler_within"]["value"]
    measure = _measure(request)
    bound = min(measure(way) for way in ways) * (1 + within)
    near = [way for way in ways if measure(way) <= bound] or ways
    return min(near, key=lambda way: (way.offer.way.rank, measure(way), way.offer.way.accelerators))


def _measure(request: Request) -> Callable[[Copies], float]:
    return _wait if request.objective == "latency" else _price_of_a_token


def _price_of_a_token(way: Copies) -> float:
    """By default: USD an hour (without prices, accelerators) for a token a second; on the same accelerators, speed."""
    priced = way.usd_per_hour if way.usd_per_hour < inf else way.accelerators
    return priced / way.tokens_per_s if way.tokens_per_s else inf


def _wait(way: Copies) -> float:
    tpot_ms = way.offer.found.speed.tpot_ms.value
    return inf if tpot_ms is None else tpot_ms


def _drawn_up(survey: Survey, chosen: Copies, because: str) -> Plan:
    """The plan, made as any other from the request for just this layout."""
    offer = chosen.offer
    plan = make_plan(chosen.request(pinned=survey.wanted.nodes is None), book=survey.book)
    link = survey.cluster.link_of(offer.site.node)
    row = chosen.row().model_copy(update={"verdict": "chosen", **_figures(plan)})
    others = [each for each in survey.rows if (each.node_type, each.layout) != (row.node_type, row.layout)]
    placement = Placement(
        cluster=survey.cluster.name,
        node_type=offer.site.node.name,
        layout=offer.way.says,
        because=because,
        link=link.says if link else None,
        weighed=(row, *_nearest_rows(row, others)),
    )
    notes = (*plan.notes, *(survey.cluster.notes or ()))
    return plan.model_copy(update={"placement": placement, "notes": notes}).sealed()


def _figures(plan: Plan) -> dict[str, object]:
    """What the plan itself predicts, in its row."""
    names = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
    return {"format": plan.chosen.format, **{name: plan.chosen.predicted(name).value for name in names}}


def _nearest_rows(row: Weighed, others: list[Weighed]) -> list[Weighed]:
    """What else was weighed: on the same kind of node first, then by price; as many as one reads."""

    def key(each: Weighed) -> tuple[bool, bool, float]:
        price = each.usd_per_hour if each.usd_per_hour is not None else inf
        return each.verdict != "feasible", each.node_type != row.node_type, price

    return sorted(others, key=key)[:ROWS_SHOWN]


def _refused(survey: Survey, what: str, *, within_means: bool = False) -> NoFeasiblePlan:
    """For each kind of node why nothing there will do: what its largest set came to."""
    if within_means:
        return NoFeasiblePlan(
            f"nothing that was simulated on {survey.cluster.name} serves {survey.model.name}, {what}",
            fix="a wider target; or --percentile mean, by which something does",
        )
    reasons = []
    for node in survey.kinds:
        rows = [row for row in survey.rows if row.node_type == node.name]
        if rows:
            nearest_row = min(rows, key=lambda row: (row.verdict != "misses-service-level", -row.accelerators))
            why = ", ".join(nearest_row.reasons) or nearest_row.verdict
            reasons.append(f"{node.name}: {nearest_row.layout} in {nearest_row.format}: {why}")
        else:
            reasons.append(f"{node.name}: no layout divides the model's heads over its accelerators")
    joined = all(survey.cluster.link_of(node) for node in survey.kinds)
    link = "" if joined else "say what joins the nodes (between_nodes in the cluster file); or "
    return NoFeasiblePlan(
        f"nothing on {survey.cluster.name} serves {survey.model.name}, {what}: {'; '.join(reasons)}",
        fix=f"{link}a wider target, fewer requests at once, a smaller model, or more nodes",
    )
