"""From the row of a table to what the accountants are told: versions, sizes and defaults that the row leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from planner.catalog import load_yaml
from planner.hardware.catalogue import find_accelerator
from planner.hardware.hardware import Accelerator
from planner.memory.adapters import adapter_bytes
from planner.memory.cases import Case
from planner.memory.constants import engine_constants, version_constants, version_number
from planner.memory.drafts import with_draft
from planner.memory.kv_cache import KvCache, kv_cache
from planner.memory.llama_cases import split_of
from planner.memory.loading import loading_extra
from planner.memory.offloading import left_on_gpu
from planner.memory.quantization_names import named_scheme
from planner.memory.situation import Situation
from planner.memory.sizing import PYTORCH_ENGINES
from planner.memory.stages import stage_kv, stage_weights
from planner.memory.weights import WeightBytes, weight_bytes
from planner.models.catalogue import find
from planner.models.shape import Shape
from planner.schemes import Scheme
from planner.units import GIB

UNSTATED_CONTEXT_TOKENS = 2048
SIXTEEN_BIT = "16-bit"
NO_SCHEMES: Mapping[str, Scheme | None] = MappingProxyType({})


def situation_of(case: Case, shape: Shape, stored: Mapping[str, Scheme | None] = NO_SCHEMES) -> Situation | None:
    """What the row describes, in the accountants' terms; None where the weights have no byte count."""
    scheme = scheme_of(case, shape, stored)
    if scheme is None or case.engine is None:
        return None
    accelerator = find_accelerator(case.gpu_class) or find_accelerator(case.gpu_model)
    version = profiling_version(case, accelerator)
    return Situation(
        shape=shape,
        scheme=scheme,
        weights=weights_on_gpu(case, shape, scheme),
        kv=cache_of(case, shape, version),
        physical_gib=physical_gib(case, accelerator),
        context_tokens=case.context_tokens or case.llama_context or shape.max_context_tokens,
        concurrency=1,
        tensor_parallel=case.tensor_parallel,
        pipeline_parallel=case.pipeline_parallel,
        accelerator=accelerator,
        engine_version=version,
        max_sequences=case.max_sequences,
        batched_tokens=case.batched_tokens or case.llama_micro_batch,
        utilisation=case.utilisation or default_utilisation(case),
        eager=case.eager,
        flash_attention=flash_attention(case, version),
        is_offloaded=bool(case.llama_gpu_layers),
        kv_format=kv_format_named(case.kv_dtype) or SIXTEEN_BIT,
        draft_tokens=case.remarks.draft_tokens,
        prefix_caching=prefix_caching(case),
        free_gib=case.remarks.free_gib,
        split=split_of(case, shape, version),
        is_limited=case.context_tokens is not None,
    )


def scheme_of(case: Case, shape: Shape, stored: Mapping[str, Scheme | None]) -> Scheme | None:
    """The scheme the row states, in the detail of the config's own; that of the config, or of the name, without one."""
    name = f"{case.model_name} {case.config_id}"
    named = named_scheme(case.quantization, name, is_moe=shape.is_moe, is_hybrid=bool(shape.recurrent))
    if case.config_id not in stored:
        return named
    own = stored[case.config_id]
    is_other = case.quantization and named and own and named.weight_bits != own.weight_bits
    return named if is_other else own


def flash_attention(case: Case, version: str | None) -> bool:
    """As stated, else llama.cpp's default for the version; other engines always have it."""
    if case.engine != "llama.cpp":
        return True
    default: bool = version_constants("llama.cpp", version)["flash_attention"]
    return default if case.llama_flash_attention is None else case.llama_flash_attention


def prefix_caching(case: Case) -> bool | None:
    """As stated, else None for the version's default; off where no version is stated either, as such logs show."""
    return case.remarks.prefix_caching if case.version else bool(case.remarks.prefix_caching)


def described_shape(shape: Shape, case: Case) -> Shape:
    """The shape as this start loads it: with its draft, without the tower it leaves out."""
    shape = with_positions(shape, case)
    if case.remarks.language_model_only:
        shape = replace(shape, matrices=tuple(m for m in shape.matrices if m.component != "vision"))
    return with_draft(shape, case.remarks.draft) if case.remarks.draft else shape


def weights_on_gpu(case: Case, shape: Shape, scheme: Scheme) -> WeightBytes:
    """What the fullest rank holds once loaded: its share of the model, adapters, less what stays on the host."""
    ranks, experts, remarks = case.tensor_parallel, case.remarks.expert_parallel, case.remarks
    weights = weight_bytes(shape, scheme, None, ranks, experts)
    if remarks.cpu_offload_gib:
        return left_on_gpu(weights, shape, remarks.cpu_offload_gib, ranks)
    if case.engine in PYTORCH_ENGINES:
        weights += loading_extra(
            shape, scheme, None, ranks, str(case.engine), expert_parallel=experts, engine_version=case.version
        )
    if remarks.lora_rank:
        weights += adapter_bytes(shape, remarks.lora_rank, remarks.lora_adapters, ranks)
    return stage_weights(weights, shape, ranks, case.pipeline_parallel)


def cache_of(case: Case, shape: Shape, version: str | None) -> KvCache:
    """The cache of the fullest stage in the row's format."""
    if case.engine == "llama.cpp" and version_constants("llama.cpp", version)["caches_encoders"]:
        owning = tuple(
            replace(layers, owns_kv=True) if layers.kind == "encoder" else layers for layers in shape.attention
        )
        shape = replace(shape, attention=owning)
    since = version_number(engine_constants("vllm")["pads_latent_from"])
    is_padding = case.engine == "vllm" and version_number(case.version) >= since
    multiple = version_constants("vllm", version)["latent_multiple"] if is_padding else 1
    kv = kv_cache(
        shape,
        kv_format_named(case.kv_dtype) or SIXTEEN_BIT,
        case.tensor_parallel,
        str(case.engine),
        latent_multiple=multiple,
        draft_tokens=case.remarks.draft_tokens,
    )
    return stage_kv(kv, case.pipeline_parallel)


def with_positions(shape: Shape, case: Case) -> Shape:
    """The shape with the positions of its model or family, where its description stated none."""
    if shape.max_context_tokens != UNSTATED_CONTEXT_TOKENS:
        return shape
    known = find(case.config_id) or find(case.model_name)
    if known is not None and known.shape.layer_count == shape.layer_count:
        return replace(shape, max_context_tokens=known.shape.max_context_tokens)
    content = load_yaml("positions.yaml")
    name = f"{case.model_name} {case.config_id}".lower()
    found = next((entry["tokens"] for entry in content["names"] if entry["word"] in name), content["default"])
    return replace(shape, max_context_tokens=found)


def must_be_quantized(case: Case, situation: Situation) -> bool:
    """True where no scheme is stated and 16-bit weights exceed the GPU: it has a scheme, we know not which."""
    is_assumed = not case.quantization and not situation.scheme.is_quantized
    return is_assumed and 0 < situation.physical_gib < situation.weights.total / GIB


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


def kv_format_named(dtype: str) -> str | None:
    """The cache format a log names (`fp8_e4m3`, `q8_0/q4_0`): 16 bits where it names none, None for an unknown one."""
    names: Mapping[str, str] = load_yaml("memory_constants.yaml")["kv_names"]
    if not dtype:
        return SIXTEEN_BIT
    both = re.findall("|".join(names), dtype.lower())
    if len(both) == 2 and re.search(r"[/,]|\bv\b", dtype.lower()):
        return "/".join(dict.fromkeys(names[name] for name in both))
    return next((kv_format for word, kv_format in names.items() if word in dtype.lower()), None)
