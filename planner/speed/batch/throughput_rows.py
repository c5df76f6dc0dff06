"""Rows of the best throughput a vendor published: servers kept full, or offered so many requests a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
    figure = _figure(cell(row, "metric").lower(), outputs, servers, gpus)
    if figure is None:
        return "unknown-metric"
    named = setting.named(next((s for s in SCENARIOS if s in cell(row, "metric").lower()), ""))
    return Question(cell(row, "id"), named, load, (figure,), setting.known.guessed)


def _batch(row: Row) -> float:
    """The batch of a row; where it names requests a second or a maximum, as many as memory holds."""
    batch = whole(row, "batch")
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


def _figure(metric: str, outputs: float, servers: float, gpus: int) -> Figure | None:
    if "per gpu" in metric or "omits /gpu" in metric:
        return Figure("tokens_per_s", scale=servers / gpus)
    if "per user" in metric:
        return Figure("tpot_ms", decodes=1, scale=1000.0, power=-1.0)
    if "tokens/s" in metric:
        return Figure("tokens_per_s", scale=servers)
    if metric.startswith(("queries/s", "requests/s")):
        return Figure("tokens_per_s", scale=servers / outputs)
    if metric.startswith("ttft"):
        return Figure("ttft_ms", prefills=1, requests=1)
    if metric.startswith("itl"):
        return Figure("tpot_ms", decodes=1)
    if metric.startswith("latency"):
        return Figure("tpot_ms", decodes=outputs, prefills=1, requests=1)
    return None


def limited(value: float, row: Row, figure: Figure, outputs: float) -> float:
    """A rate, but not above what clients ask for."""
    offered = offered_per_s(row)
    if offered is None or figure.kind != "tokens_per_s":
        return value
    asked = offered if cell(row, "metric").lower().startswith("requests/s") else offered * outputs
    return min(value, asked)


def with_concurrency(question: Question, concurrency: float) -> Question:
    """The same question at another concurrency."""
    return replace(question, load=replace(question.load, concurrency=concurrency))
