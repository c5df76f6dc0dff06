"""From single machines, as a running cluster lists them, to kinds of nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planner.clusters.cluster import Cluster, Link, NodeType
from planner.errors import BadInput
from planner.hardware.catalogue import find_entry
from planner.hardware.hardware import Accelerator
from planner.hardware.mig import name_and_profile, slice_of


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine with accelerators: its name, what it says they are, how many; `kind` is the operator's own name."""

    name: str
    product: str
    gpus: int
    kind: str = ""
    rack: str = ""


def known_as(product: str) -> Accelerator | None:
    """The accelerator a product name means, a MIG slice (`...:1g.10gb`) included; None where none is known."""
    name, profile = name_and_profile(product)
    entry = find_entry(name)
    if entry is None:
        return None
    return slice_of(entry.accelerator, profile) if profile else entry.accelerator


def grouped(name: str, machines: Iterable[Machine], link: Link | None, notes: Sequence[str], source: str) -> Cluster:
    """Machines alike as one node type. BadInput where none has an accelerator that is known."""
    notes = list(notes)
    kinds: dict[tuple[str, int, str], list[Machine]] = {}
    for machine in machines:
        known = known_as(machine.product)
        if known is None:
            notes.append(f"{machine.name} left out: {machine.product} is not in the catalogue")
        elif machine.gpus:
            kinds.setdefault((known.name, machine.gpus, machine.kind), []).append(machine)
    if not kinds:
        why = f": {'; '.join(notes[:3])}" if notes else ""
        raise BadInput(f"no node with a known accelerator in {source}{why}", fix="declare the cluster in YAML instead")
    names = _names(kinds)
    types = tuple(
        NodeType(
            name=names[key],
            gpu=key[0],
            gpus=key[1],
            count=len(found),
            racks=max(len({machine.rack for machine in found if machine.rack}), 1),
        )
        for key, found in sorted(kinds.items())
    )
    return Cluster(name=name, nodes=types, between_nodes=link, notes=tuple(notes))


def _names(kinds: dict[tuple[str, int, str], list[Machine]]) -> dict[tuple[str, int, str], str]:
    """The operator's own names where they tell the kinds apart, else count and accelerator."""
    own = Counter(kind for _, _, kind in kinds)
    plain = Counter(f"{gpus}x{gpu}" for gpu, gpus, _ in kinds)
    found = {}
    for gpu, gpus, kind in kinds:
        label = f"{gpus}x{gpu}"
        told_apart = label if plain[label] == 1 else f"{label}-{kind or 'plain'}"
        found[gpu, gpus, kind] = kind if kind and own[kind] == 1 else told_apart
    return found
