"""Copies of more than one split or pipeline (experts dealt out, prompt and decode servers): checked, told, as options.

vLLM's options: docs/serving/data_parallel_deployment.md, docs/features/nixl_connector_usage.md (0.22); SGLang's:
docs/advanced_features/pd_disaggregation.md (0.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from planner.errors import BadInput
from planner.models.model import Model
from planner.request import Pools, Request
from rules.vocabulary import EngineId

DEALT_UNDER: tuple[EngineId, ...] = ("vllm",)
POOLED_UNDER: tuple[EngineId, ...] = ("vllm", "sglang")
KV_ROLES = {"prefill": "kv_producer", "decode": "kv_consumer"}
BOOTSTRAP_PORT = 8998


def require_apart(request: Request, model: Model, there: int) -> None:
    """BadInput for a copy that cannot be: experts dealt out where there are none, pools in stages, copies unevenly."""
    if problem := next(_problems(request, model, there), None):
        raise BadInput(problem, fix="leave it out: the rules choose a layout that is possible")


def _problems(request: Request, model: Model, there: int) -> Iterator[str]:
    dealt, pools, copies = request.data_parallel or 1, request.pools, request.replicas or 1
    if dealt > 1 and not model.shape.is_moe:
        yield f"data_parallel {dealt}: {model.name} has no experts to deal out"
    if dealt > 1 and pools:
        yield "data_parallel and pools are not planned together"
    if request.pipeline_parallel and (dealt > 1 or pools):
        yield "stages are not planned together with data_parallel or pools"
    needed = dealt * (pools.servers if pools else 1) * (request.tensor_parallel or 1) * copies
    if needed > there and (dealt > 1 or pools or copies > 1):
        yield f"the layout takes {needed} accelerators and there are {there}"
    if there % copies:
        yield f"{copies} copies do not share {there} accelerators evenly"


def apart_problem(pools: Pools | None, engine: EngineId) -> str | None:
    """Why that engine is not planned so; None where it is."""
    if pools is not None:
        missing = engine not in POOLED_UNDER
        return f"{engine} is not planned with prompt and decode servers of their own" if missing else None
    return None if engine in DEALT_UNDER else f"{engine} is not planned with experts dealt out over attention copies"


def dealt_arguments(data_parallel: int, *, told: bool = False) -> list[str]:
    """vLLM's options for so many copies of the attention with whole experts dealt out over all their accelerators.

    `told`: it is told to deal experts out already.
    """
    if data_parallel == 1:
        return []
    return ["--data-parallel-size", str(data_parallel), *([] if told else ["--enable-expert-parallel"])]


def pool_arguments(engine: EngineId, role: str) -> list[str]:
    """What makes a server one of prompts (`prefill`) or of tokens (`decode`): caches move through NIXL."""
    if engine == "sglang":
        mode = ["--disaggregation-mode", role, "--disaggregation-transfer-backend", "nixl"]
        return [*mode, "--disaggregation-bootstrap-port", str(BOOTSTRAP_PORT)] if role == "prefill" else mode
    config = {"kv_connector": "NixlConnector", "kv_role": KV_ROLES[role]}
    return ["--kv-transfer-config", json.dumps(config, separators=(",", ":"))]


def apart_notes(request: Request, dealt: int) -> tuple[str, ...]:
    """What a reader of the plan has to know of such a copy."""
    notes = []
    if dealt > 1:
        notes.append(
            f"One copy has {dealt} copies of the attention, each with a cache and requests of its own, and every "
            "step waits for all of them; --max-num-seqs is of each. No such run over nodes is among the fitted rows."
        )
    if request.pools:
        notes.append(
            "Prompts and tokens are on servers of their own behind a router; no such run over this link is among the "
            "fitted rows, so the intervals are widened."
        )
    return tuple(notes)
