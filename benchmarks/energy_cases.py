"""Published power measurements as cases for the power model: the planner's own reading of a run, and what it drew."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path

from planner.energy.power import PowerConstants
from planner.energy.utilisation import MS_PER_S, utilisation
from planner.hardware.hardware import Accelerator, Hardware
from planner.models.shape import Shape
from planner.schemes import scheme
from planner.speed.anatomy import anatomy
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import accelerator_named
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.estimate import Estimate
from planner.speed.gpu import peaks_of
from planner.speed.loads import Load, served
from planner.speed.measured import support
from planner.speed.work import Layout, Stored, nominal_weight_bytes
from planner.support import kernel_for
from rules.vocabulary import FormatId

FORMATS: dict[str, FormatId] = {"bfloat16": "bf16", "fp8": "fp8", "mxfp4": "mxfp4"}
# the lengths of prompts are not published; of about this size in these data sets
ASSUMED_INPUT_TOKENS = {"task:gpqa": 300, "task:lm-arena-chat": 200, "task:sourcegraph-fim": 500}
KEYS = ("source", "model", "precision", "gpu", "n_gpu", "batch", "output_len", "notes")
RATE, JOULES, BETWEEN = "output tokens/s total", "energy J/output token", "ITL median ms"
CACHE_BYTES = 2
DENSE_BITS = {"mxfp4": 16.0}


@dataclass(frozen=True)
class Case:
    """One run: `watts` is the mean of one accelerator, `joules` of all of them a generated token."""

    group: str
    accelerator: Accelerator
    gpus: int
    load: Load
    predicted_rate: Estimate
    watts: float
    output_tokens_per_s: float

    @property
    def joules(self) -> float:
        return self.watts * self.gpus / self.output_tokens_per_s

    @property
    def share_of_tdp(self) -> float:
        return self.watts / (self.accelerator.tdp_watts or 0.0)

    @property
    def predicted_tokens_per_s(self) -> float:
        return self.predicted_rate.value or 0.0

    def log_error(self, constants: PowerConstants, output_tokens_per_s: float) -> float:
        """log(measured / predicted) of the watts."""
        return log(self.share_of_tdp / constants.share_of_tdp(utilisation(self.load, output_tokens_per_s)))

    def joules_log_error(self, constants: PowerConstants) -> float:
        """log(measured / predicted) of the joules a token, both watts and throughput predicted."""
        rate = self.predicted_tokens_per_s
        return self.log_error(constants, rate) + log(rate / self.output_tokens_per_s)


def published(table: Path) -> list[Case]:
    """One case for each run of energy.csv, whose rows are single figures of a run."""
    runs: dict[tuple[str, ...], dict[str, str]] = {}
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            runs.setdefault(tuple(row[key] for key in KEYS), dict(row))[row["metric"]] = row["value"]
    known = Architectures()
    return [_case(run, known) for run in runs.values()]


def _case(run: Mapping[str, str], known: Architectures) -> Case:
    architecture, accelerator = known.find(run["model"]), accelerator_named(run["gpu"])
    assert architecture is not None and accelerator is not None
    gpus, watts = int(run["n_gpu"]), float(_noted(run, r"avgW=([\d.]+)"))
    load, predicted = _load(run, architecture.shape, accelerator)
    group = f"{load.model.layers} x {load.model.hidden_size}, {load.model.expert / 1e9:.0f} B of experts"
    return Case(group, accelerator, gpus, load, predicted, watts / gpus, _measured_rate(run, watts))


def _load(run: Mapping[str, str], shape: Shape, accelerator: Accelerator) -> tuple[Load, Estimate]:
    """The run as a load on one copy of the model, and the throughput that the speed model predicts for it."""
    entry = scheme(FORMATS[run["precision"]])
    kernel = kernel_for("vllm", entry.id, Hardware(accelerator.name, accelerator, int(run["n_gpu"])))
    peaks = peaks_of(accelerator, entry.activation, kernel.name) if kernel else None
    assert kernel is not None and peaks is not None
    copies = int(_noted(run, r"data_parallel': (\d+)"))
    layout = Layout(int(run["n_gpu"]) // copies, copies)
    model, bits = anatomy(shape), entry.bits_per_weight()
    dense_bits = DENSE_BITS.get(entry.id, bits)
    cache = sum(group.width for group in model.cache_groups) * CACHE_BYTES / layout.tensor_parallel
    stored = Stored(bits, nominal_weight_bytes(model, layout, bits, dense_bits), cache, dense_bits)
    lengths = ASSUMED_INPUT_TOKENS[run["input_len"]], float(run["output_len"].removeprefix("avg "))
    load = Load(model, peaks, stored, layout, *lengths, concurrency=float(run["batch"]))
    return load, _predicted_rate(load, kernel.name, gpu_class(accelerator))


def _predicted_rate(load: Load, kernel: str, group: str) -> Estimate:
    named = "vllm", kernel, group
    known = support(*named)
    assert known is not None
    seen = served(load, rates(*named), decode_rates(*named), serving_constants(*named))
    return known.estimate("output_tokens_per_s", seen.output_tokens_per_s)


def _measured_rate(run: Mapping[str, str], watts: float) -> float:
    """Tokens a second; of runs that tell it not, from joules, else from the time between tokens."""
    if RATE in run:
        return float(run[RATE])
    return watts / float(run[JOULES]) if JOULES in run else float(run["batch"]) / float(run[BETWEEN]) * MS_PER_S


def _noted(run: Mapping[str, str], pattern: str) -> str:
    found = re.search(pattern, run["notes"])
    assert found is not None
    return found[1]
