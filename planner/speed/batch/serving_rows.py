"""Rows of servers under fixed concurrency (columns of InferenceX runs, as aiconfigurator ships them)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from planner.catalog import load_yaml
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import FILE, accelerator_named, engine_named, format_named
from planner.speed.batch.question import Figure, Question, Setting, cell, drafts, fits, setting_of, whole
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
    layout = layout_of(row)
    if not fits(setting, layout, share=1.0):
        return "does-not-fit"
    load = setting.load(layout, *lengths, clients)
    if load is None:
        return "no-arithmetic"
    return Question(cell(row, "id"), named, load, (TTFT, TPOT), setting.known.guessed)


def _setting(row: Row, architectures: Architectures) -> Setting | str:
    known = architectures.find(cell(row, "model_path"))
    gpu = accelerator_named(cell(row, "system"))
    engine = engine_named(f"{cell(row, 'backend')} {cell(row, 'backend_version')}")
    if known is None:
        return "unknown-model"
    if gpu is None:
        return "unknown-accelerator"
    if engine is None:
        return "unknown-engine"
    stated = cell(row, "precision") or cell(row, "moe_quant_mode") or cell(row, "gemm_quant_mode")
    native = load_yaml(FILE)["native_formats"].get(known.shape.family)
    format = format_named(native or stated)
    return (format and setting_of(known, gpu, engine, format, eight_bit_cache=True)) or "unknown-format"


def concurrency(row: Row) -> float | None:
    """Clients of one server: what the run is named after (`..._c64_...`) or the batch of each attention copy times the
    copies, the smaller where both are stated (a run may have many servers); None where neither is."""
    named = CLIENTS_IN_ID.search(cell(row, "id"))
    batch = whole(row, "batch_size")
    stated = [float(named[1])] if named else []
    if batch:
        stated.append(float(batch * max(1, whole(row, "attention_dp_size") or 1)))
    return min(stated, default=None)


def layout_of(row: Row) -> Layout:
    """The layout. Experts dealt n x n over n x n ranks mean n accelerators, with tensor and expert size n."""
    tensor, copies, expert_tensor, expert = (
        max(1, whole(row, name) or 1) for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if expert_tensor == expert > 1 and tensor * copies == expert_tensor * expert:
        tensor, copies = (expert, 1) if copies == 1 else (1, expert)
    return _as_dealt(Layout(tensor, copies, expert))


def _as_dealt(layout: Layout) -> Layout:
    """More ranks than one server has hold a copy of the attention each: nobody splits heads so far."""
    widest = load_yaml(FILE)["widest_tensor_parallel"]
    return Layout(1, layout.accelerators, layout.accelerators) if layout.tensor_parallel > widest else layout


def _pools(row: Row, setting: Setting, lengths: tuple[float, float], clients: float) -> PooledLoad | None:
    """Prompt and decode servers; where their number is not stated, as in the middle of the runs that state it."""
    prompts, decode = _pool_layout(row, "prefill"), _pool_layout(row, "decode")
    prompt_servers, decode_servers = (whole(row, f"{pool}_num_workers") for pool in ("prefill", "decode"))
    if not prompt_servers or not decode_servers:
        prompts, prompt_servers, decode, decode_servers = _usual_pools(prompts, decode, lengths, clients)
    load, reading = (setting.load(layout, *lengths, clients) for layout in (decode, prompts))
    if load is None or reading is None:
        return None
    return PooledLoad(load, reading, float(prompt_servers), float(decode_servers))


def _usual_pools(
    prompts: Layout, decode: Layout, lengths: tuple[float, float], clients: float
) -> tuple[Layout, int, Layout, int]:
    """Layouts and numbers of servers that a row leaves open. One size for both pools above a server's is the number of
    all GPUs; many clients are decoded with a copy of the attention on each GPU."""
    usual = load_yaml(FILE)["unstated_pools"]
    gpus, ranks = usual["decode_gpus"], decode.accelerators
    if prompts == decode and ranks > usual["one_server"]:
        gpus, ranks = ranks - usual["least_prompt_gpus"], usual["one_server"]
        prompts = Layout(usual["least_prompt_gpus"])
    ranks = max(ranks, usual["fewest_copies"]) if clients >= usual["attention_copies_from"] else ranks
    decode = Layout(1, ranks, ranks) if clients >= usual["attention_copies_from"] else Layout(ranks)
    reading = max(1, round(_usual_prompt_gpus(lengths, clients) / prompts.accelerators))
    return prompts, reading, decode, max(1, round(gpus / ranks))


def _usual_prompt_gpus(lengths: tuple[float, float], clients: float) -> float:
    """More for many clients, and more for those whose prompts are long beside their answers: runs are set up so that
    prompts keep pace."""
    usual, ratio = load_yaml(FILE)["unstated_pools"]["prompt_gpus"], lengths[0] / lengths[1]
    fitting = (line for line in usual if clients >= line["clients_from"] and ratio >= line["prompt_over_answer_from"])
    return float(max(line["gpus"] for line in fitting))


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
