"""The picture of a sweep: models (or accelerators) down, formats across, coloured by users or longest context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

from planner.fits.choosing import Outcome
from planner.fits.fit import Fit
from planner.fits.over_accelerators import Everywhere
from planner.fits.settings import quality_tiers
from planner.templates import template_directory
from planner.writing import write_aside
from rules.vocabulary import FormatId

PALETTE = ("#e3f1ee", "#a9d8cf", "#5fb5ab", "#24908f", "#0d666e", "#083f4d")
MOST_ROWS = 60
CELL_WIDTH, GAP_WIDTH = 56, 10
KI = 1024
MEASURES = {"users": "requests at once", "context": "longest context, tokens"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One format of one row: `shade` from 0 to 1; None where nothing of it holds the load."""

    text: str
    shade: float
    is_best: bool
    is_avoided: bool
    says: str

    @property
    def fill(self) -> str:
        return colour(self.shade)

    @property
    def ink(self) -> str:
        return "#ffffff" if self.shade > 0.5 else "#12343b"


@dataclass(frozen=True, slots=True)
class Column:
    """A format, and how far right it stands: formats that lose alike stand together."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Row:
    """Models (or some accelerators) with the same figures, their size (or price), and a cell for each column."""

    names: tuple[str, ...]
    detail: str
    cells: tuple[Cell | None, ...]

    @property
    def label(self) -> str:
        """The first name, and how many more there are."""
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]}  +{len(self.names) - 1}"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Everything the template `heat_map.svg.j2` draws. `ticks` are the legend's (place from 0 to 1, label)."""

    title: str
    subtitle: str
    measure: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int

    @property
    def width(self) -> int:
        """Of all columns."""
        return self.columns[-1].offset + CELL_WIDTH if self.columns else 0

    def svg(self) -> str:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(template_directory()),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("heat_map.svg.j2").render(map=self, palette=PALETTE, cell_width=CELL_WIDTH)

    def write(self, path: Path) -> None:
        """Write the picture as SVG. BadInput when the file cannot be written."""
        write_aside(path, self.svg())


def model_map(outcome: Outcome, colour_by: str) -> HeatMap:
    """Models by formats on one kind of hardware, the largest model first."""
    by_model: dict[str, list[Fit]] = {}
    for number in outcome.best_of_formats():
        fit = outcome.fit(int(number))
        by_model.setdefault(fit.model, []).append(fit)
    labels = [(fits[0].model, f"{fits[0].params_b:.3g} B", fits) for fits in by_model.values()]
    title = f"What fits on {outcome.hardware.label}"
    return _map(title, _load(outcome), labels, colour_by, outcome.question.limit)


def accelerator_map(swept: Everywhere, colour_by: str) -> HeatMap:
    """The fewest of each accelerator that hold the model, by formats, the cheapest first."""
    holding = {fit.hardware: fit for fit in swept.answer().fits}
    labels = []
    for hardware, best in holding.items():
        outcome = next(
            outcome for outcome in swept.outcomes if outcome.hardware.label == hardware and outcome.best().size
        )
        fits = [outcome.fit(int(number)) for number in outcome.best_of_formats()]
        price = f"${best.usd_per_hour:,.2f}/h" if best.usd_per_hour is not None else ""
        labels.append((hardware, price, fits))
    return _map(f"Where {swept.model.name} fits", _load(swept.outcomes[0]), labels, colour_by, swept.question.limit)


def colour(shade: float) -> str:
    """The colour at that place of the palette, as #rrggbb."""
    place = min(max(shade, 0.0), 1.0) * (len(PALETTE) - 1)
    below = min(int(place), len(PALETTE) - 2)
    low, high = (bytes.fromhex(PALETTE[n][1:]) for n in (below, below + 1))
    mixed = (round(a + (b - a) * (place - below)) for a, b in zip(low, high, strict=True))
    return "#" + bytes(mixed).hex()


