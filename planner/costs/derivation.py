"""One cost, followed step by step from the price of an hour to dollars, so that anyone can redo it on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, log10

from planner.costs.case import Case
from planner.costs.formula import HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH
from planner.figures import UNKNOWN, figure, usd


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation: what, by which arithmetic, giving what, and on whose word."""

    name: str
    arithmetic: str
    result: str
    source: str = ""


def derivation(case: Case) -> tuple[Step, ...]:
    """All steps of one plan's costs, each using only figures of the steps before it."""
    return (*_hour(case), *_tokens(case), *_kinds(case), *_month(case))


def _hour(case: Case) -> Iterator[Step]:
    hourly, name = case.hourly, case.plan.hardware.name
    for part in hourly.parts:
        yield Step(f"an hour's {part.name}", part.arithmetic, money(part.usd_per_hour), part.source)
    sums = " + ".join(money(part.usd_per_hour) for part in hourly.parts) or f"price of one {name}: {hourly.label}"
    note = f" ({hourly.note})" if hourly.note else ""
    yield Step(f"one {name}, an hour", sums, money(hourly.usd_per_hour), hourly.provenance + note)
    layout = f"{case.accelerators_a_copy} a copy x {case.copies} {'copy' if case.copies == 1 else 'copies'}"
    yield Step(
        "the plan, an hour",
        f"{money(hourly.usd_per_hour)} x {case.machines(case.accelerators)} ({layout})",
        money(case.usd_per_hour),
        "layout from the plan",
    )


def _tokens(case: Case) -> Iterator[Step]:
    rate, busy = case.throughput.span.value, case.terms.utilisation
    in_an_hour = rate * SECONDS_PER_HOUR * busy
    load = f"{case.workload.concurrency} requests in flight"
    how = "measured" if case.throughput.measured else f"predicted at {load}"
    yield Step(
        "output tokens in an hour",
        f"{figure(rate)} tokens/s ({how}) x {SECONDS_PER_HOUR:,} s x {busy:.0%} busy",
        f"{in_an_hour:,.0f}",
        case.throughput.source,
    )
    if not case.saved_by_cache:
        yield Step(
            "1M output tokens, carrying everything",
            f"{money(case.usd_per_hour)} / {in_an_hour:,.0f} x 1,000,000",
            money(case.tokens.all_on_output),
            "B.cost.formula",
        )


def _kinds(case: Case) -> Iterator[Step]:
    workload, tokens, share = case.workload, case.tokens, case.prompt_share
    per_hour = case.throughput.span.value * SECONDS_PER_HOUR * case.terms.utilisation / workload.output_tokens
    whole = case.usd_per_hour / per_hour
    made = per_hour * workload.output_tokens
    yield Step(
        "one request",
        f"{money(case.usd_per_hour)} / ({made:,.0f} / {workload.output_tokens:,} tokens out)",
        money(whole),
    )
    if share is None:
        return
    yield Step(
        "1M input tokens",
        f"{money(whole)} x {share:.1%} of the time / {workload.input_tokens:,} tokens in x 1,000,000",
        money(tokens.input),
        "time spent reading prompts, by the speed model",
    )
    yield Step(
        "1M cached input tokens",
        "no time spent reading them",
        money(tokens.cached_input),
        "a cached token only holds cache memory, which limits how many requests run at once",
    )
    yield Step(
        "1M output tokens, apart",
        f"{money(whole)} x {1 - share:.1%} of the time / {workload.output_tokens:,} tokens out x 1,000,000",
        money(tokens.output),
        "time spent writing answers, by the speed model",
    )
    if case.saved_by_cache:
        cached = case.terms.cached_share
        yield Step(
            "one request, partly cached",
            f"{money(whole)} x (1 - {share:.1%} x {cached:.0%} of the prompt in the cache)",
            money(tokens.usd_per_request),
            f"--cached-share {cached:g}",
        )
        yield Step(
            "1M output tokens, carrying everything",
            f"{money(tokens.usd_per_request)} / {workload.output_tokens:,} tokens out x 1,000,000",
            money(tokens.all_on_output),
        )
    both = f"{workload.input_tokens:,} in + {workload.output_tokens:,} out"
    yield Step(
        "1M tokens, blended",
        f"{money(tokens.usd_per_request)} / ({both}) x 1,000,000",
        money(tokens.blended),
    )


def _month(case: Case) -> Iterator[Step]:
    load = case.terms.requests_per_s
    if load is None:
        return
    taken = case.at_load(load)
    each = f"{case.requests_per_s_a_copy():.4g} requests/s a copy x at most {case.terms.utilisation:.0%} busy"
    yield Step(
        "copies for the load",
        f"{figure(load)} requests/s / ({each}), rounded up",
        f"{taken.copies:,}",
        f"{case.machines(taken.accelerators)}; each copy then {taken.busy:.0%} busy",
    )
    yield Step(
        "a month",
        f"{money(case.hourly.usd_per_hour)} x {case.machines(taken.accelerators)} x {HOURS_PER_MONTH} h, always on",
        money(taken.usd_per_month),
    )
    if term := case.hourly.term_months:
        yield Step(
            "committed for the whole term",
            f"{money(taken.usd_per_month)} a month x {term} months, used or not",
            money(taken.usd_per_month * term),
            f"{case.hourly.kind} for {term} months",
        )
    if api := case.terms.api:
        asked = api.usd_per_request(case.workload, case.terms.cached_share)
        yield Step(
            "the same month from the API",
            f"{figure(load)} requests/s x {SECONDS_PER_MONTH:,} s x {money(asked)} a request",
            money(asked * load * SECONDS_PER_MONTH),
            api.label,
        )


def money(value: float | None) -> str:
    """US dollars with enough digits to redo the sum: four significant below a dollar, never as a power of ten."""
    if value is None:
        return UNKNOWN
    if value >= 1 or value == 0:
        return usd(value)
    decimals = 3 - floor(log10(value))
    return f"${value:.{decimals}f}".rstrip("0").rstrip(".")
