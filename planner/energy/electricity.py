"""From watts to money: joules a token, and the electricity of a million tokens or of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from planner.catalog import load_yaml
from planner.errors import BadInput

FILE = "costing.yaml"
JOULES_PER_KWH = 3_600_000
WATTS_PER_KW = 1000
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SiteElectricity:
    """What a kilowatt-hour costs, and what a site draws for each watt of its machines, where nobody says otherwise."""

    usd_per_kwh: float
    power_usage_effectiveness: float
    source: str


@lru_cache
def site_electricity() -> SiteElectricity:
    """The catalogue's electricity price and power usage effectiveness, with sources and dates."""
    assumed = load_yaml(FILE)["owned"]
    price, pue = assumed["usd_per_kwh"], assumed["pue"]
    sources = f"{price['source']}, {price['as_of']}; {pue['source']}, {pue['as_of']}"
    return SiteElectricity(float(price["value"]), float(pue["value"]), sources)


def joules_per_token(watts: float, tokens_per_s: float) -> float:
    """Energy of one token: `watts` of all accelerators that together make `tokens_per_s`."""
    if tokens_per_s <= 0:
        raise BadInput(f"{tokens_per_s:g} tokens/s: energy per token needs a throughput above zero")
    return watts / tokens_per_s


def electricity_usd_per_1m_tokens(
    watts: float, tokens_per_s: float, usd_per_kwh: float, power_usage_effectiveness: float = 1.0
) -> float:
    """Electricity for a million tokens = joules a token / 3.6e6 x a million x price x power usage effectiveness.

    `watts` and `tokens_per_s` are of all accelerators together, under load. `power_usage_effectiveness` is what the
    building draws for each watt the accelerators draw (cooling, hosts, losses; 1: the accelerators alone).
    BadInput for a throughput of zero, a negative price, or an effectiveness below 1.
    """
    return electricity_usd_of(joules_per_token(watts, tokens_per_s), usd_per_kwh, power_usage_effectiveness)


def electricity_usd_of(joules_per_token: float, usd_per_kwh: float, power_usage_effectiveness: float = 1.0) -> float:
    """Electricity for a million tokens of so many joules each; BadInput as above."""
    return joules_per_token / JOULES_PER_KWH * MILLION * _rate(usd_per_kwh, power_usage_effectiveness)


def electricity_usd_per_hour(watts: float, usd_per_kwh: float, power_usage_effectiveness: float = 1.0) -> float:
    """Electricity for an hour at `watts`: what an owner pays whether or not tokens are made. BadInput as above."""
    return watts / WATTS_PER_KW * _rate(usd_per_kwh, power_usage_effectiveness)


def _rate(usd_per_kwh: float, power_usage_effectiveness: float) -> float:
    """USD for a kilowatt-hour at the accelerator."""
    if usd_per_kwh < 0:
        raise BadInput(f"{usd_per_kwh:g} USD per kWh: a price of electricity is not negative")
    if power_usage_effectiveness < 1:
        raise BadInput(
            f"power usage effectiveness {power_usage_effectiveness:g}: a building draws no less than its machines",
            fix="give 1 or more (1: the accelerators alone)",
        )
    return usd_per_kwh * power_usage_effectiveness
