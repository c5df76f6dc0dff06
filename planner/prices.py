"""Dated prices of an hour of one accelerator or of a CPU host: one line each in `planner/catalog/prices.csv`.

A name's default line is the one marked `yes` in the file's `default` column: on demand wherever that is offered.
A CPU host costs what the cheapest rented machine with at least its cores and memory costs.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from planner.errors import BadInput, nearest
from planner.hardware.hardware import Cpu, Hardware

PriceType = Literal["on-demand", "spot", "reserved", "serverless", "marketplace"]
CPU_HOST = "cpu"


@dataclass(frozen=True, slots=True)
class PriceLine:
    """USD for an hour of one accelerator, or of one CPU host of `vcpus` and `memory_gib`.

    `as_of` is as exact as the source: a year, a month or a day.
    """

    name: str
    provider: str
    price_type: PriceType
    usd_per_hour: float
    as_of: str
    source: str
    note: str = ""
    is_default: bool = False
    vcpus: int | None = None
    memory_gib: float | None = None


@cache
def price_lines() -> tuple[PriceLine, ...]:
    """All lines of the price table, in file order."""
    text = files("planner").joinpath("catalog/prices.csv").read_text(encoding="utf-8")
    return tuple(_line(row) for row in csv.DictReader(text.splitlines()))


def find_price(accelerator_name: str, *, provider: str | None = None) -> PriceLine | None:
    """The price of an accelerator by its catalogue name; None where the table has none.

    Without a provider, the default line. With one, its on-demand line, or the first of its others.
    BadInput for a provider the table does not know, or who does not rent this accelerator.
    """
    lines = [line for line in price_lines() if line.name == accelerator_name and line.vcpus is None]
    return _choose(lines, accelerator_name, provider)


def find_host_price(cpu: Cpu, *, provider: str | None = None) -> PriceLine | None:
    """The cheapest rented CPU host with at least these cores and this memory; None where none is that large."""
    hosts = [line for line in price_lines() if line.name == CPU_HOST and _holds(line, cpu)]
    return _choose(sorted(hosts, key=lambda line: line.usd_per_hour), "a CPU host of this size", provider)


def price_of(hardware: Hardware, *, provider: str | None = None) -> PriceLine | None:
    """The price of one accelerator of this hardware, or of the CPU host when there is no accelerator."""
    if hardware.accelerator is not None:
        return find_price(hardware.accelerator.name, provider=provider)
    return find_host_price(hardware.cpu, provider=provider) if hardware.cpu is not None else None


def providers() -> tuple[str, ...]:
    """Everyone the table has a price of, in alphabetical order."""
    return tuple(sorted({line.provider for line in price_lines()}))


def _choose(lines: Sequence[PriceLine], offered: str, provider: str | None) -> PriceLine | None:
    if provider is None:
        return next((line for line in lines if line.is_default), None)
    named = _known_provider(provider)
    theirs = [line for line in lines if line.provider == named]
    if lines and not theirs:
        others = sorted({line.provider for line in lines})
        raise BadInput(
            f"no price of {named} for {offered}", fix=f"name one of: {', '.join(others)}, or give USD per hour"
        )
    return next((line for line in theirs if line.price_type == "on-demand"), theirs[0] if theirs else None)


def _known_provider(provider: str) -> str:
    by_lower = {known.lower(): known for known in providers()}
    if provider.lower() in by_lower:
        return by_lower[provider.lower()]
    raise BadInput(
        f"no prices of provider {provider[:60]!r}",
        nearest=nearest(provider[:60], providers()),
        fix=f"name one of: {', '.join(providers())}, or give USD per hour",
    )


def _holds(line: PriceLine, cpu: Cpu) -> bool:
    return (line.vcpus or 0) >= cpu.cores and (line.memory_gib or 0) >= cpu.memory_gib


def _line(row: Mapping[str, str]) -> PriceLine:
    return PriceLine(
        name=row["name"],
        provider=row["provider"],
        price_type=cast(PriceType, row["price_type"]),
        usd_per_hour=float(row["usd_per_hour"]),
        as_of=row["as_of"],
        source=row["source"],
        note=row["note"],
        is_default=row["default"] == "yes",
        vcpus=int(row["vcpus"]) if row["vcpus"] else None,
        memory_gib=float(row["memory_gib"]) if row["memory_gib"] else None,
    )
