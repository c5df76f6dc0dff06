"""Answers one question about a cluster: `python -m planner.service.clusters.solving`, JSON in, JSON out.

A solver cannot be interrupted from outside; its process can. Should the service die first, an alarm ends this process.
"""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planner.errors import QuantplanError
from planner.request import Request
from planner.service.clusters.questions import FleetQuestion, LayoutsQuestion, PlacementQuestion
from planner.unfeasible import NoFeasiblePlan

Plain = dict[str, Any]


def main() -> int:
    """Read the question, write the answer or the problem."""
    asked = json.load(sys.stdin)
    signal.alarm(math.ceil(asked["within_s"]) + 1)
    try:
        answer = {"answer": ANSWERS[asked["kind"]](asked["question"], asked["rules"])}
    except QuantplanError as error:
        answer = {"problem": as_plain(error)}
    json.dump(answer, sys.stdout)
    return 0


def fleet(question: Any, rules: str | None) -> Plain:
    """The packing of a fleet, as `quantplan fleet --json` prints it."""
    from planner.fleet.answering import plan_fleet
    from planner.fleet.packing import Limits
    from planner.fleet.writing import as_json
    from rules.book import load_book

    asked = FleetQuestion.model_validate(question)
    book = load_book(Path(rules) if rules else None)
    return as_json(plan_fleet(asked.cluster, asked.fleet, limits=Limits(time_limit_s=asked.time_limit_s), book=book))


def layouts(question: Any, rules: str | None) -> Plain:
    """Every layout of a model, as `quantplan layouts --json` prints it, with what joins the nodes."""
    from planner.fleet.layouts import compare_layouts

    asked = LayoutsQuestion.model_validate(question)
    node = asked.node()
    found = compare_layouts(asked.request(), asked.cluster, node, asked.nodes)
    link = asked.cluster.link_of(node)
    return {
        "model": found.model,
        "nodes": asked.nodes,
        "node": node.name,
        "accelerators": f"{node.gpus} x {node.accelerator.name}",
        "link": link.says if link else None,
        "format": found.chosen.format,
        "engine": found.chosen.engine,
        "kv_cache": found.chosen.kv_cache,
        "layouts": [asdict(row) for row in found.rows],
    }


def placement(question: Any, rules: str | None) -> Plain:
    """The plan, as `quantplan plan --cluster --json` prints it."""
    from planner.clusters.choosing import plan_on_cluster
    from planner.serving.outlook import with_outlook
    from rules.book import load_book

    asked = PlacementQuestion.model_validate(question)
    book = load_book(Path(rules) if rules else None)
    plan = with_outlook(plan_on_cluster(Request(**dict(asked.ask)), asked.cluster, asked.wanted(), book=book))
    told: Plain = plan.model_dump(mode="json", exclude_none=True)
    return told


def as_plain(error: QuantplanError) -> Plain:
    """A problem, to be raised again by the service."""
    kind = "NoFeasiblePlan" if isinstance(error, NoFeasiblePlan) else "BadInput"
    return {"kind": kind, "what": error.what, "where": error.where, "nearest": list(error.nearest), "fix": error.fix}


ANSWERS: Mapping[str, Callable[[Any, str | None], Plain]] = {
    "fleet": fleet,
    "layouts": layouts,
    "placement": placement,
}

if __name__ == "__main__":
    sys.exit(main())
