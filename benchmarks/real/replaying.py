"""The predictions that the committed tables of real starts are compared with."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

from planner.hardware.hardware import Cpu, Hardware
from planner.memory.kv_cache import kv_cache
from planner.memory.vllm_pages import Pages
from planner.models.families import shape_from_config
from planner.plan import QuantizingNeeds
from planner.quantizing.needing import needs_of
from planner.quantizing.quantities import Calibration
from planner.schemes import scheme

HERE = Path(__file__).parent
VLLM_TABLE = HERE / "vllm_cpu.csv"
QUANTIZING_TABLE = HERE / "quantizing.csv"
CPU_BLOCK_TOKENS, CPU_MLA_BLOCK_TOKENS = 128, 16  # defaults of vLLM's CPU platform (vllm/platforms/cpu.py)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@cache
def vllm_models() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = json.loads((HERE / "vllm_models.json").read_text())
    return models


def predicted_vllm_tokens(row: dict[str, str]) -> int:
    """Tokens vLLM should report for the start of that row: prefix caching keeps a second state of recurrent layers."""
    shape = shape_from_config(vllm_models()[row["model"]])
    is_latent = any(layers.latent_dim for layers in shape.attention)
    pages = Pages(
        kv_cache(shape, row["kv_format"]),
        CPU_MLA_BLOCK_TOKENS if is_latent else CPU_BLOCK_TOKENS,
        int(row["batched_tokens"]),
        states_per_request=2 if row["prefix_caching"] == "True" else 1,
    )
    return pages.tokens(int(row["pool_mib"]) * 2**20, int(row["max_model_len"]))


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