def _map(
    title: str, subtitle: str, labels: Sequence[tuple[str, str, list[Fit]]], colour_by: str, limit: int | None
) -> HeatMap:
    order = quality_tiers()
    groups = alike(labels, colour_by)
    shown = groups[: limit or MOST_ROWS]
    formats = sorted({fit.format for _, _, fits in shown for fit in fits}, key=lambda format: order[format])
    values = [_value(fit, colour_by) for _, _, fits in shown for fit in fits]
    scale = _Scale(min((v for v in values if v), default=1.0), max((v for v in values if v), default=1.0))
    rows = tuple(Row(names, detail, _cells(fits, formats, colour_by, scale)) for names, detail, fits in shown)
    ticks = tuple((scale.shade(value), _short(value, colour_by)) for value in scale.ticks())
    return HeatMap(title, subtitle, MEASURES[colour_by], _columns(formats), rows, ticks, len(groups) - len(shown))


def alike(labels: Sequence[tuple[str, str, list[Fit]]], colour_by: str) -> list[tuple[tuple[str, ...], str, list[Fit]]]:
    """Rows that would show the same figures as one, under all their names."""
    together: dict[object, tuple[tuple[str, ...], str, list[Fit]]] = {}
    for label, detail, fits in labels:
        figures = tuple((fit.format, fit.engine, _short(_value(fit, colour_by), colour_by), fit.reason) for fit in fits)
        names, _, first = together.get((detail, figures), ((), detail, fits))
        together[detail, figures] = ((*names, label), detail, first)
    return list(together.values())


def _columns(formats: Sequence[FormatId]) -> tuple[Column, ...]:
    """A gap before each format that loses more than the one to its left."""
    order, gaps, columns = quality_tiers(), 0, []
    for number, format in enumerate(formats):
        gaps += number > 0 and order[format][0] != order[formats[number - 1]][0]
        columns.append(Column(format, number * CELL_WIDTH + gaps * GAP_WIDTH))
    return tuple(columns)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A logarithmic scale."""

    least: float
    most: float

    def shade(self, value: float | None) -> float:
        if value is None:
            return 1.0
        if self.most <= self.least or value <= 0:
            return 0.0
        return log(value / self.least) / log(self.most / self.least)

    def ticks(self, count: int = 5) -> Iterable[float]:
        if self.most <= self.least:
            return (self.least,)
        return (self.least * (self.most / self.least) ** (n / (count - 1)) for n in range(count))


def _cells(fits: list[Fit], columns: Sequence[str], colour_by: str, scale: _Scale) -> tuple[Cell | None, ...]:
    """For each format the candidate that comes first; the row's best is the first that is not advised against."""
    best = next((fit for fit in fits if not fit.reason), None)
    first: dict[str, Fit] = {}
    for fit in sorted(fits, key=lambda fit: bool(fit.reason)):
        first.setdefault(fit.format, fit)
    return tuple(
        _cell(first[format], colour_by, scale, is_best=first[format] is best) if format in first else None
        for format in columns
    )


def _cell(fit: Fit, colour_by: str, scale: _Scale, *, is_best: bool) -> Cell:
    value = _value(fit, colour_by)
    says = (
        f"{fit.model}, {fit.format} on {fit.engine}, TP {fit.tensor_parallel} x{fit.replicas}, {fit.kv_cache} KV: "
        f"{fit.weights_gib:.1f} GiB of weights, {fit.kv_room_gib:.1f} GiB for the cache; {fit.quality}"
    )
    return Cell(_short(value, colour_by), scale.shade(value), is_best, bool(fit.reason), says)


def _value(fit: Fit, colour_by: str) -> float | None:
    return fit.users if colour_by == "users" else float(fit.longest_context_tokens)


def _short(value: float | None, colour_by: str) -> str:
    if value is None:
        return "∞"
    if colour_by == "users":
        return f"{value:.0f}" if value < 10_000 else f"{value / 1000:.0f}k"
    return f"{value / KI:.0f}k" if value >= KI else f"{value:.0f}"


def _load(outcome: Outcome) -> str:
    question = outcome.question
    tokens = f"{question.context_tokens:,} tokens" if question.context_tokens else "8,192 tokens or the model's maximum"
    return f"holding {question.users} requests at once of {tokens}"
