"""A comparison in sentences: the answer, which plan is cheaper where, what to beware of, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from planner.costs.break_even import Stretch
from planner.costs.case import ALMOST, AtLoad, Case
from planner.costs.comparison import Comparison
from planner.costs.derivation import money
from planner.costs.formula import SECONDS_PER_DAY
from planner.costs.fuller import fuller_sentence
from planner.costs.hourly import price_warnings
from planner.costs.tokens import METHOD
from planner.figures import figure, usd

STRETCHES_SHOWN = 4


def headline(comparison: Comparison) -> str:
    """The answer in a sentence or two."""
    best, load = comparison.cheapest, comparison.terms.requests_per_s
    several = len(comparison.cases) > 1
    if load is None:
        serving = f"Plan {best.label} ({best.name})" if several else f"Serving {best.name}"
        blended, output = usd(best.tokens.blended), usd(best.tokens.all_on_output)
        return f"{serving} costs {output} per 1M output tokens, {blended} per 1M tokens in and out."
    taken = best.at_load(load)
    copies = f"{taken.copies:,} {'copy' if taken.copies == 1 else 'copies'} on {best.machines(taken.accelerators)}"
    whose = f"plan {best.label} ({best.name}) is the cheapest" if several else f"{best.name} serves it"
    said = f"At {figure(load)} requests/s {whose}: {usd(taken.usd_per_month)} a month for {copies}."
    return said + _against_api(comparison, taken)


def _against_api(comparison: Comparison, taken: AtLoad) -> str:
    if not comparison.terms.api:
        return ""
    asked = comparison.api_month(comparison.terms.api, taken.requests_per_s)
    difference = taken.usd_per_month / asked - 1
    word = "less" if difference < 0 else "more"
    return f" The API would ask {usd(asked)}: serving it yourself costs {abs(difference):.0%} {word}."


def cheaper_sentences(comparison: Comparison) -> list[str]:
    """From which load on each plan beats the API, which of two is cheaper where, what fuller copies would cost."""
    against = [break_even_sentence(comparison, case) for case in comparison.cases] if comparison.terms.api else []
    fuller = [said for case in comparison.cases if (said := fuller_sentence(case))]
    return against + stretch_sentences(comparison) + fuller


def warnings(comparison: Comparison) -> tuple[str, ...]:
    """What to know before relying on the figures, said once each."""
    return tuple(dict.fromkeys(said for case in comparison.cases for said in _warnings_of(case, comparison)))


def _warnings_of(case: Case, comparison: Comparison) -> Iterator[str]:
    yield from price_warnings(case.hourly, case.plan.hardware.name, comparison.today)
    if (line := case.hourly.on_demand) and case.hourly.kind == "reserved":
        share, price = case.hourly.usd_per_hour / line.usd_per_hour, usd(line.usd_per_hour)
        against = f"{line.provider} on demand ({price}) only where machines are needed more than {share:.0%}"
        yield f"reserving for plan {case.label} pays off against {against} of the hours"
    made = case.plan.chosen.cost
    if made and abs(made.usd_per_hour - case.usd_per_hour) > ALMOST * case.usd_per_hour:
        was, now = usd(made.usd_per_hour), usd(case.usd_per_hour)
        yield f"plan {case.label} was made at {was} an hour ({made.provider}), here {now} ({case.hourly.label})"
    if case.terms.utilisation == 1 and case.terms.requests_per_s is not None:
        yield "copies are planned 100% busy, so requests queue at every peak: plan with --utilisation 0.7 or so"
    if case.prompt_share is None:
        yield f"plan {case.label} does not say how its time divides: input and output tokens are not told apart"
    if not case.throughput.measured and "datasheet bound" in case.throughput.source:
        yield f"plan {case.label}: {case.throughput.source}; its interval is wide"


def assumptions(comparison: Comparison) -> tuple[str, ...]:
    """What every figure rests on."""
    workload, terms = comparison.cases[0].workload, comparison.terms
    cached = f", {terms.cached_share:.0%} of it found in the prefix cache" if terms.cached_share else ""
    return (
        "All amounts are US dollars (USD), without taxes, storage, traffic and staff.",
        f"A request is {workload.input_tokens:,} tokens in{cached} and {workload.output_tokens:,} tokens out.",
        f"No copy is planned busier than {terms.utilisation:.0%} of its time, at the plan's requests in flight.",
        "A month is 730 hours (8,760 / 12); machines are always on and copies come whole.",
        f"Input and output tokens are told apart {METHOD}.",
        "A token read from the prefix cache takes no time to read, so it carries no cost here; APIs charge for it.",
        "Ranges: from the speed alone (90 % interval of the prediction), from the price alone (cheapest to dearest "
        "provider of the same accelerator rented the same way), and from both at once.",
    )


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
