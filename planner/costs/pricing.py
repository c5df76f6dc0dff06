"""The price of an hour for a plan that is already made: as asked for now, else as the price table has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.costs.hourly import HourlyPrice, hourly_price, of_line, of_owned
from planner.costs.owning import ownership
from planner.errors import BadInput, nearest
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Accelerator, Hardware
from planner.plan import Plan
from planner.prices.finding import CPU_HOST, lines_like
from planner.prices.line import PriceKind, PriceLine
from planner.prices.table import price_table
from planner.request import Price


@dataclass(frozen=True, slots=True)
class Owning:
    """What was said of buying. `purchase_usd` is by accelerator name; under "" for every one."""

    purchase_usd: Mapping[str, float]
    years: float | None = None
    watts: float | None = None
    usd_per_kwh: float | None = None
    pue: float | None = None
    hosting_usd_per_month: float = 0.0
    residual_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Pricing:
    """How hours are priced in this comparison; None leaves it to the plan's own request, then to the table.

    `file` is the price file that was asked for; `usual_file` the one that is used where the plan says nothing else.
    """

    provider: str | None = None
    kind: PriceKind | None = None
    usd_per_hour: float | None = None
    file: str | None = None
    usual_file: str | None = None
    owning: Owning | None = field(default=None)

    @property
    def asked(self) -> bool:
        return any((self.provider, self.kind, self.file, self.usd_per_hour is not None))


def purchase_prices(given: tuple[str, ...]) -> dict[str, float]:
    """`15000` for every accelerator, `L40S=8000` for one type. BadInput for what is no price or no accelerator."""
    known = [gpu.name for gpu in known_accelerators()]
    found = {}
    for text in given:
        name, _, amount = text.rpartition("=")
        if name and name not in known:
            raise BadInput(
                f"--purchase-usd {text[:60]}: no accelerator is called {name[:60]!r}",
                nearest=nearest(name[:60], known),
                fix="name it as `quantplan prices` does",
            )
        try:
            found[name] = float(amount)
        except ValueError:
            raise BadInput(
                f"--purchase-usd {text[:60]}: no price", fix="give --purchase-usd 15000, or --purchase-usd L40S=8000"
            ) from None
    return found


def price_of_plan(plan: Plan, pricing: Pricing) -> HourlyPrice:
    """The price of one of the plan's accelerators (or its CPU host). BadInput when nobody states one."""
    if pricing.usd_per_hour is not None and not 0 <= pricing.usd_per_hour < float("inf"):
        raise BadInput(
            f"--usd-per-hour {pricing.usd_per_hour:g}: a price cannot be negative",
            fix="give what one accelerator costs an hour, like --usd-per-hour 1.64",
        )
    if pricing.owning is not None:
        return _owned(plan, pricing.owning)
    gpu = accelerator_of(plan)
    found = _rented(plan, gpu, pricing) if gpu else _host(plan, pricing)
    if found is None:
        raise BadInput(
            f"no price is known for {plan.hardware.name}",
            fix="give --usd-per-hour, or a price file with a line for it (--prices FILE)",
        )
    return found


def accelerator_of(plan: Plan) -> Accelerator | None:
    """The plan's accelerator as the catalogue has it; None on a CPU."""
    if plan.facts.get("hardware", {}).get("kind") == "cpu":
        return None
    known = next((gpu for gpu in known_accelerators() if gpu.name == plan.hardware.name), None)
    return known or Accelerator(
        name=plan.hardware.name,
        vendor="other",
        architecture="",
        memory_gb=0,
        memory_gib=plan.hardware.memory_gib,
        bandwidth_gb_s=plan.hardware.bandwidth_gb_s or 0,
        fp16_tflops=0,
        source=plan.hardware.source,
    )


def _asked_price(plan: Plan, pricing: Pricing) -> Price:
    """What the command says, else what the plan's own request said."""
    said = plan.request.price
    file = pricing.file or said.file or pricing.usual_file
    if not pricing.asked:
        return said if said.usd_per_hour is not None else said.model_copy(update={"file": file})
    return Price(usd_per_hour=pricing.usd_per_hour, provider=pricing.provider, kind=pricing.kind, file=file)


def _rented(plan: Plan, gpu: Accelerator, pricing: Pricing) -> HourlyPrice | None:
    return hourly_price(_asked_price(plan, pricing), Hardware(label=plan.hardware.label, accelerator=gpu))


def _host(plan: Plan, pricing: Pricing) -> HourlyPrice | None:
    """A CPU host's price: as given, or the plan's own line, which another provider or kind replaces."""
    price = _asked_price(plan, pricing)
    if price.usd_per_hour is not None:
        return hourly_price(price, Hardware(label=plan.hardware.label))
    cost, table = plan.chosen.cost, price_table(price.file)
    if cost is None:
        return None
    own = next(
        (line for line in table.by_name.get(CPU_HOST, ()) if _is_same(line, cost.provider, cost.usd_per_hour)), None
    )
    if own is None:
        return HourlyPrice("given", cost.usd_per_hour, cost.provider, cost.price_as_of, cost.price_source)
    others = lines_like(own, table)
    wanted = [line for line in others if pricing.provider in (None, line.provider)]
    if not wanted:
        names = ", ".join(sorted({line.provider for line in others}))
        raise BadInput(f"no price of {pricing.provider} for this CPU host", fix=f"name one of: {names}")
    return of_line(own if own in wanted else wanted[0], table)


def _is_same(line: PriceLine, provider: str, usd_per_hour: float) -> bool:
    return line.provider == provider and line.usd_per_hour == usd_per_hour


def _owned(plan: Plan, owning: Owning) -> HourlyPrice:
    gpu = accelerator_of(plan)
    name = gpu.name if gpu else "the CPU host"
    purchase = owning.purchase_usd.get(name, owning.purchase_usd.get(""))
    if purchase is None:
        raise BadInput(f"no purchase price for {name}", fix=f"add --purchase-usd {name}=USD")
    bought = ownership(
        purchase,
        owning.years,
        watts=owning.watts,
        tdp_watts=gpu.tdp_watts if gpu else None,
        name=name,
        predicted=next((p for p in plan.chosen.predictions if p.name == "watts_per_accelerator"), None),
        usd_per_kwh=owning.usd_per_kwh,
        pue=owning.pue,
        hosting_usd_per_month=owning.hosting_usd_per_month,
        residual_usd=owning.residual_usd,
    )
    return of_owned(bought, name)
