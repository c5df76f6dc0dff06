"""A packing as the page shows it: the headline, the models, what one lost node does, and a picture of the nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from planner.figures import figure, usd
from planner.service.clusters.questions import FleetQuestion

COLOURS = 8
NODE_WIDTH = 480.0
WIDTH_OF_A_LETTER = 8.0
OF_A_WAY = (
    "node_type", "tensor_parallel", "pipeline_parallel", "gpus", "format", "engine", "batch", "ttft_ms", "tpot_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A copy, or what is free, on the picture of a node; `start` and `width` in its units."""

    label: str
    says: str
    start: float
    width: float
    colour: int


def shown(told: dict[str, Any], question: FleetQuestion) -> dict[str, Any]:
    """Everything the page says about a packing."""
    colours = {model["name"]: number % COLOURS + 1 for number, model in enumerate(told["models"])}
    by_label = {model.label: model for model in question.fleet.models}
    return {
        "title": f"{len(told['models'])} models on {told['cluster']}",
        "whole": not told["short"],
        "figures": list(figures(told)),
        "short": [
            {**one, "served": figure(one["served_per_s"]), "asked": figure(one["asked_per_s"])} for one in told["short"]
        ],
        "models": [
            {**_model(told, model), "colour": colours[model["name"]], "ways": list(_ways(told, model, by_label))}
            for model in told["models"]
        ],
        "nodes": [_node(node) for node in told["nodes"]],
        "rows": list(rows(told, colours)),
    }


def figures(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The headline: label, value, and what it is of."""
    in_use = sum(node["in_use"] for node in told["nodes"])
    spare = sum(node["spare"] for node in told["nodes"])
    nodes = sum(node["count"] for node in told["nodes"])
    yield "USD an hour", usd(told["usd_per_hour"]), "nodes in use and the spare ones"
    yield "USD a month", usd(told["usd_per_month"]), "always on"
    yield "Accelerators in use", f"{told['gpus_in_use']:,}", f"of {told['gpus']:,}"
    yield "Nodes in use", f"{in_use:,}", f"and {spare:,} kept empty for a failure, of {nodes:,}"
    by = "cost" if told["objective"] == "cost" else "accelerators"
    yield (
        "Above the best possible",
        f"{100 * told['optimality_gap']:.2f} %",
        f"of the {by} at most; the solver's proof",
    )
    yield "Worked out in", f"{sum(told['seconds'].values()):.1f} s", ""


def _model(told: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """One model: what it asked for, what is planned, and what is left of it when its worst node fails."""
    asked, planned, left = model["asked_requests_per_s"], model["planned_requests_per_s"], model["without_worst_node"]
    served = min(planned * left / asked, 1.0)
    return {
        **model,
        "asked": figure(asked),
        "planned": figure(planned),
        "left": f"{100 * left:.0f} %" if planned else "-",
        "says": "the load is still carried" if served >= 1 else f"{100 * served:.0f} % of the load is carried",
        "tone": "good" if served >= 1 else "warn" if served > 0 else "bad",
    }


def _ways(told: dict[str, Any], model: dict[str, Any], by_label: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The copies of a model, those that are alike together, each with the plan for one of them."""
    alike = Counter(tuple(copy[name] for name in OF_A_WAY) for copy in told["copies"] if copy["model"] == model["name"])
    gpus = {node["name"]: node["gpu"] for node in told["nodes"]}
    served = by_label[model["name"]]
    for (node, tp, stages, gpus_each, format, engine, batch, ttft_ms, tpot_ms), count in alike.items():
        asked = {
            "model": served.model, "on": f"{gpus_each}x{gpus[node]}", "format": format, "engine": engine,
            "concurrency": batch, "input_tokens": served.input_tokens, "output_tokens": served.output_tokens,
        }  # fmt: skip
        yield {
            "copies": f"{count:,}",
            "split": f"TP {tp}" + (f" x {stages} nodes" if stages > 1 else ""),
            "node": node,
            "format": format,
            "batch": f"{batch:,}",
            "ttft": figure(ttft_ms),
            "tpot": figure(tpot_ms),
            "link": "" if stages > 1 else f"/?{urlencode(asked)}",
        }


def _way(copy: dict[str, Any]) -> tuple[Any, ...]:
    names = (
        "node_type",
        "tensor_parallel",
        "pipeline_parallel",
        "gpus",
        "format",
        "engine",
        "batch",
        "ttft_ms",
        "tpot_ms",
    )
    return tuple(copy[name] for name in names)


def _node(node: dict[str, Any]) -> dict[str, Any]:
    return {**node, "price": usd(node["usd_per_node_hour"]) if node["usd_per_node_hour"] is not None else "unknown"}


def rows(told: dict[str, Any], colours: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Every node in use, those that hold the same together: a picture of the copies on it."""
    holds: defaultdict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for copy in told["copies"]:
        for name in copy["on"]:
            holds[copy["node_type"], name].append((copy["model"], copy["gpus"] // copy["nodes"]))
    alike = Counter((kind, tuple(sorted(held, key=_largest_first))) for (kind, _), held in holds.items())
    kinds = {node["name"]: node for node in told["nodes"]}
    for (kind, held), count in sorted(alike.items(), key=lambda item: (list(kinds).index(item[0][0]), -item[1])):
        node = kinds[kind]
        yield {
            "count": f"{count:,}",
            "kind": f"{kind}: {node['gpus']} x {node['gpu']}",
            "parts": list(_parts(held, node["gpus"], colours)),
            "says": ", ".join(f"{model} on {gpus}" for model, gpus in held),
        }


def _largest_first(part: tuple[str, int]) -> tuple[int, str]:
    return -part[1], part[0]


def _parts(held: tuple[tuple[str, int], ...], gpus: int, colours: dict[str, int]) -> Iterator[Part]:
    start = 0.0
    free = gpus - sum(count for _, count in held)
    for model, count in (*held, ("free", free)) if free else held:
        width = NODE_WIDTH * count / gpus
        label = f"{model} x{count}"
        fits = len(label) * WIDTH_OF_A_LETTER < width
        yield Part(label if fits else "", f"{model}: {count} of {gpus}", start, width, colours.get(model, 0))
        start += width
