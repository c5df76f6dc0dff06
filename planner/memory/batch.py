"""Predicts server starts in bulk: one answer for each row of a table of starts, for anyone who wants to check us.

Answers per accelerator (the worst rank): `fits`, `weights_gib`, `kv_gib` with its 90 % interval `low` and `high`,
`kv_tokens`, `kv_bytes_per_token`, `activation_gib`, `non_torch_gib`, `cuda_graph_gib`, `max_concurrency`.
`abstained` is null or one of `ABSTENTIONS`; a figure that the row's facts do not determine is null on its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.hardware.catalogue import find_accelerator
from planner.hardware.hardware import Accelerator
from planner.memory import vllm
from planner.memory.cases import Case, read_cases
from planner.memory.constants import engine_constants, version_constants, version_number
from planner.memory.kv_cache import kv_cache
from planner.memory.loading import loading_extra
from planner.memory.quantization_names import named_scheme
from planner.memory.situation import Account, Situation
from planner.memory.sizing import ACCOUNTANTS, PYTORCH_ENGINES, both_directions
from planner.memory.stages import stage_kv, stage_weights
from planner.memory.weights import weight_bytes
from planner.models.compact import shapes_from_jsonl
from planner.models.shape import Shape
from planner.plan import Memory
from planner.units import GIB

ABSTENTIONS = {
    "unknown-engine": "no accountant for this engine",
    "unknown-architecture": "no configuration for this model, or a family that is not modelled",
    "unmodelled-quantization": "the stated scheme has no byte count here, or is not stated well enough",
}
DEFAULT_CONTEXT_TOKENS = 8192
UNSTATED_CONTEXT_TOKENS = 2048


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
    max_concurrency: float | None = None
    abstained: str | None = None

    def as_json(self) -> dict[str, object]:
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How many cases were predicted, and how many abstained for which reason of `ABSTENTIONS`."""

    cases: int
    abstained: Mapping[str, int]

    @property
    def predicted(self) -> int:
        return self.cases - sum(self.abstained.values())

    def meaning(self, reason: str) -> str:
        return ABSTENTIONS[reason]

    def as_json(self) -> dict[str, object]:
        return {"cases": self.cases, "predicted": self.predicted, "abstained": dict(self.abstained)}


def predict_file(cases_path: Path, configs_path: Path, out_path: Path) -> BatchSummary:
    """Predict every row of a CSV file and write one JSON object a line, atomically. BadInput for unreadable files."""
    shapes, _ = shapes_from_jsonl(configs_path)
    predictions = [predict_start(case, shapes) for case in read_cases(cases_path)]
    lines = "".join(json.dumps(prediction.as_json()) + "\n" for prediction in predictions)
    aside = out_path.with_name(out_path.name + ".part")
    try:
        aside.write_text(lines, encoding="utf-8")
        aside.replace(out_path)
    except OSError as error:
        raise BadInput(f"cannot write: {error.strerror}", where=str(out_path), fix="name another --out file") from None
    return BatchSummary(len(predictions), Counter(p.abstained for p in predictions if p.abstained))


def predict_start(case: Case, shapes: Mapping[str, Shape]) -> StartPrediction:
    """The prediction for one row; `shapes` holds the architectures by `config_id`."""
    if case.engine is None:
        return StartPrediction(case.id, abstained="unknown-engine")
    known = shapes.get(case.config_id)
    if known is None:
        return StartPrediction(case.id, abstained="unknown-architecture")
    shape = with_positions(known, case)
    situation = situation_of(case, shape)
    if situation is None or must_be_quantized(case, situation):
        kv = kv_cache(shape, kv_format_named(case.kv_dtype), case.tensor_parallel)
        return StartPrediction(case.id, kv_bytes_per_token=kv.bytes_per_token, abstained="unmodelled-quantization")
    account = ACCOUNTANTS[case.engine](situation)
    return answer(case, situation, account, both_directions(situation, account))


def with_positions(shape: Shape, case: Case) -> Shape:
    """The shape with the positions of its family, where its description stated none."""
    if shape.max_context_tokens != UNSTATED_CONTEXT_TOKENS:
        return shape
    content = load_yaml("positions.yaml")
    name = f"{case.model_name} {case.config_id}".lower()
    found = next((entry["tokens"] for entry in content["names"] if entry["word"] in name), content["default"])
    return replace(shape, max_context_tokens=found)


def must_be_quantized(case: Case, situation: Situation) -> bool:
    """True where no scheme is stated and the weights in 16 bits exceed the GPU: it has some scheme, we know not which."""
    is_assumed = not case.quantization and not situation.scheme.is_quantized
    return is_assumed and 0 < situation.physical_gib < situation.weights.total / GIB


