"""The report as data: what `report.json` holds and the page is made of."""

from __future__ import annotations

from typing import Any, Literal

from planner.plan import Plan
from planner.request import Frozen


class Finding(Frozen):
    """One prediction against its measurement; `relative_error` is measured / predicted - 1."""

    name: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    measured: float | None
    relative_error: float | None
    inside: bool | None
    note: str
    measured_by: str
    source: str


class Check(Frozen):
    """One thing the run had to show; `held` None: it was not checked in this run."""

    name: str
    held: bool | None
    says: str


class Verdict(Frozen):
    """Go when every check that must hold did; surprises are predictions outside their interval."""

    go: bool
    headline: str
    checks: tuple[Check, ...]
    surprises: tuple[str, ...]


class MemoryPart(Frozen):
    """One part of the engine's memory; a part that was not predicted (or not measured) is None there."""

    label: str
    predicted_gib: float | None
    measured_gib: float | None


class QualityResult(Frozen):
    """Perplexity of the original and of what is served, on the same held-out text."""

    before: float
    after: float
    standard_error: float | None
    increase: float
    increase_percent: float
    tolerable: bool | None
    max_increase: float | None
    max_increase_percent: float | None
    tolerance_source: str | None
    text: str
    windows: int
    window_tokens: int


class Fallback(Frozen):
    """One rung of the plan's ladder that was taken: where, what was seen, what was changed for it, by which rule."""

    step: str
    trouble: str
    says: str
    evidence: str
    log_path: str | None
    change: str
    rule: str
    because: str
    source: str


class StepTime(Frozen):
    """One step: how it ended, how long it took (seconds; None where the journal does not say), its largest tool."""

    name: str
    state: str
    seconds: float | None
    peak_memory_gib: float | None = None


class File(Frozen):
    """A file of the run, by its SHA-256."""

    name: str
    bytes: int
    sha256: str


class Report(Frozen):
    """One run: what was planned, what was measured, and whether it may go live."""

    schema_version: Literal[1] = 1
    created_at: str
    plan: Plan
    verdict: Verdict
    findings: tuple[Finding, ...]
    memory: tuple[MemoryPart, ...]
    resident_gib: float | None
    quality: QualityResult | None
    load: dict[str, Any]
    exchanges: tuple[dict[str, Any], ...]
    measured_usd_per_1m_output_tokens: float | None
    original_bytes: int
    artifact_types: dict[str, int]
    server_command: tuple[str, ...]
    first_completion: str
    steps: tuple[StepTime, ...]
    fallbacks: tuple[Fallback, ...] = ()
    files: tuple[File, ...]
    versions: dict[str, str]
    environment: dict[str, str]
