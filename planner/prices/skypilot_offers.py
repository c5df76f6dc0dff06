"""What one file of SkyPilot's catalogue offers, row by row, and which accelerator of ours a row means."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatch
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput

FILE = "skypilot_prices.yaml"
NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region")
OPTIONAL = ("GpuInfo", "AvailabilityZone")
MEMORY = re.compile(r"SizeInMiB\W+(\d+)")
MIB_PER_GB = 1e9 / 2**20


@dataclass(frozen=True, slots=True)
class Offer:
    """A machine with `count` accelerators in a region: USD an hour of all of it; None: not rented so.

    `memory_mib` of one accelerator, where SkyPilot tells it.
    """

    file: Path
    instance: str
    name: str
    count: float
    memory_mib: int | None
    region: str
    usd: float | None
    spot_usd: float | None

    @property
    def cloud(self) -> str:
        return self.file.parent.name

    @property
    def apart(self) -> bool:
        """Whether the price is that of the accelerators without the machine they stand in."""
        return not self.instance


def offers_of(file: Path) -> Iterator[Offer]:
    """The rows with an accelerator; one priced apart from its machine has that added. BadInput for another format."""
    rows = _rows(file)
    machines = load_yaml(FILE)["machines_of_accelerators"].get(file.parent.name, {})
    hosts = _hosts(rows, {name for by_count in machines.values() for name in by_count.values()}) if machines else {}
    for row in rows:
        if row["AcceleratorName"]:
            offer = _offer(file, row)
            host = machines.get(offer.name, {}).get(int(offer.count), "")
            of_host = hosts.get((host, row["AvailabilityZone"])) if offer.apart else None
            yield _with_host(offer, host, *of_host) if of_host else offer


def _offer(file: Path, row: Mapping[str, str]) -> Offer:
    told = MEMORY.search(row["GpuInfo"])
    return Offer(
        file=file,
        instance=row["InstanceType"],
        name=row["AcceleratorName"],
        count=_number(row["AcceleratorCount"]) or 0.0,
        memory_mib=int(told[1]) if told else None,
        region=row["Region"],
        usd=_number(row["Price"]),
        spot_usd=_number(row["SpotPrice"]),
    )


def _with_host(offer: Offer, host: str, usd: float | None, spot_usd: float | None) -> Offer:
    return replace(offer, instance=host, usd=_sum(offer.usd, usd), spot_usd=_sum(offer.spot_usd, spot_usd))


def accelerator_of(offer: Offer) -> tuple[str | None, str]:
    """The catalogue's name of what an offer rents out; else None and why no price is taken from it."""
    if offer.apart:
        return None, "priced apart from the machine it stands in"
    if offer.count < 1 or offer.count != int(offer.count):
        return None, "only a part of an accelerator"
    entries = _entries().get(offer.name, ())
    if not entries:
        return None, "not in the catalogue of accelerators"
    found = next((entry["gpu"] for entry in entries if _fits(entry, offer)), None)
    if found is None:
        return None, "which of several cards it is, is not known"
    if not _has_its_memory(found, offer.memory_mib):
        return None, f"SkyPilot tells another memory than that of {found}"
    return found, ""


@cache
def dated(file: Path) -> str:
    """The day SkyPilot fetched this file: of the checksum it writes then, where the file is still the one it fetched.

    Else the day the file was changed last (SkyPilot also touches a file that it could not renew).
    """
    checksum = file.parents[1] / ".meta" / file.parent.name / f"{file.name}.md5"
    try:
        content = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        is_as_fetched = checksum.read_text().strip() == content
    except OSError:
        is_as_fetched = False
    changed = checksum if is_as_fetched else file
    return date.fromtimestamp(changed.stat().st_mtime).isoformat()


@cache
def _entries() -> dict[str, tuple[Mapping[str, str], ...]]:
    found: dict[str, list[Mapping[str, str]]] = {}
    for entry in load_yaml(FILE)["gpus"]:
        found.setdefault(entry["name"], []).append(entry)
    return {name: tuple(entries) for name, entries in found.items()}


def _fits(entry: Mapping[str, str], offer: Offer) -> bool:
    return fnmatch(offer.cloud, entry.get("cloud", "*")) and fnmatch(offer.instance, entry.get("instance", "*"))


@cache
def _has_its_memory(name: str, memory_mib: int | None) -> bool:
    from planner.hardware.catalogue import find_accelerator

    gpu = find_accelerator(name)
    if gpu is None or memory_mib is None:
        return gpu is not None
    tolerance: float = load_yaml(FILE)["memory_tolerance"]["value"]
    return abs(memory_mib / MIB_PER_GB / gpu.memory_gb - 1) <= tolerance


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            reader = csv.reader(text)
            columns = next(reader, [])
            _check(columns, file)
            return [_row(columns, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV in UTF-8"
        raise BadInput(f"cannot read SkyPilot's catalogue: {reason}", where=str(file), fix=_FETCH_AGAIN) from None


_FETCH_AGAIN = "delete the file and run `sky gpus list --all`: SkyPilot then fetches it again"


def _check(columns: Sequence[str], file: Path) -> None:
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        raise BadInput(f"column {missing[0]} is missing in SkyPilot's catalogue", where=str(file), fix=_FETCH_AGAIN)


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    return {**dict.fromkeys((*OPTIONAL, *columns), ""), **dict(zip(columns, cells, strict=False))}


def _hosts(
    rows: Sequence[Mapping[str, str]], names: set[Any]
) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """The prices of machines that are priced without their accelerators, by type and zone."""
    return {
        (row["InstanceType"], row["AvailabilityZone"]): (_number(row["Price"]), _number(row["SpotPrice"]))
        for row in rows
        if row["InstanceType"] in names
    }


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