def situation_of(case: Case, shape: Shape) -> Situation | None:
    """What the row describes, in the accountants' terms; None where the weights have no byte count."""
    scheme = named_scheme(case.quantization, f"{case.model_name} {case.config_id}", is_moe=shape.is_moe)
    if scheme is None or case.engine is None:
        return None
    weights = weight_bytes(shape, scheme, None, case.tensor_parallel)
    if case.engine in PYTORCH_ENGINES:
        weights += loading_extra(shape, scheme, None, case.tensor_parallel, case.engine)
    kv = kv_cache(shape, kv_format_named(case.kv_dtype), case.tensor_parallel, case.engine)
    accelerator = find_accelerator(case.gpu_class) if case.gpu_class else None
    return Situation(
        shape=shape,
        scheme=scheme,
        weights=stage_weights(weights, shape, case.tensor_parallel, case.pipeline_parallel),
        kv=stage_kv(kv, case.pipeline_parallel),
        physical_gib=physical_gib(case, accelerator),
        context_tokens=case.context_tokens or case.llama_context or shape.max_context_tokens or DEFAULT_CONTEXT_TOKENS,
        concurrency=1,
        tensor_parallel=case.tensor_parallel,
        pipeline_parallel=case.pipeline_parallel,
        accelerator=accelerator,
        engine_version=profiling_version(case, accelerator),
        max_sequences=case.max_sequences,
        batched_tokens=case.batched_tokens or case.llama_micro_batch,
        utilisation=case.utilisation or default_utilisation(case),
        eager=case.eager,
        flash_attention=case.llama_flash_attention,
        kv_format=kv_format_named(case.kv_dtype),
    )


def answer(case: Case, situation: Situation, account: Account, memory: Memory) -> StartPrediction:
    """The engine's sum in the words of a start-up log. Without the GPU's memory the pool stays open."""
    known = StartPrediction(
        case.id,
        weights_gib=situation.weights.total / GIB,
        kv_bytes_per_token=memory.kv_bytes_per_token if case.engine == "vllm" else situation.kv.bytes_per_token,
        activation_gib=printed_activation_gib(case, situation, memory),
        non_torch_gib=memory.gib("non-torch") or None,
        cuda_graph_gib=memory.gib("CUDA graphs") or None,
        compute_buffer_gib=memory.gib("compute buffer") or None,
    )
    if case.engine == "llama.cpp":
        return replace(known, kv_gib=memory.gib("KV cache"), kv_tokens=situation.context_tokens)
    if case.engine is None or not situation.physical_gib:
        return known
    pool_gib = memory.free_gib + memory.gib("KV cache")
    margin = engine_constants(case.engine)["pool_error_gib"]
    return replace(
        known,
        fits=pool_gib > 0,
        kv_gib=pool_gib,
        low=pool_gib - margin,
        high=pool_gib + margin,
        kv_tokens=memory.kv_tokens,
        max_concurrency=memory.max_concurrency,
    )


def printed_activation_gib(case: Case, situation: Situation, memory: Memory) -> float | None:
    """The activation peak as vLLM prints it: of the first stage, and with the graphs it counts into the budget."""
    if case.engine != "vllm":
        return None
    if situation.pipeline_parallel == 1:
        return memory.gib("activation peak") + memory.gib("CUDA graphs")
    constants = version_constants("vllm", situation.engine_version)
    limits = vllm.server_limits(situation, constants)
    return vllm.activation_term(situation, limits, constants, has_sampler=False).predicted_gib


def physical_gib(case: Case, accelerator: Accelerator | None) -> float:
    """Memory the row states, else the catalogue's for its GPU class, else the sticker's less firmware; 0 if unknown."""
    usual: float = load_yaml("memory_constants.yaml")["loading"]["gib_per_sticker_gb"]
    return case.physical_gib or (accelerator.memory_gib if accelerator else (case.sticker_gb or 0) * usual)


def default_utilisation(case: Case) -> float | None:
    """The share of memory that version of vLLM claims unless told otherwise; other engines have their own default."""
    if case.engine != "vllm":
        return None
    utilisation: float = version_constants("vllm", case.version)["utilisation"]
    return utilisation


def profiling_version(case: Case, accelerator: Accelerator | None) -> str | None:
    """The version as far as memory goes: V0 lived on in later versions, by choice and on GPUs older than Ampere."""
    limits = engine_constants("vllm")
    if case.engine != "vllm":
        return case.version
    old_gpu = accelerator is not None and (accelerator.compute_capability or 99) < limits["v1_needs_capability"]
    forced = old_gpu and version_number(case.version) < version_number(limits["v0_gone_in"])
    if case.is_v0 or (forced and case.is_v0 is None):
        last: str = limits["last_v0"]
        return min(case.version or last, last, key=version_number)
    return case.version


def kv_format_named(dtype: str) -> str:
    """The cache format a log names: fp8 variants, llama.cpp's q8_0, everything else 16 bits."""
    text = dtype.lower()
    return "fp8" if "fp8" in text else "int8" if "q8" in text else "16-bit"
