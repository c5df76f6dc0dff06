"""One server start as a table of logs describes it: what was started, on what, with which limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.bulk import read_rows
from planner.catalog import load_yaml
from planner.memory.remarks import Remarks, remarks_of

ENGINE_WORDS = {
    "vllm": "vllm", "sglang": "sglang", "tensorrt": "tensorrt-llm", "llama.cpp": "llama.cpp",
    "transformers": "transformers",
}  # fmt: skip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NEEDED_COLUMNS = ("id", "engine", "config_id")


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table; None where it says nothing. `physical_gib` is per accelerator."""

    id: str
    engine: str | None
    version: str | None
    is_v0: bool | None
    config_id: str
    model_name: str
    quantization: str
    gpu_class: str
    gpu_model: str
    sticker_gb: float | None
    physical_gib: float | None
    tensor_parallel: int
    pipeline_parallel: int
    context_tokens: int | None
    utilisation: float | None
    max_sequences: int | None
    batched_tokens: int | None
    eager: bool
    kv_dtype: str
    llama_context: int | None
    llama_micro_batch: int | None
    llama_flash_attention: bool | None
    llama_gpu_layers: str
    remarks: Remarks = Remarks()


def read_cases(path: Path) -> list[Case]:
    """All rows of a CSV file. BadInput when it is missing or lacks a needed column."""
    rows = read_rows(path, NEEDED_COLUMNS)
    return [case_from_row(row) for row in rows]


def case_from_row(row: Mapping[str, str | None]) -> Case:
    """The case a row states; measured columns are not read."""
    text = {key: (value or "").strip() for key, value in row.items() if key}
    version = text.get("engine_version", "")
    remarks = remarks_of(text, _integer(text, "tensor_parallel_size") or 1)
    return Case(
        id=text["id"],
        engine=engine_named(text["engine"]),
        version=version_named(version, engine_named(text["engine"]), text["engine"]),
        is_v0=True if re.search(r"\bV0\b", version) else False if re.search(r"\bV1\b", version) else None,
        config_id=text["config_id"],
        model_name=text.get("model_id", "") or text["config_id"],
        quantization=text.get("quantization", ""),
        gpu_class=text.get("gpu_class", ""),
        gpu_model=text.get("gpu_model", ""),
        sticker_gb=sticker_gb(text.get("gpu_model", "")),
        physical_gib=_decimal(text, "gpu_total_GiB"),
        tensor_parallel=_integer(text, "tensor_parallel_size") or 1,
        pipeline_parallel=_integer(text, "pipeline_parallel_size") or 1,
        context_tokens=_integer(text, "max_model_len"),
        utilisation=_decimal(text, "gpu_memory_utilization"),
        max_sequences=_integer(text, "max_num_seqs"),
        batched_tokens=_integer(text, "max_num_batched_tokens"),
        eager=text.get("enforce_eager", "").lower() in ("true", "1") or remarks.eager,
        kv_dtype=text.get("kv_cache_dtype", "") or text.get("llamacpp_kv_type", ""),
        llama_context=_integer(text, "llamacpp_n_ctx") or unstated_context(text["engine"]),
        llama_micro_batch=_integer(text, "llamacpp_n_ubatch"),
        llama_flash_attention=_switch(text, "llamacpp_flash_attn"),
        llama_gpu_layers=text.get("llamacpp_ngl", ""),
        remarks=remarks,
    )


def engine_named(text: str) -> str | None:
    """The engine a free text names (`llama.cpp (Vulkan)` -> llama.cpp); None for one without an accountant."""
    return next((engine for word, engine in ENGINE_WORDS.items() if word in text.lower()), None)


def unstated_context(engine: str) -> int | None:
    """The context a launcher of llama.cpp takes unless told otherwise; None where that is the model's own."""
    defaults: Mapping[str, int] = load_yaml("memory_constants.yaml")["llama.cpp"]["unstated_context"]
    return next((tokens for launcher, tokens in defaults.items() if launcher in engine), None)


def sticker_gb(gpu_model: str) -> float | None:
    """The memory a free text gives its GPU (`24GB class` -> 24)."""
    found = re.search(r"(\d+)\s*GB", gpu_model)
    return float(found.group(1)) if found else None


def version_named(text: str, engine: str | None, launcher: str = "") -> str | None:
    """The version in a free text, or the one current at its date (`2026-08` -> 0.27), else the usual one or None.

    Builds of llama.cpp (`b6123`) stand for the version that was current with them.
    """
    stated = re.search(r"(?<![\d.-])0\.\d+(\.\d+)?", text)
    if stated:
        return stated.group()
    constants = load_yaml("memory_constants.yaml").get(engine, {})
    build = re.search(r"\bb(?:uild:? )?(\d{4,5})\b", f"{text} {launcher}", re.IGNORECASE)
    builds: Mapping[int, str] = constants.get("current_with", {})
    if build and builds:
        return next(version for since, version in reversed(list(builds.items())) if since <= int(build.group(1)))
    when = month_named(text)
    if not when:
        by_launcher: Mapping[str, str] = constants.get("unstated_version_of", {})
        unstated: str | None = constants.get("unstated_version")
        return next((known for name, known in by_launcher.items() if name in launcher.lower()), unstated)
    versions: Mapping[str, str] = constants.get("current_at", {})
    return next((version for since, version in reversed(list(versions.items())) if since <= when), None)


def month_named(text: str) -> str | None:
    """The month in a free text (`2025-09-12`, `20250912`, `Sep 2025`) as `2025-09`; June of a year alone."""
    by_name = re.search(rf"\b({'|'.join(MONTHS)})[a-z]*\.? (20\d\d)\b", text, re.IGNORECASE)
    if by_name:
        return f"{by_name.group(2)}-{MONTHS.index(by_name.group(1).lower()) + 1:02}"
    found = re.search(r"(20\d\d)(?:[-/.]?(0[1-9]|1[0-2])(?!\d(?!\d)|\d{3}))?", text)
    return f"{found.group(1)}-{found.group(2) or '06'}" if found else None


def _switch(row: Mapping[str, str], key: str) -> bool | None:
    """A flag that is 0 or 1, or not stated."""
    return {"0": False, "1": True}.get(row.get(key, ""))


def _integer(row: Mapping[str, str], key: str) -> int | None:
    value = _decimal(row, key)
    return None if value is None else int(value)


def _decimal(row: Mapping[str, str], key: str) -> float | None:
    try:
        return float(row[key]) if row.get(key) else None
    except ValueError:
        return None
