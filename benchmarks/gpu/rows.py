"""`rows.yaml` as typed, frozen data: what is measured, and with which settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from planner.request import Frozen, Workload

ROWS = Path(__file__).with_name("rows.yaml")


class Serving(Frozen):
    """One start of the engine, and a load for each number of requests at once."""

    model: str
    format: str
    max_model_len: int
    utilisation: float
    max_num_seqs: int
    batches: tuple[int, ...]
    minutes: float

    @property
    def key(self) -> dict[str, Any]:
        return {"kind": "serve", **self.model_dump(exclude={"batches", "minutes"})}


class Quantizing(Frozen):
    """One checkpoint, of `layers` layers where that is less than all of the model's."""

    model: str
    format: str
    tool: str
    minutes: float
    layers: int | None = None

    @property
    def key(self) -> dict[str, Any]:
        return {"kind": "quantize", **self.model_dump(exclude={"minutes"}, exclude_none=True)}


class Rows(Frozen):
    environment: dict[str, str]
    load: dict[str, int]
    calibration: dict[str, int]
    architectures: dict[str, str]
    quantization: dict[str, dict[str, Any] | None]
    serve: tuple[Serving, ...]
    quantize: tuple[Quantizing, ...]

    def workload(self, at_once: int) -> Workload:
        lengths = {name: self.load[name] for name in ("input_tokens", "output_tokens")}
        return Workload(**lengths, concurrency=at_once)


@cache
def rows() -> Rows:
    return Rows.model_validate(yaml.safe_load(ROWS.read_text(encoding="utf-8")))
