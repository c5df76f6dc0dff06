"""Predicts server starts in bulk: one answer for each row of a table of starts, for anyone who wants to check us.

Answers per accelerator (the worst rank): `fits`, `weights_gib`, `kv_gib` with its 90 % interval `low` and `high`,
`kv_tokens`, `kv_bytes_per_token`, `activation_gib`, `non_torch_gib`, `cuda_graph_gib`, `max_concurrency`.
Where llama.cpp splits a model, `weights_gib` and `compute_buffer_gib` are those of all its GPUs, `kv_gib` is the whole
cache, and `host_weights_gib`, `host_kv_gib` and `host_compute_buffer_gib` are what the host holds.
`abstained` is null or one of `ABSTENTIONS`; a figure that the row's facts do not determine is null on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from planner.bulk import Summary, write_lines
from planner.memory import vllm
from planner.memory.cases import Case, read_cases
from planner.memory.constants import engine_constants, version_constants
from planner.memory.kv_cache import kv_cache
from planner.memory.llama_cases import split_buffers
from planner.memory.room import both_directions
from planner.memory.situation import Situation
from planner.memory.sizing import ACCOUNTANTS
from planner.memory.starts import NO_SCHEMES, described_shape, kv_format_named, must_be_quantized, situation_of
from planner.memory.stored_schemes import stored_schemes
from planner.models.compact import shapes_from_jsonl
from planner.models.shape import Shape
from planner.plan import Memory
from planner.schemes import Scheme
from planner.units import GIB

ABSTENTIONS = {
    "unknown-engine": "no accountant for this engine",
    "unknown-architecture": "no configuration for this model, or a family that is not modelled",
    "unmodelled-quantization": "the stated scheme has no byte count here, or is not stated well enough",
}
WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


@dataclass(frozen=True, slots=True)
class StartPrediction:
    """What one server start is predicted to print; see the module for the fields."""

    id: str
    fits: bool | None = None
    weights_gib: float | None = None
    kv_gib: float | None = None
    low: float | None = None
    high: float | None = None
    kv_tokens: int | None = None
    kv_bytes_per_token: float | None = None
    activation_gib: float | None = None
    non_torch_gib: float | None = None
    cuda_graph_gib: float | None = None
    compute_buffer_gib: float | None = None
    host_weights_gib: float | None = None
    host_kv_gib: float | None = None
    host_compute_buffer_gib: float | None = None
    max_concurrency: float | None = None
    abstained: str | None = None

    def as_json(self) -> dict[str, object]:
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


def predict_file(cases_path: Path, configs_path: Path, out_path: Path) -> Summary:
    """Predict every row of a CSV file and write one JSON object a line, atomically. BadInput for unreadable files."""
    shapes, _ = shapes_from_jsonl(configs_path)
    stored = stored_schemes(configs_path, shapes)
    predictions = [predict_start(case, shapes, stored) for case in read_cases(cases_path)]
    write_lines(out_path, [prediction.as_json() for prediction in predictions])
    return Summary.of([prediction.abstained for prediction in predictions], ABSTENTIONS)


def predict_start(
    case: Case, shapes: Mapping[str, Shape], stored: Mapping[str, Scheme | None] = NO_SCHEMES
) -> StartPrediction:
    """The prediction for one row; `shapes` holds the architectures by `config_id`, `stored` the schemes of configs."""
    if case.engine is None:
        return StartPrediction(case.id, abstained="unknown-engine")
    known = shapes.get(case.config_id)
    if known is None:
        return StartPrediction(case.id, abstained="unknown-architecture")
    shape = described_shape(known, case)
    situation = situation_of(case, shape, stored)
    if situation is None or must_be_quantized(case, situation):
        kv_format = kv_format_named(case.kv_dtype)
        kv_bytes = kv_cache(shape, kv_format, case.tensor_parallel, case.engine).bytes_per_token if kv_format else None
        return StartPrediction(case.id, kv_bytes_per_token=kv_bytes, abstained="unmodelled-quantization")
    account = ACCOUNTANTS[case.engine](situation)
    return answer(case, situation, both_directions(situation, account))


def answer(case: Case, situation: Situation, memory: Memory) -> StartPrediction:
    """The engine's sum in the words of a start-up log.

    Without the GPU's memory the pool stays open, and what it holds with a kind of cache that is not known.
    """
    is_known = kv_format_named(case.kv_dtype) is not None
    bytes_per_token = memory.kv_bytes_per_token if case.engine == "vllm" else situation.kv.bytes_per_token
    known = StartPrediction(
        case.id,
        weights_gib=sum(memory.gib(label) for label in WEIGHT_LABELS),
        kv_bytes_per_token=bytes_per_token if is_known else None,
        activation_gib=printed_activation_gib(case, situation, memory),
        non_torch_gib=memory.gib("non-torch") or None,
        cuda_graph_gib=memory.gib("CUDA graphs") or None,
        compute_buffer_gib=memory.gib("compute buffer") or None,
    )
    if case.engine == "llama.cpp":
        return llama_cpp_answer(case, situation, memory, known)
    if case.engine is None or not is_pool_determined(case, situation):
        return known
    pool_gib = memory.free_gib + memory.gib("KV cache")
    margin = pool_error_gib(case)
    return replace(
        known,
        fits=pool_gib > 0,
        kv_gib=pool_gib,
        low=pool_gib - margin,
        high=pool_gib + margin,
        kv_tokens=int(memory.kv_tokens * case.remarks.context_parallel) if is_known else None,
        max_concurrency=memory.max_concurrency * case.remarks.context_parallel if is_known else None,
    )


def llama_cpp_answer(case: Case, situation: Situation, memory: Memory, known: StartPrediction) -> StartPrediction:
    """llama.cpp's buffers: the cache where its context is stated, and both sides of a split model."""
    cache_gib = memory.gib("KV cache")
    if situation.split is not None:
        buffers = split_buffers(situation, situation.split)
        shared = 1 / situation.split.gpu_count if case.remarks.is_per_device else 1.0
        cache_gib = buffers.kv_gib
        known = replace(
            known,
            weights_gib=buffers.weights_gib,
            compute_buffer_gib=buffers.compute_buffer_gib * shared,
            host_weights_gib=buffers.host_weights_gib,
            host_kv_gib=buffers.host_kv_gib,
            host_compute_buffer_gib=buffers.host_compute_buffer_gib,
        )
    if not (case.llama_context or case.context_tokens):
        return replace(known, host_kv_gib=None)
    states_gib = situation.kv.state_bytes / GIB
    return replace(known, kv_gib=cache_gib - states_gib, kv_tokens=situation.context_tokens)


