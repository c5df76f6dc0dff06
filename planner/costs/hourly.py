"""The price of an hour of one accelerator (or CPU host): from whom, of what kind, when read, and how others differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from planner.costs.owning import Ownership, Part
from planner.hardware.hardware import Hardware
from planner.prices.ages import age_warning
from planner.prices.finding import lines_like, price_of
from planner.prices.line import PriceLine
from planner.prices.table import PriceTable, price_table
from planner.request import Price

GIVEN = "given with the request"
HourlyKind = Literal["on-demand", "spot", "reserved", "serverless", "marketplace", "owned", "given"]
KIND_MEANS: dict[HourlyKind, str] = {
    "on-demand": "billed by the hour, may be given back at any time",
    "spot": "cheaper, but the provider may take the machine back at any moment: keep spare capacity elsewhere",
    "reserved": "paid for the whole term, used or not",
    "serverless": "billed by the second of an active worker; starting a cold one takes time",
    "marketplace": "rented from private hosts, whose price and presence change daily",
    "owned": "bought and written off over its life, with power and hosting",
    "given": "the price you gave",
}

RISKY = frozenset({"spot", "reserved", "serverless", "marketplace"})


@dataclass(frozen=True, slots=True)
class HourlyPrice:
    """The price of one accelerator (or CPU host) for an hour, and where it comes from.

    `others` are all providers' lines for the same thing rented the same way, its own included, cheapest first.
    `parts` is what an owned machine's hour consists of. `on_demand`: the cheapest line on demand for the same.
    """

    kind: HourlyKind
    usd_per_hour: float
    provider: str
    as_of: str
    source: str
    note: str = ""
    term_months: int | None = None
    file: str | None = None
    others: tuple[PriceLine, ...] = ()
    parts: tuple[Part, ...] = ()
    ownership: Ownership | None = None
    on_demand: PriceLine | None = None

    @property
    def label(self) -> str:
        """`Spheron, on-demand, 2026-04-07`."""
        if self.kind in ("owned", "given"):
            return self.kind if self.provider == self.kind else f"{self.provider}, {self.kind}"
        term = f" for {self.term_months} months" if self.term_months else ""
        return f"{self.provider}, {self.kind}{term}, {self.as_of}"

    @property
    def provenance(self) -> str:
        return f"{self.source} (your price file {self.file})" if self.file else self.source

    @property
    def cheapest(self) -> PriceLine | None:
        return self.others[0] if self.others else None

    @property
    def dearest(self) -> PriceLine | None:
        return self.others[-1] if self.others else None


def hourly_price(price: Price, hardware: Hardware) -> HourlyPrice | None:
    """The price given with the request, else the price table's; None where neither is known."""
    if price.usd_per_hour is not None:
        return HourlyPrice("given", price.usd_per_hour, price.provider or "given", "given", GIVEN)
    table = price_table(price.file)
    line = price_of(hardware, provider=price.provider, kind=price.kind, table=table)
    return of_line(line, table) if line else None


def of_owned(bought: Ownership, name: str) -> HourlyPrice:
    """The price of an hour of an accelerator that is bought, always on."""
    parts = bought.parts()
    return HourlyPrice(
        kind="owned",
        usd_per_hour=sum(part.usd_per_hour for part in parts),
        provider="owned",
        as_of="given",
        source=f"{name} bought for ${bought.purchase_usd:,.0f}, written off over {bought.years:g} years",
        parts=parts,
        ownership=bought,
    )


def of_line(line: PriceLine, table: PriceTable) -> HourlyPrice:
    """A line of the price table as an hourly price, with what the same costs elsewhere."""
    on_demand = lines_like(replace(line, price_type="on-demand"), table)
    return HourlyPrice(
        kind=line.price_type,
        usd_per_hour=line.usd_per_hour,
        provider=line.provider,
        as_of=line.as_of,
        source=line.source,
        note=line.note,
        term_months=line.term_months,
        file=line.file,
        others=lines_like(line, table),
        on_demand=on_demand[0] if on_demand else None,
    )


def price_warnings(hourly: HourlyPrice, name: str, today: date) -> tuple[str, ...]:
    """What to know before relying on this price: its age, and what its kind of rent brings with it."""
    if hourly.kind in ("owned", "given"):
        return ()
    aged = age_warning(name, hourly.provider, hourly.as_of, today)
    kind = f"{hourly.provider} {hourly.kind}: {KIND_MEANS[hourly.kind]}" if hourly.kind in RISKY else None
    return tuple(filter(None, (aged, kind)))
