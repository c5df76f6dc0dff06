"""Plans that are rendered for Kubernetes in tests, and the documents that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from planner.launching.rendering import render
from planner.launching.site import Site
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

MODEL = "/quantplan/runs/0123456789ab/model"
PLANS = {
    "vllm": {"model": "llama-3.1-70b", "hardware": "2xH100-80GB", "format": "awq-int4"},
    "sglang": {"model": "llama-3.1-8b", "hardware": "1xL4", "engine": "sglang", "format": "bf16", "kv_cache": "fp8"},
    "llama.cpp": {"model": "llama-3.1-8b", "hardware": "1xL40S", "format": "gguf-q4_k_m"},
    "cpu": {"model": "llama-3.1-8b", "hardware": "cpu:64GB"},
}
HOSTILE = 'a"b\n  evil: true # $(HOME) {{ x }}'


@cache
def plan_for(name: str) -> Plan:
    return make_plan(Request.model_validate(PLANS[name]))


def over_two_nodes(plan: Plan) -> Plan:
    spread = {"nodes": 2, "tensor_parallel": 8, "pipeline_parallel": 2, "replicas": 1}
    return plan.model_copy(update={"chosen": plan.chosen.model_copy(update=spread)})


def manifests(plan: Plan, **site: Any) -> dict[str, list[Any]]:
    files = render(plan, "kubernetes", model=MODEL, site=Site(**site))
    return {name: list(yaml.safe_load_all(text)) for name, text in files.items() if name.endswith(".yaml")}


def of_kind(documents: Mapping[str, list[Any]], kind: str) -> dict[str, Any]:
    (found,) = [d for listed in documents.values() for d in listed if d["kind"] == kind]
    return dict(found)


def container(workload: Mapping[str, Any]) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"]["containers"][0])
