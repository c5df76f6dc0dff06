"""SkyPilot's catalogue of clouds as a price source: what lies on this machine, dated by its files; nothing is fetched.

`skypilot[:FOLDER][@REGION]` stands wherever a price file may. One line comes out for each accelerator, cloud and way to
rent, at the cheapest of the regions asked for. Format: skypilot-org/skypilot-catalog README.md, `vms.csv` (v5 to v8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from planner.prices.line import PriceKind, PriceLine
from planner.prices.skypilot_offers import Offer, accelerator_of, dated, offers_of

WORD = "skypilot"
RUNTIME_FOLDER = "SKY_RUNTIME_DIR"
HOW_TO_GET = "`pip install skypilot` and `sky gpus list --all` put it there; or name its folder: skypilot:FOLDER"
ASKED = re.compile(rf"{WORD}(?::(?P<folder>.+?))?(?:@(?P<region>[^@/]+))?")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which catalogue, and of which regions (a shell pattern; None: all)."""

    folder: Path
    region: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Offers of SkyPilot's catalogue that no price was taken from: their accelerator as SkyPilot names it, and why."""

    name: str
    providers: tuple[str, ...]
    why: str


def asked_of(named: str) -> Asked | None:
    """What `skypilot[:FOLDER][@REGION]` asks for; None for anything else."""
    found = ASKED.fullmatch(named)
    if found is None:
        return None
    usual = Path(os.environ.get(RUNTIME_FOLDER, "~"), ".sky", "catalogs")
    return Asked(Path(found["folder"] or usual).expanduser(), found["region"])


def price_files(folder: Path) -> tuple[Path, ...]:
    """Every cloud's `vms.csv` of the newest version in this folder. BadInput where there is none."""
    for within in (folder, *_versions(folder), *_versions(folder / "catalogs")):
        found = sorted(within.glob("*/vms.csv"))
        if found:
            return tuple(found)
    raise BadInput("there is no catalogue of SkyPilot", where=str(folder), fix=HOW_TO_GET)


def prices_of(files: Iterable[Path], region: str | None) -> tuple[tuple[PriceLine, ...], tuple[LeftOut, ...]]:
    """The cheapest line of each accelerator, cloud and way to rent; and what was left out.

    BadInput for a file of another format, or where nothing is offered in the region.
    """
    offers = [offer for file in files for offer in offers_of(file)]
    here = [offer for offer in offers if region is None or fnmatch(offer.region.lower(), region.lower())]
    if not here:
        known = sorted({offer.region for offer in offers if offer.region})
        raise BadInput(
            f"SkyPilot's catalogue offers no accelerator in region {region!r}",
            nearest=nearest(region or "", known),
            fix="name a region, or a pattern such as 'eu-*'; without one the cheapest region is taken",
        )
    cheapest: dict[tuple[str, str, PriceKind], PriceLine] = {}
    left_out: dict[tuple[str, str], set[str]] = {}
    for offer in here:
        name, why = accelerator_of(offer)
        if name is None:
            left_out.setdefault((offer.name, why), set()).add(_provider(offer))
            continue
        for line in _lines(offer, name):
            key = (line.name, line.provider, line.price_type)
            if key not in cheapest or line.usd_per_hour < cheapest[key].usd_per_hour:
                cheapest[key] = line
    untaken = (LeftOut(name, tuple(sorted(who)), why) for (name, why), who in sorted(left_out.items()))
    return _with_defaults(cheapest.values()), tuple(untaken)


def _versions(folder: Path) -> list[Path]:
    """Folders `v8`, `v7` ... of the catalogue's format, the newest first."""
    numbered = [path for path in folder.glob("v*") if path.name[1:].isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name[1:]), reverse=True)


def _lines(offer: Offer, name: str) -> Iterator[PriceLine]:
    """On demand and on spot, where the cloud rents it so: USD an hour of one accelerator, its share of the machine."""
    together = f", {offer.count:g} in one machine" if offer.count > 1 else ""
    where = f" in {offer.region}" if offer.region else ""
    kinds: tuple[tuple[PriceKind, float | None], ...] = (("on-demand", offer.usd), ("spot", offer.spot_usd))
    for kind, usd in kinds:
        if usd:
            yield PriceLine(
                name=name,
                provider=_provider(offer),
                price_type=kind,
                usd_per_hour=usd / offer.count,
                as_of=dated(offer.file),
                source=f"{offer.instance}{where}{together}; SkyPilot's {offer.cloud}/vms.csv ({offer.file.parts[-3]})",
                file=str(offer.file),
            )


def _provider(offer: Offer) -> str:
    clouds: dict[str, str] = load_yaml("skypilot_prices.yaml")["clouds"]
    return clouds.get(offer.cloud, offer.cloud)


def _with_defaults(lines: Iterable[PriceLine]) -> tuple[PriceLine, ...]:
    """By name and price; of each accelerator the cheapest on demand is the one taken where nothing else is asked."""
    ordered = sorted(lines, key=lambda line: (line.name, line.price_type != "on-demand", line.usd_per_hour))
    first = {line.name: line for line in reversed(ordered) if line.price_type == "on-demand"}
    return tuple(replace(line, is_default=True) if first.get(line.name) is line else line for line in ordered)
