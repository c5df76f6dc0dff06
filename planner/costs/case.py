"""One plan at one price: what its tokens, its hours and a load on it cost, with where each range comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

from planner.costs.formula import MILLION, SECONDS_PER_HOUR, SECONDS_PER_MONTH, usd_per_month
from planner.costs.hourly import HourlyPrice
from planner.costs.terms import Terms
from planner.costs.tokens import TokenPrices, token_prices
from planner.errors import BadInput
from planner.plan import OperatingPoint, Plan, Span
from planner.request import Workload

ALMOST = 1e-9  # a load that fills copies to the last digit takes no further copy


@dataclass(frozen=True, slots=True)
class Throughput:
    """Output tokens a second of the whole plan, all copies; `measured` in a finished run, else predicted."""

    span: Span
    source: str
    run_id: str | None = None

    @property
    def measured(self) -> bool:
        return self.run_id is not None


@dataclass(frozen=True, slots=True)
class Range:
    """A cost with what the speed's interval alone, the price spread alone, and both together make of it."""

    value: float
    speed_low: float
    speed_high: float
    price_low: float
    price_high: float

    @property
    def low(self) -> float:
        return self.speed_low * self.price_low / self.value if self.value else 0.0

    @property
    def high(self) -> float:
        return self.speed_high * self.price_high / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class AtLoad:
    """What a load takes: copies of the model, their accelerators, and USD a month."""

    requests_per_s: float
    copies: int
    accelerators: int
    busy: float
    usd_per_month: float
    usd_per_1m_blended: float


@dataclass(frozen=True)
class Case:
    """One plan under one price. `label` is its letter in a comparison."""

    label: str
    plan: Plan
    hourly: HourlyPrice
    throughput: Throughput
    prompt_share: float | None
    terms: Terms

    @property
    def name(self) -> str:
        chosen = self.plan.chosen
        return f"{self.plan.model.name}, {chosen.format} on {self.plan.hardware.label}"

    @property
    def workload(self) -> Workload:
        return self.plan.request.workload

    @property
    def copies(self) -> int:
        """Copies of the model that the plan itself starts."""
        return self.plan.chosen.replicas

    @property
    def accelerators_a_copy(self) -> int:
        return self.plan.chosen.accelerators

    @property
    def accelerators(self) -> int:
        return self.copies * self.accelerators_a_copy

    def machines(self, count: int) -> str:
        """`1 accelerator`, `3 CPU hosts`."""
        noun = "CPU host" if self.plan.facts.get("hardware", {}).get("kind") == "cpu" else "accelerator"
        return f"{count:,} {noun}{'' if count == 1 else 's'}"

    @property
    def usd_per_hour(self) -> float:
        return self.hourly.usd_per_hour * self.accelerators

    @property
    def usd_per_hour_a_copy(self) -> float:
        return self.hourly.usd_per_hour * self.accelerators_a_copy

    @property
    def saved_by_cache(self) -> float:
        """The share of a request's machine time that the prefix cache saves."""
        return (self.prompt_share or 0.0) * self.terms.cached_share

    def requests_per_s_a_copy(self, output_tokens_per_s: float | None = None) -> float:
        """Requests a second that one copy answers when it is busy all the time."""
        rate = self.throughput.span.value if output_tokens_per_s is None else output_tokens_per_s
        return rate / self.copies / self.workload.output_tokens / (1 - self.saved_by_cache)

    @property
    def planned_requests_per_s_a_copy(self) -> float:
        """The same at the utilisation that is planned for."""
        return self.requests_per_s_a_copy() * self.terms.utilisation

    @cached_property
    def tokens(self) -> TokenPrices:
        """USD per million tokens of each kind at the planned utilisation."""
        workload = self.workload
        rate = self.throughput.span.value / workload.output_tokens * self.terms.utilisation
        return token_prices(
            self.usd_per_hour,
            rate,
            workload.input_tokens,
            workload.output_tokens,
            self.prompt_share,
            self.terms.cached_share,
        )

    def ranged(self, usd: float) -> Range:
        """Any cost that is in proportion to the price and against the speed, with its ranges."""
        span, hourly = self.throughput.span, self.hourly
        cheapest = hourly.cheapest.usd_per_hour if hourly.cheapest else hourly.usd_per_hour
        dearest = hourly.dearest.usd_per_hour if hourly.dearest else hourly.usd_per_hour
        per_price = usd / hourly.usd_per_hour if hourly.usd_per_hour else 0.0
        return Range(
            usd, usd * span.value / span.high, usd * span.value / span.low, per_price * cheapest, per_price * dearest
        )

    @property
    def usd_per_request_when_full(self) -> float:
        """What one request costs when every copy is as busy as planned: the least this plan can do."""
        return self.usd_per_hour_a_copy / (self.planned_requests_per_s_a_copy * SECONDS_PER_HOUR)

    def at_load(self, requests_per_s: float) -> AtLoad:
        """Copies and USD a month for this load, however many accelerators it takes."""
        copies = self.copies_for(requests_per_s, self.requests_per_s_a_copy())
        month = usd_per_month(self.usd_per_hour_a_copy * copies)
        tokens = (self.workload.input_tokens + self.workload.output_tokens) * requests_per_s * SECONDS_PER_MONTH
        busy = requests_per_s / (copies * self.requests_per_s_a_copy())
        accelerators = copies * self.accelerators_a_copy
        return AtLoad(requests_per_s, copies, accelerators, busy, month, month / tokens * MILLION)

    def check_load(self, requests_per_s: float) -> None:
        """BadInput when this load takes more accelerators than are allowed."""
        most, taken = self.terms.max_accelerators, self.at_load(requests_per_s).accelerators
        if most is None or taken <= most:
            return
        served = most // self.accelerators_a_copy * self.planned_requests_per_s_a_copy
        instead = f"at most {served:.3g} requests/s, or " if served else ""
        raise BadInput(
            f"{requests_per_s:g} requests/s take {self.machines(taken)} with plan {self.label} ({self.name}); "
            f"{most:,} are allowed",
            fix=f"{instead}--max-accelerators {taken}, or a faster plan",
        )

    def month_range(self, requests_per_s: float) -> Range:
        """USD a month at this load, when the speed is at the ends of its interval, and at others' prices."""
        span, value = self.throughput.span, self.at_load(requests_per_s).usd_per_month

        def month(rate: float) -> float:
            copies = self.copies_for(requests_per_s, self.requests_per_s_a_copy(rate))
            return usd_per_month(self.usd_per_hour_a_copy * copies)

        prices = self.ranged(value)
        return Range(value, month(span.high), month(span.low), prices.price_low, prices.price_high)

    def copies_for(self, requests_per_s: float, requests_per_s_a_copy: float) -> int:
        """Copies so that none is busier than planned."""
        return max(1, ceil(requests_per_s / (requests_per_s_a_copy * self.terms.utilisation) - ALMOST))

    def usd_per_1m_output_at(self, point: OperatingPoint) -> Span:
        """The whole cost on output tokens, with one copy held at this number of requests in flight."""
        rate, busy = point.output_tokens_per_s, self.terms.utilisation * SECONDS_PER_HOUR / MILLION
        low, value, high = (self.usd_per_hour_a_copy / (speed * busy) for speed in (rate.high, rate.value, rate.low))
        return Span(value=value, low=low, high=high)
