"""Price lines that answer a question about the table."""

from __future__ import annotations

from planner.errors import BadInput, nearest
from planner.prices.line import PriceKind, PriceLine
from planner.prices.table import PriceTable


def listed(
    table: PriceTable, *, gpu: str | None = None, provider: str | None = None, kind: PriceKind | None = None
) -> tuple[PriceLine, ...]:
    """The lines of this accelerator (or part of a name), provider and kind, by name and then by price.

    BadInput names what has no line, with the nearest that has.
    """
    found = [line for line in table.lines if kind in (None, line.price_type)]
    if gpu is not None:
        found = _matching(found, [line.name for line in found], gpu, "accelerator", "--gpu")
    if provider is not None:
        found = _matching(found, [line.provider for line in found], provider, "provider", "--provider")
    if not found:
        raise BadInput(f"no {kind} price of what was asked", fix="leave out --kind, or --gpu, or --provider")
    return tuple(sorted(found, key=lambda line: (line.name, line.usd_per_hour, line.provider)))


def _matching(lines: list[PriceLine], names: list[str], wanted: str, what: str, option: str) -> list[PriceLine]:
    """Lines whose name is the one wanted, else those whose name contains it."""
    for fits in (str.__eq__, str.__contains__):
        found = [line for line, name in zip(lines, names, strict=True) if fits(name.lower(), wanted.lower())]
        if found:
            return found
    raise BadInput(
        f"no price of the {what} {wanted[:60]!r}",
        nearest=nearest(wanted[:60], set(names)),
        fix=f"`quantplan prices` without {option} lists them all",
    )
