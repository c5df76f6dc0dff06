"""Copies held to a percentile: what one carries of an open load within its targets, simulated step by step.

Only options that a packing chooses are simulated. The others keep the rate of the closed loop, which is never the
lower one; packings are solved again until every copy in them was simulated, and the last is what simulating all gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.clusters.cluster import Cluster
from planner.errors import BadInput
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.option import Option
from planner.fleet.packing import Limits, Packing
from planner.request import ServiceLevel

if TYPE_CHECKING:
    from planner.serving.outcome import Outcome
    from planner.serving.server import Server

Options = Mapping[str, Sequence[Option]]


@dataclass(frozen=True, slots=True)
class Held:
    """A packing whose copies keep their percentiles, the options it was chosen from, and what was not simulated."""

    packing: Packing
    options: Options
    notes: tuple[str, ...]


def packed_within_percentiles(
    options: Options, fleet: Fleet, cluster: Cluster, pack: Callable[[Options, Limits], Packing], limits: Limits
) -> Held:
    """`pack` asked until every copy of a model with a `percentile` carries what the simulation says it can."""
    held = {model.label: model for model in fleet.models if model.percentile is not None}
    simulated: dict[Option, Option | None] = {}
    notes: dict[str, None] = {}
    while True:
        packing = pack(options, limits.again if simulated else limits)
        unknown = {copy for copy, _ in packing.copies if copy.model in held and copy not in simulated.values()}
        if not unknown:
            return Held(packing, options, tuple(notes))
        for option in unknown:
            try:
                simulated[option] = _within_percentile(option, held[option.model], cluster)
            except BadInput as unable:
                simulated[option] = replace(option, percentile=None)
                notes[f"{option.model} on {option.node_type} is held to means: {unable.what}"] = None
        options = {label: _replaced(ways, simulated) for label, ways in options.items()}


def _replaced(ways: Sequence[Option], simulated: Mapping[Option, Option | None]) -> tuple[Option, ...]:
    """Without those that miss their targets under any load."""
    found = (simulated.get(option, option) for option in ways)
    return tuple(option for option in found if option is not None)


def _within_percentile(option: Option, served: ServedModel, cluster: Cluster) -> Option | None:
    """The same copy at the largest load within its targets, at most what was planned; None where there is none."""
    server, step = _server(option, served, cluster), option.requests_per_s
    rate, most, waits = step, 0.0, None
    for _ in range(1 + _settings()["halvings"]["value"]):
        found = _carried(server, served, rate)
        if found is not None:
            most, waits = rate, found
        if most == option.requests_per_s:
            break
        step /= 2
        rate += -step if found is None else step
    if waits is None:
        return None
    ttft_ms, tpot_ms = (each.at(served.percentile) for each in (waits.ttft_ms, waits.tpot_ms))
    return replace(option, requests_per_s=most, ttft_ms=ttft_ms, tpot_ms=tpot_ms, percentile=served.percentile)


def _carried(server: Server, served: ServedModel, requests_per_s: float) -> Outcome | None:
    """What users wait for at this load; None where they wait longer than the targets, or where the queue only grows."""
    from planner.serving.capacity import Targets
    from planner.serving.lengths import Lognormal
    from planner.serving.simulating import simulate
    from planner.serving.traffic import Traffic

    tokens = served.input_tokens, served.output_tokens
    lengths = Lognormal(*tokens, _settings()["length_spread"]["value"])
    found = simulate(server, Traffic(*tokens, requests_per_s=requests_per_s, lengths=lengths))
    return found if Targets(served.ttft_ms, served.tpot_ms, served.percentile).met_by(found) else None


def _server(option: Option, served: ServedModel, cluster: Cluster) -> Server:
    """One copy as a plan would start it. BadInput where it cannot be simulated."""
    from planner.planning import make_plan
    from planner.serving.from_plan import server_of

    node = next(node for node in cluster.nodes if node.name == option.node_type)
    layout = {
        "format": option.format,
        "tensor_parallel": option.tensor_parallel,
        "pipeline_parallel": option.pipeline_parallel if option.pipeline_parallel > 1 else None,
        "nodes": cluster.nodes_of(node),
        "service_level": ServiceLevel(),
    }
    return server_of(make_plan(served.request(f"{option.gpus}x{node.gpu}", option.batch).model_copy(update=layout)))


def _settings() -> Mapping[str, Any]:
    found: Mapping[str, Any] = load_yaml("clusters.yaml")["fleet"]["percentile"]
    return found
