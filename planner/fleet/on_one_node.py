"""Copies inside one node: every split, with the batch that gives most tokens a second within the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from planner.catalog import load_yaml
from planner.clusters.cluster import NodeType
from planner.figures import figure
from planner.fits.settings import quality_tiers
from planner.fleet.fleet import ServedModel
from planner.fleet.option import Option
from planner.models.model import Model
from rules.book import Book
from rules.vocabulary import FormatId

if TYPE_CHECKING:
    from planner.frontier.places import Place
    from planner.frontier.sweeping import Swept


def options_on_one_node(
    served: ServedModel, model: Model, nodes: Sequence[NodeType], busy_share: float, book: Book
) -> tuple[list[Option], list[tuple[str, str]]]:
    """The best batch of every split inside one node, for each kind of node; and why others have none."""
    from planner.frontier.runs import all_runs
    from planner.frontier.sweeping import swept

    places = {node.name: _place(served, model, node, book) for node in nodes}
    request = served.request(nodes[0].hardware.label) if nodes else None
    offering = [place for place in places.values() if place.offered]
    runs = all_runs(model, offering, request) if request and offering else []
    found = swept(model, runs, request) if request and runs else None
    options: list[Option] = []
    why_not = []
    for node in nodes:
        place = places[node.name]
        here = _best_batches(served, node, place, found, busy_share) if found else []
        options += here
        if not here:
            why_not.append((node.name, _why_not(served, node, place, found)))
    return options, why_not


def _place(served: ServedModel, model: Model, node: NodeType, book: Book) -> Place:
    """A node as a place of the sweep, with the formats that the model's bound on loss allows."""
    from planner.costs.hourly import HourlyPrice
    from planner.frontier.places import place_on

    unpriced = HourlyPrice("given", 0.0, "", "", "")
    request = served.request(node.hardware.label)
    place = place_on(model, node.hardware, node.accelerator, unpriced, request, book, whole=False)
    return replace(place, offered=tuple(o for o in place.offered if is_allowed(served, model, o.format)))


def _best_batches(served: ServedModel, node: NodeType, place: Place, found: Swept, busy_share: float) -> list[Option]:
    """For every split the batch that gives most tokens a second within the targets.

    What is timed by its datasheet alone is an option only where nothing else on the node is.
    """
    import numpy as np

    here = np.array([run.place is place for run in found.runs])[found.which]
    sizes = np.array([run.tensor_parallel for run in found.runs])[found.which]
    allowed = found.meets & ~found.avoided & here
    predicted = allowed & ~found.only_bounds
    usable = np.flatnonzero(predicted if predicted.any() else allowed)
    options = []
    for size in np.unique(sizes[usable]):
        these = usable[sizes[usable] == size]
        best = int(these[np.argmax(found.speeds.tokens_per_s[these])])
        offer = found.runs[int(found.which[best])].offer
        options.append(
            Option(
                model=served.label,
                node_type=node.name,
                gpus=int(size),
                nodes=1,
                tensor_parallel=int(size),
                pipeline_parallel=1,
                format=offer.format,
                engine=offer.engine,
                kv_cache=offer.kv_format,
                batch=int(found.batch[best]),
                requests_per_s=float(found.speeds.tokens_per_s[best]) / served.output_tokens * busy_share,
                ttft_ms=float(found.speeds.ttft_ms[best]),
                tpot_ms=float(found.speeds.tpot_ms[best]),
            )
        )
    return options


def is_allowed(served: ServedModel, model: Model, format: FormatId) -> bool:
    """A format insisted on, the model's own, or one of the tiers its bound on loss allows."""
    if served.format is not None or format == model.stored_format:
        return True
    allowed: int = load_yaml("clusters.yaml")["loss_tiers"][served.loss]
    return quality_tiers()[format][0] < allowed


def _why_not(served: ServedModel, node: NodeType, place: Place, found: Swept | None) -> str:
    """No kernel, no room, or which target nothing meets, with the least there is."""
    import numpy as np

    if not place.offered:
        return f"{served.engine} has no kernel there for {served.format or 'a format of so little loss'}"
    here = np.array([run.place is place for run in found.runs])[found.which] if found else np.zeros(0, dtype=bool)
    if found is None or not here.any():
        return f"no split over up to {node.gpus} accelerators holds it"
    allowed = np.flatnonzero(found.known & ~found.avoided & here)
    if not allowed.size:
        return "the rules allow no format there, or its speed is not known"
    said = []
    for name, target, values in (
        ("time to first token", served.ttft_ms, found.speeds.ttft_ms),
        ("time per output token", served.tpot_ms, found.speeds.tpot_ms),
    ):
        least = float(np.min(values[allowed]))
        if target is not None and least > target:
            said.append(f"{name} {target:g} ms (the least there is {figure(least)})")
    return f"misses {' and '.join(said)}" if said else "meets each of its targets, but no batch meets both"
