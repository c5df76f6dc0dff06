"""The predictions that the committed tables of real starts are compared with."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from planner.hardware.hardware import Cpu, Hardware
from planner.memory import llama_cpp
from planner.memory.constants import version_constants
from planner.memory.kv_cache import kv_cache
from planner.memory.llama_offload import device_account
from planner.memory.llama_split import HOST, LayerSplit
from planner.memory.situation import Situation
from planner.memory.vllm import laid_out
from planner.memory.weights import weight_bytes
from planner.models.families import shape_from_config
from planner.plan import QuantizingNeeds
from planner.quantizing.needing import needs_of
from planner.quantizing.quantities import Calibration
from planner.schemes import scheme
from planner.units import MIB

HERE = Path(__file__).parent
VLLM_TABLE = HERE / "vllm_cpu.csv"
LLAMA_TABLE = HERE / "llama_cpp.csv"
SPLIT_TABLE = HERE / "llama_split.csv"
BUFFERS = ("mapped_mib", "repacked_mib", "kv_mib", "compute_mib")
SPLIT_BUFFERS = tuple(
    f"{place}_{what}_mib" for place in ("gpu0", "gpu1", "host") for what in ("model", "kv", "compute")
)
QUANTIZING_TABLE = HERE / "quantizing.csv"
CPU_BLOCK_TOKENS, CPU_MLA_BLOCK_TOKENS = 128, 16  # defaults of vLLM's CPU platform (vllm/platforms/cpu.py)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """The table, row by row as they are measured, and in the place of the earlier one once it is whole."""
    aside = path.with_suffix(".partial")
    with aside.open("w", newline="") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    aside.replace(path)


@cache
def vllm_models() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = json.loads((HERE / "vllm_models.json").read_text())
    return models


def predicted_vllm_tokens(row: dict[str, str]) -> int:
    """Tokens vLLM should report for the start of that row."""
    shape = shape_from_config(vllm_models()[row["model"]])
    is_latent = any(layers.latent_dim for layers in shape.attention)
    pages = laid_out(
        kv_cache(shape, row["kv_format"]),
        CPU_MLA_BLOCK_TOKENS if is_latent else CPU_BLOCK_TOKENS,
        int(row["batched_tokens"]),
        version_constants("vllm", row["engine_version"].removeprefix("vLLM ")),
        prefix_caching=row["prefix_caching"] == "True",
    )
    return pages.tokens(int(row["pool_mib"]) * 2**20, int(row["max_model_len"]))


@cache
def llama_models() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = json.loads((HERE / "llama_models.json").read_text())
    return models


def predicted_buffers(row: dict[str, str]) -> dict[str, float]:
    """MiB of every buffer that llama-server should print for the start of that row."""
    shape, stored = shape_from_config(llama_models()[row["model"]]), scheme(row["format"])
    context, slots = int(row["context_tokens"]), int(row["slots"])
    account = llama_cpp.account(
        Situation(
            shape=shape,
            scheme=stored,
            weights=weight_bytes(shape, stored),
            kv=kv_cache(shape, row["kv_format"], 1, "llama.cpp"),
            physical_gib=16,
            context_tokens=context,
            concurrency=slots,
            flash_attention=row["flash_attention"] == "True",
            kv_format=row["kv_format"],
            engine_version="0.3.36",
            instruction_sets=tuple(row["instruction_sets"].split()),
            repacks=row["repacks"] == "True",
        )
    )
    mib = {term.label: term.predicted_gib * 1024 for term in account.terms}
    return {
        "mapped_mib": sum(mib.get(label, 0.0) for label in ("weights", "scales and zeros", "16-bit remainder")),
        "repacked_mib": mib.get("repacked copy", 0.0),
        "kv_mib": slots * account.layout.sequence_bytes(context) / MIB,
        "compute_mib": mib["compute buffer"],
    }


def predicted_split(row: dict[str, str]) -> dict[str, float]:
    """MiB of every buffer on each device that llama-server should print for a model split as in that row."""
    shape, stored = shape_from_config(llama_models()[row["model"]]), scheme(row["format"])
    situation = Situation(
        shape=shape,
        scheme=stored,
        weights=weight_bytes(shape, stored),
        kv=kv_cache(shape, "16-bit", 1, "llama.cpp"),
        physical_gib=16,
        context_tokens=int(row["context_tokens"]),
        concurrency=int(row["slots"]),
        batched_tokens=int(row["micro_batch"]),
        engine_version="0.3.36",
        is_offloaded=True,
    )
    split = LayerSplit(int(row["gpu_layers"]), gpu_shares=tuple(map(float, row["gpu_shares"].split(","))))
    found = dict.fromkeys(SPLIT_BUFFERS, 0.0)
    for place, device in [*((f"gpu{number}", number) for number in range(split.gpu_count)), ("host", HOST)]:
        account = device_account(device, situation, split)
        mib = {term.label: term.predicted_gib * 1024 for term in account.terms}
        found[f"{place}_model_mib"] = sum(
            mib.get(label, 0.0) for label in ("weights", "scales and zeros", "16-bit remainder")
        )
        cache = account.layout.sequence_bytes(situation.context_tokens) * situation.concurrency
        found[f"{place}_kv_mib"] = cache / MIB
        found[f"{place}_compute_mib"] = mib["compute buffer"]
    return found


@cache
def quantizing_models() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = json.loads((HERE / "quantizing_models.json").read_text())
    return models


def predicted_quantizing(row: dict[str, str]) -> QuantizingNeeds:
    """What the run of that row should take: a CPU host without a GPU, one core."""
    convert = row["format"] == "convert"
    samples, tokens = int(row["samples"]), int(row["tokens"])
    return needs_of(
        shape_from_config(quantizing_models()[row["model"]]),
        scheme("gguf-bf16" if convert else row["format"]),
        row["tool"],
        Hardware(label="cpu", cpu=Cpu("one core", cores=1, memory_gib=16.0)),
        calibration=Calibration(samples, tokens) if samples else None,
    )


def whole_paths(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows whose memory is that of the whole way to the checkpoint: llama-quantize needs less than converting."""
    return [row for row in rows if row["tool"] != "llama.cpp" or row["format"] == "convert"]
