"""Published closed-loop runs, simulated step by step beside the closed form that was fitted on them.

As InferenceX runs them (InferenceMAX, README): ten requests a client, all clients start at once, lengths from 0.8 to 1
times the name of the load. The planner reads a load by its name, so lengths here lie within a tenth of it; the runs of
SGLang 0.5.1 had fixed ones. The simulator's constants are the closed form's, and nothing of it is fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from speed_cases import serving_cases

from planner.serving.lengths import Uniform
from planner.serving.server import Limits, Server
from planner.serving.simulating import Simulation
from planner.serving.traffic import Source, Traffic
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.question import Question
from planner.speed.constants import decode_rates, rates, serving_constants
from planner.speed.loads import CHUNK_TOKENS, served
from planner.speed.stepping import StepTimes
from planner.speed.work import Running

REQUESTS_EACH = 10
LENGTH_RANGES = {"vllm": 0.1, "tensorrt-llm": 0.1, "sglang": 0.0}
RUNS, MOST_CLIENTS = 300, 128
LONGEST_TOKENS = 10**7
FIGURES = ("tpot_ms", "ttft_ms")


@dataclass(frozen=True)
class Run:
    """One published run: its load, and milliseconds of each of `FIGURES`."""

    question: Question
    measured: tuple[float, ...]


def compare(folder: Path) -> None:
    """Prints how far both are from a random choice of each engine's runs in serving.csv."""
    print("published closed-loop runs (InferenceX): mean / median error, bias")
    runs = published(folder)
    for engine in LENGTH_RANGES:
        of_engine = [run for run in runs if run.question.named.engine == engine]
        chosen = Random(0).sample(of_engine, min(RUNS, len(of_engine)))
        print(f" {engine}, {len(chosen)} of {len(of_engine)} runs")
        _print_errors(chosen)


def _print_errors(chosen: list[Run]) -> None:
    measured = np.array([run.measured for run in chosen])
    for name, found in (
        ("closed form", [closed_form(run.question) for run in chosen]),
        ("simulated", [simulated(run.question) for run in chosen]),
    ):
        for figure, errors in zip(FIGURES, (np.array(found) / measured - 1).T, strict=True):
            mean, middle, bias = np.mean(abs(errors)), np.median(abs(errors)), np.median(errors)
            print(f"  {name:12} {figure:8} {mean:6.1%} / {middle:6.1%}, {bias:+.1%}")


def published(folder: Path) -> list[Run]:
    """Runs of one server without a draft or copies of the attention, all of whose clients fit in the cache."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    questions: dict[tuple[str, str], Question] = {}
    for case in serving_cases(folder, Architectures(), Counter()):
        if _is_plain(case.question):
            key = case.id, str(case.question)
            questions[key] = case.question
            found.setdefault(key, {})[case.kind] = case.measured
    return [Run(questions[key], tuple(both[figure] for figure in FIGURES)) for key, both in found.items()]


def _is_plain(question: Question) -> bool:
    load, named = question.load, question.named
    alone = question.pools is None and load.layout.attention_data_parallel == 1
    fits = load.concurrency <= min(load.room, MOST_CLIENTS)
    return named.engine in LENGTH_RANGES and not named.release and alone and fits


def closed_form(question: Question) -> Iterable[float]:
    levels = _levels(question)
    seen = served(question.load, rates(*levels), decode_rates(*levels), serving_constants(*levels))
    return seen.tpot_ms, seen.ttft_ms


def simulated(question: Question) -> Iterable[float]:
    levels, load = _levels(question), question.load
    constants = serving_constants(*levels)
    run = Running(question.named.engine, question.named.kernel, load.layout, load.stored)
    clock = StepTimes(load.model, run, load.peaks, rates(*levels), decode_rates(*levels), constants)
    tokens, clients = (int(load.input_tokens), int(load.output_tokens)), int(load.concurrency)
    kv_tokens = int(load.room * (load.input_tokens + load.output_tokens / 2))
    limits = Limits(clients, CHUNK_TOKENS, kv_tokens, LONGEST_TOKENS)
    server = Server(clock, limits, constants.interference, constants.request_ms, constants.entry_steps)
    lengths = Uniform(*tokens, LENGTH_RANGES[question.named.engine])
    traffic = Traffic(*tokens, clients=clients, lengths=lengths)
    outcome = Simulation(server, Source.of(traffic, LONGEST_TOKENS, 0), 0, REQUESTS_EACH * clients).run()
    return outcome.tpot_ms.mean, outcome.ttft_ms.mean


def _levels(question: Question) -> tuple[str, str, str, str]:
    named = question.named
    return named.engine, named.kernel, named.gpu_class, named.vintage
