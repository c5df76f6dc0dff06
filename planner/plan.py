"""The plan: a frozen, versioned contract between whoever decides and whoever executes.

Predicted and measured values never share a name: a plan holds predictions only; runs hold measurements.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from planner.errors import BadInput
from planner.request import Frozen, Request, Workload
from rules.vocabulary import EngineId, FormatId, KvFormat, Trouble

SCHEMA_VERSION = 1

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


class Term(Frozen):
    """One line of a labelled sum, in GiB per accelerator (or per CPU host)."""

    label: str
    predicted_gib: float
    how: str = ""


class Offload(Frozen):
    """The part of a model that llama.cpp keeps in the host's memory where the accelerators cannot hold it whole.

    `gpu_layers` of `layers` are on accelerators (`-ngl`, the output layer counted); the experts of the first
    `cpu_expert_layers` are on the host (`--n-cpu-moe`). `terms`, `available_gib` and `free_gib` are the host's own sum;
    `weights_gib` is what one accelerator large enough would hold.
    """

    gpu_layers: int
    layers: int
    cpu_expert_layers: int = 0
    weights_gib: float
    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float

    @property
    def says(self) -> str:
        """What lies where, in words."""
        if self.cpu_expert_layers:
            return f"experts of {self.cpu_expert_layers} layers in host memory"
        return f"{self.gpu_layers} of {self.layers} layers on the GPU, the others in host memory"

    def gib(self, label: str) -> float:
        return sum(t.predicted_gib for t in self.terms if t.label == label)


class Memory(Frozen):
    """Memory of one accelerator (or of the CPU host): what is there, what takes it, and what the KV pool can hold.

    With an `offload`, the terms are those of the fullest accelerator, and what can be held is what both sides can.
    """

    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float
    fits: bool
    kv_bytes_per_token: float
    kv_tokens: int
    max_context_tokens: int
    max_concurrency: float
    offload: Offload | None = None

    @property
    def used_gib(self) -> float:
        return sum(t.predicted_gib for t in self.terms)

    def gib(self, label: str) -> float:
        return sum(t.predicted_gib for t in self.terms if t.label == label)


class Lever(Frozen):
    """A setting that gives memory back on each accelerator, and what it costs in exchange."""

    setting: str
    in_exchange: str
    gain_gib: float


class Prediction(Frozen):
    """One figure that can be checked: `value` with its 90 % interval, or None and the reason in `abstained`.

    `before_learning` is what it would be without what runs on this machine have taught (`quantplan learned`).
    """

    name: str
    unit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    measured_by: str
    source: str
    abstained: str | None = None
    before_learning: float | None = None


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
    """One question of the book, answered: the rules that spoke, and those that were asked before and did not."""

    decision: str
    question: str
    answered_by: tuple[Evidence, ...]
    passed_over: tuple[Evidence, ...] = ()


class TokenCost(Frozen):
    """USD per million tokens of each kind; `prompt_share` of the time goes to prompts, `allocated` says how."""

    usd_per_1m_input: float
    usd_per_1m_cached_input: float
    usd_per_1m_output: float
    usd_per_1m_blended: float
    prompt_share: float
    allocated: str


class Cost(Frozen):
    """USD for one million output tokens at the predicted throughput, with the price line it rests on.

    `usd_per_1m_output_tokens` puts the whole cost on output tokens; `apart` tells the kinds of token apart.
    """

    usd_per_hour: float
    usd_per_1m_output_tokens: float | None
    low: float | None = None
    high: float | None = None
    usd_per_month: float
    utilisation: float
    provider: str
    price_as_of: str
    price_source: str
    price_kind: str = "on-demand"
    apart: TokenCost | None = None


class Span(Frozen):
    """A predicted figure with its 90 % interval."""

    value: float
    low: float
    high: float


class OperatingPoint(Frozen):
    """One copy of the model with so many requests in flight; `prompt_share` of its time goes to reading prompts."""

    concurrency: int
    ttft_ms: Span
    tpot_ms: Span
    output_tokens_per_s: Span
    prompt_share: float | None = None


class Candidate(Frozen):
    """One way to serve the model, assessed: what the rules chose, what it needs, does and costs.

    One copy takes `tensor_parallel` x `pipeline_parallel` accelerators, on `nodes` machines; memory is of one of them.
    """

    format: FormatId
    engine: EngineId
    engine_version: str
    tensor_parallel: int
    pipeline_parallel: int = 1
    nodes: int = 1
    replicas: int = 1
    kv_cache: KvFormat
    group_size: int | None = None
    tool: str | None = None
    kernel: str
    memory: Memory
    predictions: tuple[Prediction, ...]
    cost: Cost | None
    quality: str
    engine_arguments: tuple[str, ...]
    engine_environment: dict[str, str] = {}
    verdict: Literal["chosen", "feasible", "does-not-fit", "misses-service-level", "avoided", "no-kernel"]
    reasons: tuple[str, ...] = ()

    def predicted(self, name: str) -> Prediction:
        return next(p for p in self.predictions if p.name == name)


class Stage(Frozen):
    """One step for the executor, its parameters as plain JSON values."""

    name: str
    kind: StageKind
    parameters: dict[str, Any] = {}


class Rung(Frozen):
    """Where to go when the choice fails: on which trouble, what changes, by which rule, and the whole way from there.

    `change` holds the settings that differ from the plan's; `candidate`, `workload` and `stages` are what is done then.
    """

    on: Trouble
    format: FormatId
    rule: str
    because: str
    source: str = ""
    change: dict[str, Any] = {}
    candidate: Candidate | None = None
    workload: Workload | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def says(self) -> str:
        """What is different, in words: `4 requests at once, fp8 KV cache`."""
        if self.change.get("concurrency") == 1:
            words = {**CHANGE_IN_WORDS, "concurrency": "one request at a time"}
        else:
            words = CHANGE_IN_WORDS
        return ", ".join(words[name].format(value) for name, value in self.change.items()) or self.format


class ModelSummary(Frozen):
    """The model as planned for."""

    name: str
    family: str
    source: str
    path: str | None
    parameters: int
    active_parameters: int
    parameters_by_component: dict[str, int]
    layer_count: int
    max_context_tokens: int
    weights_16bit_gib: float
    stored_format: str | None
    assumptions: tuple[str, ...] = ()


class HardwareSummary(Frozen):
    """The hardware as planned for."""

    label: str
    name: str
    count: int
    memory_gib: float
    bandwidth_gb_s: float | None
    compute_capability: float | None
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
    """The whole answer. `digest` covers every other field; change one and the plan no longer loads."""

    schema_version: Literal[1] = 1
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
    levers: tuple[Lever, ...] = ()
    quantizing: QuantizingNeeds | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alternatives: tuple[Candidate, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()
    digest: str = Field(default="", pattern=r"^(|sha256:[0-9a-f]{64})$")

    def sealed(self) -> Plan:
        """The same plan with its digest."""
        return self.model_copy(update={"digest": self.computed_digest()})

    def on_rung(self, rung: Rung) -> Plan:
        """What is carried out once the executor has taken this rung: same question, same digest, the rung's way."""
        request = self.request.model_copy(update={"workload": rung.workload or self.request.workload})
        chosen = rung.candidate or self.chosen
        same = (chosen.format, chosen.group_size) == (self.chosen.format, self.chosen.group_size)
        made = {"stages": rung.stages or self.stages, "quantizing": self.quantizing if same else None}
        return self.model_copy(update={"request": request, "chosen": chosen, **made})

    def write(self, path: Path) -> None:
        """Write the plan as JSON: aside first, then renamed, so that no half-written plan is ever read."""
        aside = path.with_name(path.name + ".partial")
        aside.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        aside.replace(path)

    def computed_digest(self) -> str:
        content = self.model_dump(mode="json", exclude={"digest"})
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


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
