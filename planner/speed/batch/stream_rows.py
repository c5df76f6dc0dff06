"""Rows of one stream or a small batch: decode and prompt rates, each metric as step times."""

from __future__ import annotations

import re
from collections.abc import Mapping

from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import Format, accelerator_named, engine_named, format_named, tokens_named
from planner.speed.batch.question import Figure, Question, Setting, cell, setting_of, whole
from planner.speed.loads import Load
from planner.speed.work import Layout

UNSTATED_INPUT, UNSTATED_PROMPT, UNSTATED_OUTPUT = 16, 512, 128
ON_CPU = re.compile(r"^cpu\b|\bcpu$|llama\.cpp cpu", re.IGNORECASE)
PARTLY = re.compile(r"partial offload", re.IGNORECASE)
Row = Mapping[str, str | None]


def setting_of_row(row: Row, architectures: Architectures) -> Setting | str:
    """Model, GPU, engine and format of a row, or the reason of `ABSTENTIONS` why one of them is unknown."""
    if ON_CPU.search(cell(row, "gpu")) or ON_CPU.search(cell(row, "engine")):
        return "cpu"
    if PARTLY.search(cell(row, "engine")):
        return "partial-offload"
    known = architectures.find(cell(row, "model"))
    gpu = accelerator_named(cell(row, "gpu"))
    engine = engine_named(cell(row, "engine"), cell(row, "source"))
    if known is None:
        return "unknown-model"
    if gpu is None:
        return "unknown-accelerator"
    if engine is None:
        return "unknown-engine"
    format = format_named(cell(row, "precision"))
    return (
        format and setting_of(known, gpu, engine, _as_run(engine.id, format.id) or format, engine.id == "tensorrt-llm")
    ) or "unknown-format"


def _as_run(engine: str, format_id: str) -> Format | None:
    """llama.cpp knows its own types only: 16 bits, 8 and 4 mean GGUF's."""
    if engine != "llama.cpp" or format_id.startswith("gguf"):
        return None
    return format_named({"bf16": "GGUF F16", "int8-w8a8": "Q8_0", "int8-weight-only": "Q8_0"}.get(format_id, "Q4_K_M"))


def stream_question(row: Row, architectures: Architectures) -> Question | str:
    """The question of one row, or the reason of `ABSTENTIONS` why it cannot be asked."""
    setting = setting_of_row(row, architectures)
    if isinstance(setting, str):
        return setting
    batch = whole(row, "batch") or 1
    metric = cell(row, "metric").lower()
    reads_prompt = metric.startswith(("prefill", "ttft"))
    inputs = tokens_named(cell(row, "input_len"), UNSTATED_PROMPT if reads_prompt else UNSTATED_INPUT)
    outputs = tokens_named(cell(row, "output_len"), UNSTATED_OUTPUT)
    gpus = max(1, whole(row, "tp") or whole(row, "n_gpu") or 1)
    layout = Layout(gpus if setting.engine.uses_all_gpus else 1)
    load = setting.load(layout, inputs, outputs, batch)
    if load is None:
        return "no-arithmetic"
    figure = _figure(metric, load, batch, gpus)
    if figure is None:
        return "unknown-metric"
    return Question(cell(row, "id"), setting.named(), load, (figure,), setting.known.guessed)


def _figure(metric: str, load: Load, batch: int, gpus: int) -> Figure | None:
    """A metric as step times; None for one that is no rate or time (a ratio of two runs)."""
    outputs, inputs = load.output_tokens, load.input_tokens
    if metric.startswith("ttft"):
        return Figure("ttft_ms", prefills=1, requests=1)
    if metric.startswith(("tpot", "itl")):
        return Figure("tpot_ms", decodes=1)
    if metric.startswith("prefill"):
        return Figure("ttft_ms", prefills=1, scale=1000.0 * inputs, power=-1.0)
    if metric.startswith("achieved mem bandwidth"):
        return Figure("tpot_ms", decodes=1, scale=load.stored.weight_bytes / 1e6, power=-1.0)
    if "speedup" in metric:
        return None
    if metric.startswith("decode") or metric == "output tokens/s per user":
        return Figure("tpot_ms", decodes=1, scale=1000.0, power=-1.0)
    scale = _tokens_a_step(metric, inputs, outputs, batch, gpus)
    if scale is None:
        return None
    return Figure("tpot_ms", decodes=1, prefills=batch / outputs, scale=1000.0 * scale, power=-1.0)


def _tokens_a_step(metric: str, inputs: float, outputs: float, batch: int, gpus: int) -> float | None:
    """How many tokens a metric counts for each decode step, its prompts' time spread over the steps."""
    if metric.startswith("output tokens/s per user"):
        return 1.0
    if metric.startswith("(prompt+gen)"):
        return (inputs + outputs) / outputs
    if "per-gpu" in metric:
        return batch / gpus
    return float(batch) if "tokens/s" in metric else None
