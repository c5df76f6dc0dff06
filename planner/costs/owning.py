"""What an hour of an accelerator costs that is bought, not rented: purchase over its life, power (A.walls), hosting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.catalog import load_yaml
from planner.costs.formula import HOURS_PER_MONTH, HOURS_PER_YEAR
from planner.energy.electricity import electricity_usd_per_hour
from planner.errors import BadInput
from planner.figures import interval
from planner.plan import Prediction

FILE = "costing.yaml"
WATTS_PER_KW = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the price of an hour, with the arithmetic and the source."""

    name: str
    usd_per_hour: float
    arithmetic: str
    source: str


@dataclass(frozen=True, slots=True)
class Ownership:
    """One accelerator with its share of the host: bought for `purchase_usd`, sold after `years`.

    `watts` is its draw while serving, without what cooling adds (`pue`: site power for each watt of the machine).
    `power_source` says where the watts come from. `hosting_usd_per_month` is rack, network and staff for it.
    """

    purchase_usd: float
    years: float
    watts: float
    power_source: str
    usd_per_kwh: float
    electricity_source: str
    pue: float
    pue_source: str
    hosting_usd_per_month: float = 0.0
    residual_usd: float = 0.0

    def parts(self) -> tuple[Part, ...]:
        """USD an hour by what it is paid for."""
        hours = self.years * HOURS_PER_YEAR
        kw = self.watts / WATTS_PER_KW
        capital = (self.purchase_usd - self.residual_usd) / hours
        resale = f" - ${self.residual_usd:,.0f} resale" if self.residual_usd else ""
        price = f"(${self.purchase_usd:,.0f}{resale})" if resale else f"${self.purchase_usd:,.0f}"
        bought = f"{price} / ({self.years:g} years x {HOURS_PER_YEAR:,} h)"
        power = f"{kw:g} kW x {self.pue:g} (PUE) x ${self.usd_per_kwh:g} per kWh"
        sources = f"{self.power_source}; PUE: {self.pue_source}; electricity: {self.electricity_source}"
        found = [
            Part("purchase", capital, bought, "purchase price and years as given"),
            Part("electricity", electricity_usd_per_hour(self.watts, self.usd_per_kwh, self.pue), power, sources),
        ]
        if self.hosting_usd_per_month:
            per_hour = self.hosting_usd_per_month / HOURS_PER_MONTH
            hosting = f"${self.hosting_usd_per_month:,.2f} a month / {HOURS_PER_MONTH} h"
            found.append(Part("hosting", per_hour, hosting, "as given"))
        return tuple(found)


def ownership(
    purchase_usd: float,
    years: float | None,
    *,
    watts: float | None,
    tdp_watts: float | None,
    name: str,
    predicted: Prediction | None = None,
    usd_per_kwh: float | None = None,
    pue: float | None = None,
    hosting_usd_per_month: float = 0.0,
    residual_usd: float = 0.0,
) -> Ownership:
    """An ownership, with PUE and electricity price from the catalogue where they are not given.

    The draw is `watts`, else as `predicted` under the plan's load, else the TDP, which bounds it.

    BadInput for negative money, no years, a PUE below 1, or a draw that nobody states.
    """
    defaults: Mapping[str, Any] = load_yaml(FILE)["owned"]
    _at_least("--purchase-usd", purchase_usd, 0, "USD", "15000")
    if years is None or years <= 0:
        given = "is missing" if years is None else f"{years:g} is not more than 0"
        raise BadInput(f"--years {given}: over how many years the purchase is written off", fix="give --years 4")
    _at_least("--usd-per-kwh", usd_per_kwh, 0, "USD", "0.08")
    _at_least("--pue", pue, 1, "(1 is a site that uses no power beside its machines)", "1.3")
    _at_least("--hosting-usd-per-month", hosting_usd_per_month, 0, "USD", "100")
    _at_least("--watts", watts, 0, "watts", "300")
    if not 0 <= residual_usd <= purchase_usd:
        raise BadInput(
            f"--residual-usd {residual_usd:g}: not from 0 to the purchase price {purchase_usd:g}",
            fix="give what it will be sold for at the end, or leave it out",
        )
    draw, power_source = _draw(watts, predicted, tdp_watts, name)
    return Ownership(
        purchase_usd=purchase_usd,
        years=years,
        watts=draw,
        power_source=power_source,
        usd_per_kwh=defaults["usd_per_kwh"]["value"] if usd_per_kwh is None else usd_per_kwh,
        electricity_source=_sourced(defaults["usd_per_kwh"]) if usd_per_kwh is None else "as given",
        pue=defaults["pue"]["value"] if pue is None else pue,
        pue_source=_sourced(defaults["pue"]) if pue is None else "as given",
        hosting_usd_per_month=hosting_usd_per_month,
        residual_usd=residual_usd,
    )


def _draw(watts: float | None, predicted: Prediction | None, tdp_watts: float | None, name: str) -> tuple[float, str]:
    """Watts of one accelerator while serving, and where they come from."""
    if watts is not None:
        return watts, "power as given"
    if predicted is not None and predicted.value is not None:
        return round(
            predicted.value
        ), f"power: predicted under the plan's load {interval(predicted)} W, {predicted.source}"
    if tdp_watts is None:
        raise BadInput(f"no power draw is known for {name}", fix="give --watts, the draw of one while serving")
    return tdp_watts, f"power: TDP of {name}, an upper bound"


def _sourced(entry: Mapping[str, Any]) -> str:
    return f"{entry['source']}, {entry['as_of']}"


def _at_least(option: str, value: float | None, least: float, unit: str, example: str) -> None:
    if value is not None and not least <= value < float("inf"):
        raise BadInput(f"{option} {value:g}: less than {least:g} {unit}", fix=f"give it like {option} {example}")