def is_pool_determined(case: Case, situation: Situation) -> bool:
    """False where the row does not say how much memory the engine may take, or its profiling run is not modelled.

    Memory shared with the host is rarely claimed at the default share, and cross-attention towers are profiled with
    inputs of their own.
    """
    shares_memory = situation.accelerator is not None and situation.accelerator.unified_memory
    if not situation.physical_gib or (shares_memory and case.utilisation is None):
        return False
    return not any(layers.kind == "cross" for layers in situation.shape.attention)


def pool_error_gib(case: Case) -> float:
    """Half of the 90 % interval: small where the row states memory, utilisation and version, else large."""
    errors: Mapping[str, float] = engine_constants(case.engine or "")["pool_error_gib"]
    stated = case.physical_gib and case.utilisation and case.version
    return errors["stated" if stated else "unstated"]


def printed_activation_gib(case: Case, situation: Situation, memory: Memory) -> float | None:
    """The activation peak as vLLM prints it: of the first stage, and with the graphs it counts into the budget."""
    if case.engine != "vllm" or any(layers.kind == "cross" for layers in situation.shape.attention):
        return None
    if situation.pipeline_parallel == 1:
        return memory.gib("activation peak") + memory.gib("CUDA graphs")
    constants = version_constants("vllm", situation.engine_version)
    limits = vllm.server_limits(situation, constants)
    return vllm.activation_term(situation, limits, constants, has_sampler=False).predicted_gib
