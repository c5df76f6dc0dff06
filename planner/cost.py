"""Cost of serving: from the price of an hour and tokens a second to USD per million tokens (B.cost.formula)."""

from __future__ import annotations

from dataclasses import dataclass

from planner.hardware.hardware import Hardware
from planner.plan import Cost
from planner.prices import price_of
from planner.request import Price
from planner.speed.estimate import Estimate

SECONDS_PER_HOUR = 3600
HOURS_PER_MONTH = 730
MILLION = 1_000_000
GIVEN = "given with the request"


def usd_per_1m_tokens(usd_per_hour: float, tokens_per_s: float, utilisation: float = 1.0) -> float:
    """USD for a million tokens = price of an hour / tokens made in that hour x a million (B.cost.formula).

    `utilisation` is the share of the hour the server is busy (0-1]. Raises ZeroDivisionError on zero throughput.
    """
    return usd_per_hour / (tokens_per_s * utilisation * SECONDS_PER_HOUR) * MILLION


def usd_per_month(usd_per_hour: float) -> float:
    """A month of 730 hours (8760 / 12), always on."""
    return usd_per_hour * HOURS_PER_MONTH


@dataclass(frozen=True, slots=True)
class HourlyPrice:
    """The price of one accelerator (or CPU host) for an hour, and where it comes from."""

    usd_per_hour: float
    provider: str
    as_of: str
    source: str


def hourly_price(price: Price, hardware: Hardware) -> HourlyPrice | None:
    """The price given with the request, else the catalogue's; None where neither is known."""
    if price.usd_per_hour is not None:
        return HourlyPrice(price.usd_per_hour, price.provider or "given", "given", GIVEN)
    line = price_of(hardware, provider=price.provider)
    return HourlyPrice(line.usd_per_hour, line.provider, line.as_of, line.source) if line else None


def cost_of(price: Price, hardware: Hardware, accelerators: int, output_tokens_per_s: Estimate) -> Cost | None:
    """What `accelerators` in use cost: an hour, a month, a million output tokens with the range of the speed."""
    hourly = hourly_price(price, hardware)
    if hourly is None:
        return None
    usd_per_hour = hourly.usd_per_hour * accelerators

    def per_million(tokens_per_s: float | None) -> float | None:
        return usd_per_1m_tokens(usd_per_hour, tokens_per_s, price.utilisation) if tokens_per_s else None

    return Cost(
        usd_per_hour=usd_per_hour,
        usd_per_1m_output_tokens=per_million(output_tokens_per_s.value),
        low=per_million(output_tokens_per_s.high),
        high=per_million(output_tokens_per_s.low),
        usd_per_month=usd_per_month(usd_per_hour),
        utilisation=price.utilisation,
        provider=hourly.provider,
        price_as_of=hourly.as_of,
        price_source=hourly.source,
    )
