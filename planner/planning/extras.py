"""What is served beside the plain model (drafts, adapters, experts in parallel): checked, told, as vLLM's options."""

from __future__ import annotations

import json

from planner.errors import BadInput
from planner.models.model import Model
from planner.request import Extras, Request
from rules.vocabulary import EngineId

PLANNED_UNDER: tuple[EngineId, ...] = ("vllm",)
UNTIMED = (
    "Memory counts the draft; the speed is without it: `quantplan simulate PLAN --speculate {kind} "
    "--draft-tokens {tokens} --acceptance A` says what it would save."
)


def require_extras(request: Request, model: Model) -> None:
    """BadInput for a draft without a checkpoint, or experts dealt out where there are none."""
    extras = request.extras
    if extras.draft == "eagle" and not extras.draft_model:
        raise BadInput(
            "--draft eagle without --draft-model", fix="name the EAGLE head's checkpoint: a folder or hub id"
        )
    if extras.draft_model and extras.draft != "eagle":
        raise BadInput("--draft-model without --draft eagle", fix="add --draft eagle, or leave the model out")
    if extras.expert_parallel and not model.shape.is_moe:
        raise BadInput(f"--expert-parallel: {model.name} has no experts", fix="leave it out")


def extras_problem(extras: Extras, engine: EngineId) -> str | None:
    """Why that engine is not planned with these extras; None where it is."""
    if not extras.is_asked_for or engine in PLANNED_UNDER:
        return None
    return f"drafts, adapters and experts in parallel are planned under vllm only, not under {engine}"


def extra_arguments(extras: Extras) -> list[str]:
    """vLLM's options for them (vllm serve --help, 0.22)."""
    arguments = ["--enable-expert-parallel"] if extras.expert_parallel else []
    if extras.max_loras:
        arguments += ["--enable-lora", "--max-loras", str(extras.max_loras)]
        arguments += ["--max-lora-rank", str(extras.max_lora_rank)]
    if extras.draft:
        method = {"mtp": "mtp", "eagle": "eagle3"}[extras.draft]
        named = {"model": extras.draft_model} if extras.draft_model else {}
        config = {"method": method, **named, "num_speculative_tokens": extras.draft_tokens}
        arguments += ["--speculative-config", json.dumps(config)]
    return arguments


def extra_notes(extras: Extras) -> tuple[str, ...]:
    """What the plan's figures do not yet say of them."""
    notes = [UNTIMED.format(kind=extras.draft, tokens=extras.draft_tokens)] if extras.draft else []
    if extras.expert_parallel:
        notes.append(
            "The speed is that of tensor parallelism: no measurements of experts in parallel are modelled here."
        )
    return tuple(notes)
