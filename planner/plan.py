"""The plan: a frozen, versioned contract between whoever decides and whoever executes.

Predicted and measured values never share a name: a plan holds predictions only; runs hold measurements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from planner.candidate import Alternative, CacheTransfer, Candidate, Placement, Pool, Verdict, Weighed
from planner.errors import BadInput
from planner.needs import Lever, Memory, Offload, Term
from planner.predicted import Cost, OperatingPoint, Outlook, Percentiles, Prediction, Span, TokenCost
from planner.request import Frozen, Request, Workload
from rules.vocabulary import FormatId, Trouble

__all__ = [
    "Alternative", "CacheTransfer", "Candidate", "Cost", "Decision", "Evidence", "HardwareSummary", "Lever", "Memory",
    "ModelSummary", "Offload", "OperatingPoint", "Outlook", "Percentiles", "Placement", "Plan", "Pool", "Prediction",
    "QuantizingNeeds", "Rung", "Span", "Stage", "StageKind", "Term", "TokenCost", "Verdict", "Way", "Weighed",
    "load_plan",
]  # fmt: skip

SCHEMA_VERSION = 2

CHANGE_IN_WORDS = {
    "concurrency": "{} requests at once",
    "context_tokens": "requests of up to {:,} tokens",
    "kv_cache": "{} KV cache",
    "group_size": "groups of {}",
    "engine_arguments": "{}",
    "format": "{}",
    "engine": "on {}",
    "tensor_parallel": "split over {} accelerators",
}

StageKind = Literal[
    "fetch", "keep-original", "convert", "calibrate", "quantize", "check-artifact",
    "evaluate", "launch", "check-applied", "load-test", "ramp", "findings", "report",
]  # fmt: skip


class Evidence(Frozen):
    """Why a rule spoke or did not: its id, source, reason, the facts it saw, and the clause that did not hold.

    `house_rules` is the directory of the house rules it comes from; None: the built-in book.
    """

    rule: str
    house_rules: str | None = None
    source: str
    because: str
    saw: dict[str, Any] = {}
    outcome: dict[str, Any] = {}
    failed_clause: str = ""
    vetoed: bool = False


class Decision(Frozen):
    """One question of the book, answered: the rules that spoke, and those that were asked before and did not.

    Where every rule may speak, those that did not are left out; `quantplan rules explain` shows them.
    """

    decision: str
    question: str
    answered_by: tuple[Evidence, ...]
    passed_over: tuple[Evidence, ...] = ()


class Stage(Frozen):
    """One step for the executor, its parameters as plain JSON values."""

    name: str
    kind: StageKind
    parameters: dict[str, Any] = {}


class Rung(Frozen):
    """Where to go when the choice fails: on which trouble, what changes, and by which rule.

    `change` holds the settings that differ from the plan's; the plan's `ways` has what is done then, under `says`.
    """

    on: Trouble
    format: FormatId
    rule: str
    because: str
    source: str = ""
    change: dict[str, Any] = {}

    @property
    def says(self) -> str:
        """What is different, in words: `4 requests at once, fp8 KV cache`."""
        if self.change.get("concurrency") == 1:
            words = {**CHANGE_IN_WORDS, "concurrency": "one request at a time"}
        else:
            words = CHANGE_IN_WORDS
        return ", ".join(words[name].format(value) for name, value in self.change.items()) or self.format


class Way(Frozen):
    """What is done on a rung: the candidate, the load it serves (None: the plan's), and every stage in order.

    The candidate's predictions stand beside it. A prediction or stage of the plan's own is given by its name alone.
    """

    candidate: Candidate
    predictions: tuple[Prediction | str, ...]
    workload: Workload | None = None
    stages: tuple[Stage | str, ...]


class ModelSummary(Frozen):
    """The model as planned for."""

    name: str
    family: str
    source: str
    path: str | None = None
    parameters: int
    active_parameters: int
    parameters_by_component: dict[str, int]
    layer_count: int
    max_context_tokens: int
    weights_16bit_gib: float
    stored_format: str | None = None
    assumptions: tuple[str, ...] = ()


class HardwareSummary(Frozen):
    """The hardware as planned for."""

    label: str
    name: str
    count: int
    memory_gib: float
    bandwidth_gb_s: float | None = None
    compute_capability: float | None = None
    source: str
    detected: bool
    notes: tuple[str, ...] = ()


class QuantizingNeeds(Frozen):
    """What making the checkpoint takes: predictions `quantizing_host_gib`, `quantizing_gpu_gib`, `quantizing_disk_gib`
    and `quantizing_minutes`, and what each sum is made of. GPU memory is that of one GPU; 0 where the host does it all.
    """

    tool: str
    way: str
    host_gib: Prediction
    gpu_gib: Prediction
    disk_gib: Prediction
    minutes: Prediction
    host_terms: tuple[Term, ...] = ()
    gpu_terms: tuple[Term, ...] = ()
    disk_terms: tuple[Term, ...] = ()

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        return (self.host_gib, self.gpu_gib, self.disk_gib, self.minutes)


class Plan(Frozen):
    """The whole answer. `digest` covers every other field; change one and the plan no longer loads.

    `ways`: what each rung of the ladder leads to, by what the rung says; several troubles may lead the same way.
    """

    schema_version: Literal[2] = 2
    quantplan_version: str
    created_at: str
    request: Request
    model: ModelSummary
    hardware: HardwareSummary
    facts: dict[str, dict[str, Any]]
    decisions: tuple[Decision, ...]
    chosen: Candidate
    stages: tuple[Stage, ...]
    ladder: tuple[Rung, ...]
    ways: dict[str, Way] = {}
    levers: tuple[Lever, ...] = ()
    quantizing: QuantizingNeeds | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()
    outlook: Outlook | None = None
    placement: Placement | None = None
    digest: str = Field(default="", pattern=r"^(|sha256:[0-9a-f]{64})$")

    @model_validator(mode="after")
    def _every_rung_leads_somewhere(self) -> Plan:
        own = {*(stage.name for stage in self.stages), *(p.name for p in self.chosen.predictions)}
        for rung in self.ladder:
            if rung.says not in self.ways:
                raise ValueError(f"no way for the rung {rung.says!r}")
        for says, way in self.ways.items():
            if unknown := [n for n in (*way.stages, *way.predictions) if isinstance(n, str) and n not in own]:
                raise ValueError(f"the way {says!r} names what the plan has not: {', '.join(unknown)}")
        return self

    def sealed(self) -> Plan:
        """The same plan with its digest."""
        return self.model_copy(update={"digest": self.computed_digest()})

    def with_stages(self, stages: Iterable[Stage]) -> Plan:
        """The same plan with these stages. It falls back nowhere: its rungs lead over the stages it had."""
        return self.model_copy(update={"stages": tuple(stages), "ladder": (), "ways": {}}).sealed()

    def on_rung(self, rung: Rung) -> Plan:
        """What is carried out once the executor has taken this rung: same question, same digest, the rung's way."""
        way, chosen = self.ways[rung.says], self.chosen
        request = self.request.model_copy(update={"workload": way.workload or self.request.workload})
        predictions = tuple(chosen.predicted(p) if isinstance(p, str) else p for p in way.predictions)
        candidate = way.candidate.model_copy(update={"predictions": predictions})
        stages = tuple(self.stage(stage) if isinstance(stage, str) else stage for stage in way.stages)
        same = (candidate.format, candidate.group_size) == (chosen.format, chosen.group_size)
        made = {"stages": stages, "quantizing": self.quantizing if same else None}
        return self.model_copy(update={"request": request, "chosen": candidate, **made})

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def as_json(self, indent: int | None = None) -> str:
        """The plan as it is written and sent: what is unknown or absent is left out."""
        return self.model_dump_json(indent=indent, exclude_none=True)

    def write(self, path: Path) -> None:
        """Write the plan as JSON: aside first, then renamed, so that no half-written plan is ever read."""
        aside = path.with_name(path.name + ".partial")
        aside.write_text(self.as_json(indent=1) + "\n", encoding="utf-8")
        aside.replace(path)

    def computed_digest(self) -> str:
        """SHA-256 of all other fields as JSON, in their order. Those with their defaults are left out, so that a later
        version of quantplan, which may have more of them, computes the same."""
        content = self.model_dump_json(exclude={"digest"}, exclude_defaults=True)
        return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def load_plan(path: Path) -> Plan:
    """Read a plan file. BadInput when it is missing, not a plan, of another version, or altered since it was made."""
    where = str(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            "no such plan file", where=where, fix="make one: quantplan plan MODEL --on HARDWARE --out FILE"
        ) from None
    except (ValueError, OSError) as error:
        raise BadInput(
            f"not a plan: {error}", where=where, fix="make it again with `quantplan plan --out FILE`"
        ) from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise BadInput(
            f"plan of schema version {version!r}; this quantplan reads version {SCHEMA_VERSION}",
            where=where,
            fix="plan again with this version: `quantplan plan --out FILE`",
        )
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"not a valid plan: {place}: {first['msg']}", where=where, fix="plan again instead of editing"
        ) from None
    if plan.digest != plan.computed_digest():
        raise BadInput(
            "the plan was altered after it was made (its digest does not match)",
            where=where,
            fix="plan again with the options you want instead of editing the file",
        )
    return plan
