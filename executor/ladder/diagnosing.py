"""What went wrong, told from a step's log, its exit status or its result: by data, never by guessing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from executor.engines.starting import NotReady
from executor.processes import ToolFailed
from executor.step import Result
from planner.plan import Stage
from planner.request import Request
from rules.vocabulary import Trouble

TABLE = Path(__file__).with_name("troubles.yaml")
LONGEST_EVIDENCE = 300
ANY = "any"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One trouble: what it means, the words it was told from, and the log they are in."""

    trouble: Trouble
    says: str
    evidence: str
    log_path: Path | None = None


def diagnose_failure(engine: str, error: Exception, log_path: Path) -> Diagnosis | None:
    """What a failed step died of; None when nothing in the table says."""
    for line in _lines(log_path, error):
        for pattern, entry in _patterns():
            if entry["engine"] in (ANY, engine) and pattern.search(line):
                return Diagnosis(entry["trouble"], entry["says"], line.strip()[:LONGEST_EVIDENCE], log_path)
    if isinstance(error, NotReady):
        return Diagnosis("hung", "it hung at its start", error.what.splitlines()[0], log_path)
    status = error.exit_status if isinstance(error, ToolFailed) else None
    for entry in _table()["exit_statuses"]:
        if status == entry["status"]:
            return Diagnosis(entry["trouble"], entry["says"], f"exit status {status}", log_path)
    return None


def diagnose_result(stage: Stage, result: Result, request: Request) -> Diagnosis | None:
    """What a finished step measured that is not good enough; None while it is."""
    if stage.kind == "evaluate":
        return _quality(result)
    if stage.kind == "load-test":
        return _service_level(result, request)
    return None


def _quality(result: Result) -> Diagnosis | None:
    perplexity = result.get("perplexity")
    if isinstance(perplexity, float) and not isfinite(perplexity):
        return Diagnosis("numerics", "the model's outputs are no numbers", f"perplexity {perplexity}")
    if result.get("tolerable") is False:
        grown = f"perplexity {result['perplexity_before']:.4g} before, {result['perplexity']:.4g} after"
        limits = f"tolerated: below {result['max_increase']} or {result['max_increase_percent']} %"
        return Diagnosis("quality", "quality was lost beyond tolerance", f"{grown} ({limits})")
    return None


def _service_level(result: Result, request: Request) -> Diagnosis | None:
    level = request.service_level
    for name, target in (("ttft_ms", level.ttft_ms), ("tpot_ms", level.tpot_ms)):
        mean = (result.get(name) or {}).get("mean")
        if target is not None and mean is not None and mean > target:
            evidence = f"{name} {mean:.4g} on average, at most {target:g} asked"
            return Diagnosis("service-level", "it is slower than was asked for", evidence)
    return None


def _lines(log_path: Path, error: Exception) -> Iterator[str]:
    """The step's log, then what the error itself says."""
    if log_path.is_file():
        with log_path.open(encoding="utf-8", errors="replace") as log:
            yield from log
    yield from str(error).splitlines()


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return content


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], dict[str, Any]], ...]:
    return tuple((re.compile(entry["pattern"]), entry) for entry in _table()["logs"])
