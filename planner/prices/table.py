"""The price table: the catalogue's lines, with those of the user's own price file, or of SkyPilot's, before them."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from planner.errors import BadInput
from planner.prices.line import PriceLine, check_columns, read_line
from planner.prices.skypilot import Asked, LeftOut, asked_of, price_files, prices_of

CATALOGUE = "planner/catalog/prices.csv"
ENVIRONMENT = "QUANTPLAN_PRICES"
A_PRICE_FILE = "write one: `quantplan prices --csv` prints a table to start from"


@dataclass(frozen=True)
class PriceTable:
    """Price lines, the user's own first. `left_out`: what SkyPilot offers and no line was made of."""

    lines: tuple[PriceLine, ...]
    left_out: tuple[LeftOut, ...] = ()

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """Everyone the table has a price of, in alphabetical order."""
        return tuple(sorted({line.provider for line in self.lines}))

    @cached_property
    def by_name(self) -> dict[str, tuple[PriceLine, ...]]:
        found: dict[str, list[PriceLine]] = {}
        for line in self.lines:
            found.setdefault(line.name, []).append(line)
        return {name: tuple(lines) for name, lines in found.items()}


@cache
def price_lines() -> tuple[PriceLine, ...]:
    """All lines of the catalogue, in file order."""
    return _read(files("planner").joinpath("catalog/prices.csv").read_text(encoding="utf-8"), CATALOGUE, None)


def price_table(file: str | None = None) -> PriceTable:
    """The catalogue, or with a price file its lines before the catalogue's. BadInput when the file is not one.

    `skypilot[:FOLDER][@REGION]` stands for SkyPilot's own catalogue.
    """
    if file is None:
        return _catalogue()
    if (asked := asked_of(file)) is not None:
        return _with_skypilots(asked, tuple((path, path.stat().st_mtime_ns) for path in price_files(asked.folder)))
    path = Path(file)
    try:
        return _with_own(file, path.stat().st_mtime_ns)
    except OSError as error:
        raise BadInput(f"cannot read the prices: {error.strerror}", where=file, fix=A_PRICE_FILE) from None


def own_price_file(named: str | None) -> str | None:
    """The price file to use: the one named, else the one the environment variable QUANTPLAN_PRICES names."""
    return named or os.environ.get(ENVIRONMENT) or None


@cache
def _catalogue() -> PriceTable:
    return PriceTable(price_lines())


@lru_cache(maxsize=8)
def _with_skypilots(asked: Asked, changed_at: tuple[tuple[Path, int], ...]) -> PriceTable:
    """SkyPilot's lines, then the catalogue's of other clouds; of no region, so none of these where one is asked for."""
    lines, left_out = prices_of((path for path, _ in changed_at), asked.region)
    if asked.region is not None:
        return PriceTable(lines, left_out)
    renewed = {(line.name, line.provider, line.price_type) for line in lines}
    kept = (line for line in price_lines() if (line.name, line.provider, line.price_type) not in renewed)
    return PriceTable((*lines, *kept), left_out)


@lru_cache(maxsize=8)
def _with_own(file: str, changed_at: int) -> PriceTable:
    """`changed_at` makes a file that was changed be read again."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("the prices are not UTF-8 text", where=file, fix="save them as CSV in UTF-8") from None
    return PriceTable((*_read(text, file, file), *price_lines()))


def _read(text: str, where: str, file: str | None) -> tuple[PriceLine, ...]:
    reader = csv.DictReader(text.splitlines())
    check_columns(list(reader.fieldnames or ()), where)
    lines = []
    for number, row in enumerate(reader, 2):
        if None in row:
            raise BadInput("more cells than columns", where=f"{where}:{number}", fix='put text with commas in "quotes"')
        lines.append(read_line(row, f"{where}:{number}", file))
    if not lines:
        raise BadInput("no prices in the file", where=where, fix=A_PRICE_FILE)
    return tuple(lines)
