"""The door the planner calls: does it fit, what takes the memory, and how many tokens, users and what context fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.hardware.hardware import Hardware
from planner.memory import llama_cpp, sglang, tensorrt_llm, transformers_generate, vllm, vllm_cpu
from planner.memory.adapters import adapter_bytes
from planner.memory.context_limit import with_context_limit
from planner.memory.drafts import with_draft
from planner.memory.kv_cache import kv_cache
from planner.memory.loading import loading_extra
from planner.memory.room import both_directions
from planner.memory.sharding import layout_problem
from planner.memory.situation import Account, Situation, gib_term
from planner.memory.stages import stage_kv, stage_weights
from planner.memory.weights import WeightBytes, model_weight_bytes, weight_bytes
from planner.models.model import Model
from planner.models.shape import Shape
from planner.plan import Memory, Term
from planner.request import Extras, Workload
from planner.schemes import Scheme
from rules.vocabulary import EngineId

__all__ = ["layout_problem", "size_memory"]

NO_EXTRAS = Extras()
DRAFTS = {"mtp": "the model's own multi-token-prediction layer", "eagle": "an EAGLE head"}
PYTORCH_ENGINES = frozenset({"vllm", "sglang", "transformers"})
ACCOUNTANTS: dict[str, Callable[[Situation], Account]] = {
    "vllm": vllm.account,
    "sglang": sglang.account,
    "tensorrt-llm": tensorrt_llm.account,
    "llama.cpp": llama_cpp.account,
    "transformers": transformers_generate.account,
}
ON_CPU: dict[str, Callable[[Situation], Account]] = {"vllm": vllm_cpu.account}


def size_memory(
    model: Model,
    hardware: Hardware,
    scheme: Scheme,
    *,
    engine: EngineId,
    engine_version: str | None,
    tensor_parallel: int,
    kv_format: str,
    workload: Workload,
    group_size: int | None = None,
    pipeline_parallel: int = 1,
    extras: Extras = NO_EXTRAS,
    data_parallel: int = 1,
) -> Memory:
    """The labelled sum for one accelerator of the layout (or the CPU host), forwards and backwards, in GiB and tokens.

    The server is taken to be started for this workload: its sequence limit is the workload's concurrency, its context
    limit the workload's context or, where none is asked for, what the pool holds. Of several stages
    (`pipeline_parallel`) it is the fullest. `extras` (a draft, adapters) are vLLM's, and terms of their own. With
    `data_parallel` copies of the attention whole experts are dealt out over all their accelerators; the workload is
    then that of one copy of the attention.
    """
    dealt = extras.expert_parallel or data_parallel > 1
    expert_parallel = tensor_parallel * data_parallel if dealt else None
    loaded = loaded_weights(model, scheme, group_size, tensor_parallel, engine, expert_parallel)
    situation = situation_for(
        with_draft(model.shape, extras.draft) if extras.draft else model.shape,
        hardware,
        scheme,
        stage_weights(loaded, model.shape, tensor_parallel, pipeline_parallel),
        engine=engine,
        engine_version=engine_version,
        tensor_parallel=tensor_parallel,
        kv_format=kv_format,
        workload=workload,
        pipeline_parallel=pipeline_parallel,
        draft_tokens=extras.draft_tokens if extras.draft else 0,
    )
    situation, arguments = llama_cpp.started_to_fit(situation) if engine == "llama.cpp" else (situation, ())
    account = account_of(engine, situation)
    if beside := extra_terms(model.shape, scheme, group_size, tensor_parallel, extras):
        account = replace(account, terms=(*account.terms, *beside))
    memory = both_directions(situation, account).model_copy(update={"arguments": arguments})
    return with_context_limit(memory, situation, account, engine, asked=workload.context_tokens is not None)


def extra_terms(
    shape: Shape, scheme: Scheme, group_size: int | None, tensor_parallel: int, extras: Extras
) -> list[Term]:
    """What a draft and adapters hold on one rank."""
    terms = []
    if extras.draft:
        drafted = with_draft(shape, extras.draft)
        whole, without = (weight_bytes(s, scheme, group_size, tensor_parallel).total for s in (drafted, shape))
        terms.append(gib_term("draft", whole - without, f"{DRAFTS[extras.draft]}, {extras.draft_tokens} tokens ahead"))
    if extras.max_loras:
        held = adapter_bytes(shape, extras.max_lora_rank, extras.max_loras, tensor_parallel).total
        terms.append(gib_term("LoRA adapters", held, f"{extras.max_loras} of rank {extras.max_lora_rank}"))
    return terms


def account_of(engine: str, situation: Situation) -> Account:
    """The sum as this engine accounts for it on this kind of hardware."""
    return ACCOUNTANTS[engine](situation) if situation.on_gpu or engine not in ON_CPU else ON_CPU[engine](situation)


def situation_for(
    shape: Shape,
    hardware: Hardware,
    scheme: Scheme,
    weights: WeightBytes,
    *,
    engine: str,
    engine_version: str | None,
    tensor_parallel: int,
    kv_format: str,
    workload: Workload,
    pipeline_parallel: int = 1,
    draft_tokens: int = 0,
) -> Situation:
    """What the engine's accountant is told: a server started for this workload, whose ranks hold these weights."""
    return Situation(
        shape=shape,
        scheme=scheme,
        weights=weights,
        kv=stage_kv(kv_cache(shape, kv_format, tensor_parallel, engine, draft_tokens=draft_tokens), pipeline_parallel),
        physical_gib=_physical_gib(hardware),
        context_tokens=workload.served_context_tokens,
        concurrency=workload.concurrency,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        accelerator=hardware.accelerator,
        engine_version=engine_version,
        max_sequences=workload.concurrency,
        kv_format=kv_format,
        draft_tokens=draft_tokens,
        instruction_sets=hardware.cpu.instruction_sets if hardware.cpu else (),
        is_limited=workload.context_tokens is not None,
    )


def loaded_weights(
    model: Model,
    scheme: Scheme,
    group_size: int | None,
    tensor_parallel: int,
    engine: str,
    expert_parallel: int | None = None,
) -> WeightBytes:
    """What one rank holds once loaded: the tensors, and for PyTorch engines what loading adds to them."""
    stored = model_weight_bytes(model, scheme, group_size, tensor_parallel, expert_parallel)
    if engine not in PYTORCH_ENGINES:
        return stored
    return stored + loading_extra(
        model.shape, scheme, group_size, tensor_parallel, engine, expert_parallel=expert_parallel
    )


def _physical_gib(hardware: Hardware) -> float:
    """Memory of one accelerator or of the host; what is already taken there counts as gone."""
    if hardware.accelerator is None:
        return hardware.memory_gib
    physical = hardware.accelerator.memory_gib
    return physical if hardware.free_memory_gib is None else min(physical, hardware.free_memory_gib)
