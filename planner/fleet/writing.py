"""A fleet plan as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from planner.fleet.answering import FleetPlan
from planner.fleet.fleet import ServedModel

SCHEMA_VERSION = 1


def as_json(answer: FleetPlan) -> dict[str, Any]:
    """The whole answer. Keys are only ever added; `schema_version` counts changes that break."""
    return {
        "schema_version": SCHEMA_VERSION,
        "currency": "USD",
        "cluster": answer.cluster.name,
        "objective": answer.fleet.objective,
        "optimality_gap": answer.gap,
        "seconds": {"options": answer.options_s, "packing": answer.solving_s},
        "usd_per_hour": answer.usd_per_hour,
        "usd_per_month": answer.usd_per_month,
        "gpus": answer.cluster.gpus,
        "gpus_in_use": answer.gpus_in_use,
        "nodes": [
            {
                "name": node.name,
                "gpu": node.accelerator.name,
                "gpus": node.gpus,
                "count": node.count,
                "in_use": answer.nodes_in_use.get(node.name, 0),
                "spare": answer.spare_nodes(node),
                "free": answer.free_nodes(node),
                "usd_per_node_hour": node.usd_per_node_hour,
            }
            for node in answer.cluster.nodes
        ],
        "models": [_model(answer, model) for model in answer.fleet.models],
        "copies": [
            {
                **asdict(copy.option),
                "on": [f"{copy.option.node_type}-{number}" for number in copy.nodes],
            }
            for copy in answer.copies
        ],
        "short": [asdict(shortage) for shortage in answer.short],
        "notes": list(answer.notes),
    }


def _model(answer: FleetPlan, model: ServedModel) -> dict[str, Any]:
    carried = answer.carried_per_s(model)
    return {
        "name": model.label,
        "model": model.model,
        "copies": len(answer.copies_of(model)),
        "gpus": sum(copy.option.gpus for copy in answer.copies_of(model)),
        "asked_requests_per_s": model.requests_per_s,
        "planned_requests_per_s": carried,
        "headroom": carried / model.requests_per_s - 1,
        "without_worst_node": answer.without_worst_node(model),
    }
