"""One dated line of a price table, read from one row of CSV and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal, cast, get_args

from planner.errors import BadInput, nearest

PriceKind = Literal["on-demand", "spot", "reserved", "serverless", "marketplace"]
KINDS: tuple[PriceKind, ...] = get_args(PriceKind)
CURRENCY = "USD"
REQUIRED = ("name", "provider", "price_type", "usd_per_hour", "as_of", "source")
OPTIONAL = ("vcpus", "memory_gib", "default", "note", "term_months", "currency")
DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """USD for an hour of one accelerator, or of one CPU host of `vcpus` and `memory_gib`.

    `as_of` is as exact as the source: a year, a month or a day. `term_months` is what a reserved price commits to.
    `file` is the price file it was read from; None: the catalogue.
    """

    name: str
    provider: str
    price_type: PriceKind
    usd_per_hour: float
    as_of: str
    source: str
    note: str = ""
    is_default: bool = False
    vcpus: int | None = None
    memory_gib: float | None = None
    term_months: int | None = None
    file: str | None = None

    @property
    def label(self) -> str:
        """Who asks it, how it is rented and when it was read: `Nebius, spot, 2026`."""
        term = f" for {self.term_months} months" if self.term_months else ""
        return f"{self.provider}, {self.price_type}{term}, {self.as_of}"

    @property
    def provenance(self) -> str:
        """Where the figure comes from, with the file where it is one of the user's own."""
        return f"{self.source} (your price file {self.file})" if self.file else self.source


def check_columns(columns: list[str], where: str) -> None:
    """BadInput for a column that is missing, or that no price table has."""
    known = (*REQUIRED, *OPTIONAL)
    for column in columns:
        if column not in known:
            raise BadInput(
                f"unknown column {column[:60]!r}",
                where=where,
                nearest=nearest(column[:60], known),
                fix=f"use these columns: {', '.join(known)}",
            )
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise BadInput(
            f"column {missing[0]} is missing", where=where, fix=f"the first line must name: {', '.join(REQUIRED)}"
        )


def read_line(row: Mapping[str, str | None], where: str, file: str | None) -> PriceLine:
    """One row as a line. BadInput names the row and what is wrong with it."""
    cells = {column: (value or "").strip() for column, value in row.items()}
    for column in REQUIRED:
        if not cells[column]:
            raise BadInput(f"{column} is empty", where=where, fix=f"fill in {column}: every price has one")
    _check_words(cells, where)
    return PriceLine(
        name=cells["name"],
        provider=cells["provider"],
        price_type=cast(PriceKind, cells["price_type"]),
        usd_per_hour=_number(cells, "usd_per_hour", where) or 0.0,
        as_of=cells["as_of"],
        source=cells["source"],
        note=cells.get("note", ""),
        is_default=cells.get("default", "") == "yes",
        vcpus=_whole(cells, "vcpus", where),
        memory_gib=_number(cells, "memory_gib", where),
        term_months=_whole(cells, "term_months", where),
        file=file,
    )


def _check_words(cells: Mapping[str, str], where: str) -> None:
    kind, date, currency = cells["price_type"], cells["as_of"], cells.get("currency") or CURRENCY
    if kind not in KINDS:
        raise BadInput(
            f"unknown price_type {kind[:60]!r}",
            where=where,
            nearest=nearest(kind[:60], KINDS),
            fix=f"use one of: {', '.join(KINDS)}",
        )
    if not DATE.fullmatch(date):
        raise BadInput(f"as_of {date[:60]!r} is no date", where=where, fix="write 2026, 2026-04 or 2026-04-07")
    if currency != CURRENCY:
        raise BadInput(
            f"currency {currency[:20]!r}: prices are in {CURRENCY}",
            where=where,
            fix="convert the price to USD and write the rate and its date in `note`",
        )


def _number(cells: Mapping[str, str], column: str, where: str) -> float | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadInput(f"{column} {text[:60]!r} is no number", where=where, fix="write it like 1.64") from None
    if value < 0 or not isfinite(value):
        raise BadInput(f"{column} {text[:60]} is negative or endless", where=where, fix=f"give {column} of 0 or more")
    return value


def _whole(cells: Mapping[str, str], column: str, where: str) -> int | None:
    value = _number(cells, column, where)
    if value is not None and value != int(value):
        raise BadInput(f"{column} {value:g} is not whole", where=where, fix=f"give {column} as a whole number")
    return None if value is None else int(value)
