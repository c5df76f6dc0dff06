"""What the free text of a row says about a start beyond its columns: expert parallelism, offloading, drafts, LoRA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from planner.catalog import load_yaml

TEXTS = ("note", "model_id", "engine", "gpu_model", "engine_args")


@dataclass(frozen=True, slots=True)
class Remarks:
    """How a server was started, as far as its row says so in words. `draft_tokens`: tokens speculated ahead.

    Of llama.cpp: `gpu_shares` is `--tensor-split`, `cpu_expert_layers` `--n-cpu-moe`, and `is_per_device` says that its
    buffers are stated for one of several GPUs. `context_parallel` ranks of vLLM share the tokens of each request
    (`--decode-context-parallel-size`).
    """

    expert_parallel: int | None = None
    cpu_offload_gib: float = 0.0
    draft: Literal["mtp", "eagle"] | None = None
    draft_tokens: int = 0
    lora_rank: int = 0
    lora_adapters: int = 1
    language_model_only: bool = False
    prefix_caching: bool | None = None
    free_gib: float | None = None
    several_gpus: int = 1
    cpu_expert_layers: int = 0
    gpu_shares: tuple[float, ...] = ()
    is_per_device: bool = False
    is_pipelined: bool = False
    eager: bool = False
    context_parallel: int = 1


def remarks_of(row: Mapping[str, str], tensor_parallel: int) -> Remarks:
    """Columns of these names first (`cpu_offload_gb`, `expert_parallel_size` ...), then the words of the free texts."""
    text = " ; ".join(row.get(key, "") or "" for key in TEXTS)
    patterns: Mapping[str, str] = load_yaml("remarks.yaml")["says"]
    said = {name: _first(pattern, row.get(name, ""), text) for name, pattern in patterns.items()}
    draft: Literal["mtp", "eagle"] | None = "eagle" if said["eagle"] is not None else None
    if said["mtp"] is not None:
        draft = "mtp"
    return Remarks(
        expert_parallel=_expert_parallel(said, tensor_parallel),
        cpu_offload_gib=float(said["cpu_offload_gb"] or 0),
        draft=draft,
        draft_tokens=int(said["num_speculative_tokens"] or said["mtp"] or 1) if draft else 0,
        lora_rank=_lora_rank(said),
        lora_adapters=int(said["max_loras"] or 1),
        language_model_only=said["language_model_only"] is not None,
        prefix_caching=_prefix_caching(said),
        free_gib=float(said["free_gib"]) if said["free_gib"] else None,
        several_gpus=int(said["several_gpus"] or 1),
        cpu_expert_layers=int(said["n_cpu_moe"] or 0),
        gpu_shares=tuple(map(float, re.split("[,/]", said["tensor_split"]))) if said["tensor_split"] else (),
        is_per_device=said["per_device"] is not None,
        is_pipelined=said["pipelined"] is not None,
        eager=said["eager"] is not None,
        context_parallel=int(said["context_parallel"] or 1),
    )


def _first(pattern: str, column: str | None, text: str) -> str | None:
    """A column's value, else what the pattern finds in the text: its number, or an empty text without one."""
    if column and column.strip():
        value = column.strip().lower()
        return None if value in ("0", "false", "no") else "" if value in ("true", "yes") else value
    said = (found for found in re.finditer(pattern, text, re.IGNORECASE) if not is_denied(text, found))
    found = next(said, None)
    return next((group for group in found.groups() if group), "") if found else None


def is_denied(text: str, found: re.Match[str]) -> bool:
    """Whether the words around it say that it is not so: `no MTP`, `without LoRA`, `EAGLE off`, `MTP=0`."""
    before, after = load_yaml("remarks.yaml")["denied"]
    return bool(re.search(before, text[: found.start()], re.IGNORECASE) or re.match(after, text[found.end() :], re.I))


def _expert_parallel(said: Mapping[str, str | None], tensor_parallel: int) -> int | None:
    """Ranks the experts are dealt out to: stated, or all GPUs of the start."""
    if said["expert_parallel_size"] is None:
        return None
    stated = int(said["expert_parallel_size"] or 0)
    everywhere = tensor_parallel * int(said["data_parallel_size"] or 1)
    return stated or max(everywhere, int(said["gpus"] or 1))


def _lora_rank(said: Mapping[str, str | None]) -> int:
    """vLLM reserves for the largest rank it may be given (`--max-lora-rank`, 16 unless told otherwise)."""
    if said["lora"] is None:
        return 0
    return int(said["max_lora_rank"] or load_yaml("remarks.yaml")["defaults"]["max_lora_rank"])


def _prefix_caching(said: Mapping[str, str | None]) -> bool | None:
    if said["prefix_caching_off"] is not None:
        return False
    return True if said["enable_prefix_caching"] is not None else None
