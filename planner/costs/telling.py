"""Break-even loads in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from planner.costs.break_even import Stretch
from planner.costs.case import Case
from planner.costs.comparison import Comparison
from planner.costs.derivation import money
from planner.figures import figure

STRETCHES_SHOWN = 4
SECONDS_PER_DAY = 86_400


def break_even_sentence(comparison: Comparison, case: Case) -> str:
    """From which load on this plan is cheaper than the API."""
    found, api = comparison.break_evens[case.label], comparison.terms.api
    label = api.label if api else "API"
    if found.first is None or found.always is None:
        own, asked = money(found.usd_per_request), money(found.api_usd_per_request)
        costs = f"a request costs {own} on a full copy, {asked} there"
        return f"Plan {case.label} never breaks even with the {label}: {costs}."
    said = f"Plan {case.label} is cheaper than the {label} from {load_text(case, found.first)} on"
    if found.always <= found.first:
        return said + "."
    between = "between them it depends on how full the last copy is"
    return f"{said}, and at every load from {load_text(case, found.always)} on; {between}."


def stretch_sentences(comparison: Comparison) -> list[str]:
    """For each pair of plans, where which is cheaper."""
    return [_stretches(a, b, found, comparison) for (a, b), found in comparison.stretches.items()]


def _stretches(a: str, b: str, found: tuple[Stretch, ...], comparison: Comparison) -> str:
    shown = found[:STRETCHES_SHOWN]
    if len(found) == 1:
        end = figure(found[0].to_requests_per_s)
        return f"Plans {a} and {b} cost the same." if found[0].cheaper is None else (
            f"Plan {found[0].cheaper} is cheaper than plan {b if found[0].cheaper == a else a} "
            f"at every load up to {end} requests/s."
        )  # fmt: skip
    parts = list(_parts(shown))
    rest = "" if len(found) == len(shown) else _in_the_long_run(a, b, comparison)
    return f"Plans {a} and {b}: " + "; ".join(parts) + f" requests/s.{rest}"


def _parts(stretches: tuple[Stretch, ...]) -> Iterator[str]:
    for stretch in stretches:
        who = f"{stretch.cheaper} is cheaper" if stretch.cheaper else "they cost the same"
        yield f"{who} from {figure(stretch.from_requests_per_s)} to {figure(stretch.to_requests_per_s)}"


def _in_the_long_run(a: str, b: str, comparison: Comparison) -> str:
    costs = {case.label: case.usd_per_request_when_full for case in comparison.cases if case.label in (a, b)}
    best = min(costs, key=costs.__getitem__)
    other = b if best == a else a
    return f" At large loads plan {best} costs {1 - costs[best] / costs[other]:.0%} less."


def load_text(case: Case, requests_per_s: float) -> str:
    """`0.52 requests/s (58.4 M tokens a day)`."""
    tokens = requests_per_s * (case.workload.input_tokens + case.workload.output_tokens) * SECONDS_PER_DAY
    return f"{figure(requests_per_s)} requests/s ({figure(tokens / 1e6)} M tokens a day)"
