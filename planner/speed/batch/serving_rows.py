"""Rows of servers under fixed concurrency (columns of InferenceX runs, as aiconfigurator ships them)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from planner.catalog import load_yaml
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import FILE, accelerator_named, engine_named, format_named
from planner.speed.batch.question import Figure, Question, Setting, cell, drafts, setting_of, whole
from planner.speed.loads import PooledLoad
from planner.speed.work import Layout

TPOT = Figure("tpot_ms", served=True)
TTFT = Figure("ttft_ms", served=True)
CLIENTS_IN_ID = re.compile(r"_c(\d+)(?:_|$)")
DATED = re.compile(r"20\d\d[_-]")
Row = Mapping[str, str | None]


def serving_question(row: Row, architectures: Architectures) -> Question | str:
    """The question of one row, or the reason of `ABSTENTIONS` why it cannot be asked."""
    setting = _setting(row, architectures)
    if isinstance(setting, str):
        return setting
    clients = concurrency(row)
    if clients is None:
        return "no-concurrency"
    lengths = float(whole(row, "isl") or 1), float(whole(row, "osl") or 1)
    release = _release(row, setting)
    named = setting.named(release)
    if cell(row, "mode").lower().startswith("disagg"):
        pools = _pools(row, setting, lengths, clients)
        if pools is None:
            return "no-arithmetic"
        return Question(cell(row, "id"), named, pools.load, (TTFT, TPOT), setting.known.guessed, pools)
    load = setting.load(layout_of(row), *lengths, clients)
    if load is None:
        return "no-arithmetic"
    return Question(cell(row, "id"), named, load, (TTFT, TPOT), setting.known.guessed)


def _setting(row: Row, architectures: Architectures) -> Setting | str:
    known = architectures.find(cell(row, "model_path"))
    gpu = accelerator_named(cell(row, "system"))
    engine = engine_named(cell(row, "backend"))
    if known is None:
        return "unknown-model"
    if gpu is None:
        return "unknown-accelerator"
    if engine is None:
        return "unknown-engine"
    stated = cell(row, "precision") or cell(row, "moe_quant_mode") or cell(row, "gemm_quant_mode")
    native = load_yaml(FILE)["native_formats"].get(known.shape.family)
    format = format_named(native or stated)
    return (format and setting_of(known, gpu, engine, format)) or "unknown-format"


def concurrency(row: Row) -> float | None:
    """Clients in flight: what the run is named after (`..._c64_...`), else the batch of each attention copy times
    the copies; None where neither is stated."""
    named = CLIENTS_IN_ID.search(cell(row, "id"))
    if named:
        return float(named[1])
    batch = whole(row, "batch_size")
    return float(batch * max(1, whole(row, "attention_dp_size") or 1)) if batch else None


def layout_of(row: Row) -> Layout:
    """The layout. Experts dealt n x n over n x n ranks mean n accelerators, with tensor and expert size n."""
    tensor, copies, expert_tensor, expert = (
        max(1, whole(row, name) or 1) for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if expert_tensor == expert > 1 and tensor * copies == expert_tensor * expert:
        tensor, copies = (expert, 1) if copies == 1 else (1, expert)
    return Layout(tensor, copies, expert)


def _pools(row: Row, setting: Setting, lengths: tuple[float, float], clients: float) -> PooledLoad | None:
    """Prompt and decode servers. Where their number is not stated, `decode_tp_size` counts all decode GPUs."""
    prompt_layout = _pool_layout(row, "prefill")
    decode_layout = _pool_layout(row, "decode")
    load = setting.load(decode_layout, *lengths, clients)
    prompts = setting.load(prompt_layout, *lengths, clients)
    if load is None or prompts is None:
        return None
    return PooledLoad(
        load,
        prompts,
        prompt_servers=float(max(1, whole(row, "prefill_num_workers") or 1)),
        decode_servers=float(max(1, whole(row, "decode_num_workers") or 1)),
    )


def _pool_layout(row: Row, pool: str) -> Layout:
    tensor, copies, expert = (
        max(1, whole(row, f"{pool}_{name}") or 1) for name in ("tp_size", "attention_dp_size", "moe_ep_size")
    )
    return Layout(tensor, copies, expert)


def _release(row: Row, setting: Setting) -> str:
    """What may tell a speculating build: engine, version, mode and series of the run, for models that ship drafts."""
    if not drafts(setting.known.shape, frozenset(load_yaml(FILE)["drafting_families"])):
        return ""
    series = "dated" if DATED.match(cell(row, "id")) else "undated"
    mode = "disagg" if cell(row, "mode").lower().startswith("disagg") else "agg"
    return " ".join((setting.engine.id, cell(row, "backend_version") or "unstated", mode, series))
