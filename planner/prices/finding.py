"""Which line of the table prices an accelerator or a CPU host."""

from __future__ import annotations

from collections.abc import Sequence

from planner.errors import BadInput, nearest
from planner.hardware.hardware import Cpu, Hardware
from planner.prices.line import PriceKind, PriceLine
from planner.prices.table import PriceTable, price_table

CPU_HOST = "cpu"


def find_price(
    accelerator_name: str,
    *,
    provider: str | None = None,
    kind: PriceKind | None = None,
    table: PriceTable | None = None,
) -> PriceLine | None:
    """The price of an accelerator by its catalogue name; None where the table has none.

    The first of the user's own lines that answers, else the default line. A provider without a kind gives its
    on-demand line, or the first of its others; a kind without a provider the cheapest of that kind. BadInput for a
    provider the table does not know, or who does not rent this accelerator, or not in that way.
    """
    prices = table or price_table()
    lines = [line for line in prices.by_name.get(accelerator_name, ()) if line.vcpus is None]
    return _choose(prices, lines, accelerator_name, provider, kind)


def find_host_price(
    cpu: Cpu, *, provider: str | None = None, kind: PriceKind | None = None, table: PriceTable | None = None
) -> PriceLine | None:
    """The cheapest rented CPU host with at least these cores and this memory; None where none is that large."""
    prices = table or price_table()
    hosts = [line for line in prices.by_name.get(CPU_HOST, ()) if _holds(line, cpu)]
    ordered = sorted(hosts, key=lambda line: (line.file is None, line.usd_per_hour))
    return _choose(prices, ordered, "a CPU host of this size", provider, kind)


def price_of(
    hardware: Hardware,
    *,
    provider: str | None = None,
    kind: PriceKind | None = None,
    table: PriceTable | None = None,
) -> PriceLine | None:
    """The price of one accelerator of this hardware, or of the CPU host when there is no accelerator."""
    if hardware.accelerator is not None:
        return find_price(hardware.accelerator.name, provider=provider, kind=kind, table=table)
    if hardware.cpu is None:
        return None
    return find_host_price(hardware.cpu, provider=provider, kind=kind, table=table)


def lines_like(line: PriceLine, table: PriceTable) -> tuple[PriceLine, ...]:
    """Everyone's price for the same thing rented the same way, cheapest first: the spread over providers."""
    same = (
        other
        for other in table.by_name.get(line.name, ())
        if (other.price_type, other.vcpus, other.memory_gib) == (line.price_type, line.vcpus, line.memory_gib)
    )
    return tuple(sorted(same, key=lambda other: (other.usd_per_hour, other.provider)))


def providers() -> tuple[str, ...]:
    """Everyone the catalogue has a price of, in alphabetical order."""
    return price_table().providers


def _choose(
    table: PriceTable, lines: Sequence[PriceLine], offered: str, provider: str | None, kind: PriceKind | None
) -> PriceLine | None:
    if provider is not None:
        return _of_provider(table, lines, offered, known_provider(table, provider), kind)
    if kind is not None:
        return _of_kind(lines, offered, kind)
    own = [line for line in lines if line.file]
    return next((line for line in own if line.is_default), own[0] if own else _default(lines))


def _default(lines: Sequence[PriceLine]) -> PriceLine | None:
    return next((line for line in lines if line.is_default), None)


def _of_kind(lines: Sequence[PriceLine], offered: str, kind: PriceKind) -> PriceLine | None:
    """The user's own line of this kind, else the default if it is of this kind, else the cheapest."""
    found = [line for line in lines if line.price_type == kind]
    if lines and not found:
        kinds = sorted({line.price_type for line in lines})
        raise BadInput(
            f"no {kind} price for {offered}",
            fix=f"ask for one of: {', '.join(kinds)}, or put the price in a price file (--prices FILE)",
        )
    return min(found, key=lambda line: (line.file is None, not line.is_default, line.usd_per_hour), default=None)


def _of_provider(
    table: PriceTable, lines: Sequence[PriceLine], offered: str, provider: str, kind: PriceKind | None
) -> PriceLine | None:
    theirs = [line for line in lines if line.provider == provider]
    if lines and not theirs:
        others = sorted({line.provider for line in lines})
        raise BadInput(
            f"no price of {provider} for {offered}", fix=f"name one of: {', '.join(others)}, or give USD per hour"
        )
    if kind is not None:
        return _of_kind(theirs, f"{offered} from {provider}", kind)
    return next((line for line in theirs if line.price_type == "on-demand"), theirs[0] if theirs else None)


def known_provider(table: PriceTable, provider: str) -> str:
    """The provider as the table spells it. BadInput with the nearest when the table has no price of it."""
    by_lower = {known.lower(): known for known in table.providers}
    if provider.lower() in by_lower:
        return by_lower[provider.lower()]
    raise BadInput(
        f"no prices of provider {provider[:60]!r}",
        nearest=nearest(provider[:60], table.providers),
        fix=f"name one of: {', '.join(table.providers)}, or give USD per hour",
    )


def _holds(line: PriceLine, cpu: Cpu) -> bool:
    return (line.vcpus or 0) >= cpu.cores and (line.memory_gib or 0) >= cpu.memory_gib
