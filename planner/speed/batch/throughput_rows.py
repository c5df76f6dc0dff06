"""Rows of the best throughput a vendor published: servers kept full, or offered so many requests a second."""

from __future__ import annotations

from collections.abc import Mapping

from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import tokens_named
from planner.speed.batch.question import Figure, Question, Setting, cell, fits, whole
from planner.speed.batch.stream_rows import setting_of_row
from planner.speed.loads import NO_LIMIT
from planner.speed.work import Layout

UNSTATED_INPUT, UNSTATED_OUTPUT = 1024, 256
WEIGHTS_AT_MOST = 0.6
LARGEST_LAYOUT = 8
OFFERED_REQUESTS = 500.0
SCENARIOS = ("offline", "server", "interactive", "single-stream")
Row = Mapping[str, str | None]


def throughput_question(row: Row, architectures: Architectures) -> Question | str:
    """The question of one row, or the reason of `ABSTENTIONS` why it cannot be asked."""
    setting = setting_of_row(row, architectures)
    if isinstance(setting, str):
        return setting
    gpus = max(1, whole(row, "n_gpu") or whole(row, "tp") or 1)
    stages = max(1, whole(row, "pp") or 1)
    layout = Layout(whole(row, "tp") or _smallest_that_fits(setting, gpus))
    inputs = tokens_named(cell(row, "input_len"), UNSTATED_INPUT)
    outputs = tokens_named(cell(row, "output_len"), UNSTATED_OUTPUT)
    load = setting.load(layout, inputs, outputs, _batch(row))
    if load is None:
        return "no-arithmetic"
    servers = max(1.0, gpus / (layout.accelerators * stages))
    metric = cell(row, "metric").lower()
    figure = _figure(metric, outputs, servers, gpus, online=cell(row, "batch").upper().startswith("QPS"))
    if figure is None:
        return "unknown-metric"
    named = setting.named(scenario=next((s for s in SCENARIOS if s in metric), ""))
    offered = offered_per_s(row)
    return Question(cell(row, "id"), named, load, (figure,), setting.known.guessed, offered_per_s=offered)


def _batch(row: Row) -> float:
    """The batch of a row; where it names requests a second or a maximum, as many as memory holds."""
    batch = whole(row, "batch")
    if cell(row, "batch").upper() == "QPS=INF":
        return OFFERED_REQUESTS
    return float(batch) if batch else NO_LIMIT


def offered_per_s(row: Row) -> float | None:
    """Requests a second that clients send (`QPS=8`); None where there is always a next one."""
    text = cell(row, "batch").upper().removeprefix("QPS=")
    try:
        return float(text) if cell(row, "batch").upper().startswith("QPS=") and text != "INF" else None
    except ValueError:
        return None


def _smallest_that_fits(setting: Setting, gpus: int) -> int:
    """The fewest GPUs whose memory the weights leave room in, doubled until they do."""
    ranks = 1
    while ranks * 2 <= min(gpus, LARGEST_LAYOUT) and not fits(setting, Layout(ranks), WEIGHTS_AT_MOST):
        ranks *= 2
    return ranks


def _figure(metric: str, outputs: float, servers: float, gpus: int, online: bool) -> Figure | None:
    if "per gpu" in metric or "omits /gpu" in metric:
        return Figure("tokens_per_s", scale=servers / gpus)
    if "per user" in metric:
        return Figure("tpot_ms", decodes=1, scale=1000.0, power=-1.0)
    if "tokens/s" in metric or metric.startswith("queries/s"):  # MLPerf prints tokens under that name (llama3.1-8b)
        return Figure("tokens_per_s", scale=servers)
    if metric.startswith("requests/s"):
        return Figure("tokens_per_s", scale=servers / outputs)
    if metric.startswith("ttft"):
        return Figure("ttft_ms", served=online, prefills=1, requests=1)
    if metric.startswith("itl"):
        return Figure("tpot_ms", served=online, decodes=1)
    if metric.startswith("latency"):
        return Figure("tpot_ms", decodes=outputs, prefills=1, requests=1)
    return None
