"""Dated prices of an hour of one accelerator or of a CPU host: the catalogue's table, and your own over it.

A name's default line is the one marked `yes` in the `default` column: on demand wherever that is offered.
A CPU host costs what the cheapest rented machine with at least its cores and memory costs.
"""

from planner.prices.finding import find_host_price, find_price, known_provider, lines_like, price_of, providers
from planner.prices.line import KINDS, PriceKind, PriceLine
from planner.prices.table import PriceTable, price_lines, price_table

__all__ = [
    "KINDS",
    "PriceKind",
    "PriceLine",
    "PriceTable",
    "find_host_price",
    "find_price",
    "known_provider",
    "lines_like",
    "price_lines",
    "price_of",
    "price_table",
    "providers",
]
