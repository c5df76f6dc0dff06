"""The door: a plan and a day of traffic -> what the day costs, who is served in time, and how long waits are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from planner.catalog import load_yaml
from planner.costs.hourly import hourly_price
from planner.errors import BadInput
from planner.hardware.hardware import Hardware
from planner.hardware.resolving import resolve_hardware
from planner.plan import Plan
from planner.request import Price
from planner.scale.curve import Curve, curve_of
from planner.scale.day import Counts, Series, simulate_day
from planner.scale.pool import Autoscaler, Pool, Rent
from planner.scale.tally import PERCENTILES
from planner.scale.trace import Trace
from planner.serving.capacity import Targets
from planner.serving.from_plan import server_of
from planner.serving.lengths import Lognormal
from planner.serving.traffic import Traffic

DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class Question:
    """What is simulated beside the plan and its traffic; None takes what the plan or the catalogue says.

    `spread`: standard deviation of lengths over their mean. `reclaims_per_hour`: of one spot copy. `always_on`: the
    most copies run all day.
    """

    least: int = 1
    most: int | None = None
    spread: float = 0.5
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    target_busy_share: float | None = None
    start_s: float | None = None
    node_s: float = 0.0
    gpus_per_node: int | None = None
    gpu_mtbf_hours: float | None = None
    spot_share: float = 0.0
    spot_usd_per_hour: float | None = None
    reclaims_per_hour: float = 0.0
    always_on: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Simulated:
    """One model's day. Percentiles of waits in milliseconds: 50, 95, 99, 99.9. `usd`: None without a known price."""

    name: str
    traffic: str
    targets: Targets
    counts: Counts
    usd: float | None
    ttft_ms: tuple[float, ...]
    tpot_ms: tuple[float, ...]
    peak_copies: int
    start_s: float
    series: Series
    step_s: float
    seconds: float

    @property
    def attainment(self) -> float:
        """The part of all requests that met both targets; requests never begun missed them."""
        return self.counts.within / self.counts.requests if self.counts.requests else 1.0

    @property
    def usd_per_month(self) -> float | None:
        return None if self.usd is None else self.usd * 86_400 / self.seconds * DAYS_PER_MONTH

    def as_json(self) -> dict[str, Any]:
        waits = {
            name: dict(zip((f"p{percentile:g}" for percentile in PERCENTILES), values, strict=True))
            for name, values in (("ttft_ms", self.ttft_ms), ("tpot_ms", self.tpot_ms))
        }
        return {
            "name": self.name,
            "traffic": self.traffic,
            "targets": asdict(self.targets),
            "attainment": self.attainment,
            "usd": self.usd,
            "usd_per_month": self.usd_per_month,
            "peak_copies": self.peak_copies,
            "start_s": self.start_s,
            **asdict(self.counts),
            **waits,
        }


def simulate_plan(
    plan: Plan, trace: Trace, question: Question | None = None, name: str = "", curve: Curve | None = None
) -> Simulated:
    """The day of this plan's copies. BadInput where its server cannot be simulated, or a spot price is not known.

    `curve`: what `curve_for` found for the same plan, lengths and targets, where several days are asked for.
    """
    asked = question or Question()
    pool = pool_of(plan, trace, asked, name or plan.model.name, curve)
    day = simulate_day(pool, trace, asked.seed)
    return Simulated(
        name=pool.name,
        traffic=trace.says,
        targets=pool.targets,
        counts=day.counts,
        usd=day.counts.usd if plan.chosen.cost else None,
        ttft_ms=day.ttft.percentiles(),
        tpot_ms=day.tpot.percentiles(),
        peak_copies=max(day.series.serving),
        start_s=pool.start_s,
        series=day.series,
        step_s=trace.step_s,
        seconds=trace.seconds,
    )


def curve_for(plan: Plan, asked: Question) -> Curve:
    """What users of one copy wait for at steady loads, simulated step by step."""
    load = plan.request.workload
    lengths = Lognormal(load.input_tokens, load.output_tokens, asked.spread)
    traffic = Traffic(load.input_tokens, load.output_tokens, 1.0, lengths=lengths)
    return curve_of(server_of(plan), traffic, targets_of(plan, asked), asked.seed)


def targets_of(plan: Plan, asked: Question) -> Targets:
    level = plan.request.service_level
    return Targets(asked.ttft_ms or level.ttft_ms, asked.tpot_ms or level.tpot_ms)


def pool_of(plan: Plan, trace: Trace, asked: Question, name: str, curve: Curve | None = None) -> Pool:
    """The plan's copies as a pool: their waits simulated, their start and price as the plan tells them."""
    chosen, curve = plan.chosen, curve or curve_for(plan, asked)
    gpus = chosen.accelerators
    nodes = plan.request.nodes
    per_node = asked.gpus_per_node or (nodes.accelerators_per_node if nodes else gpus)
    mtbf = asked.gpu_mtbf_hours or float(load_yaml("scaling.yaml")["gpu_mtbf_hours"]["value"])
    busy = {} if asked.target_busy_share is None else {"target_busy_share": asked.target_busy_share}
    scaler = Autoscaler(asked.least, asked.most or max(asked.least, 1), **busy)
    if asked.most is None:
        most = int(trace.peak_per_s / (curve.capacity_per_s * scaler.target_busy_share)) + 1
        scaler = replace(scaler, most=max(most, asked.least))
    if asked.always_on:
        scaler = replace(scaler, least=scaler.most)
    return Pool(
        name=name,
        curve=curve,
        targets=targets_of(plan, asked),
        autoscaler=scaler,
        rent=_rent(plan, asked, gpus),
        start_s=predicted_start_s(plan) if asked.start_s is None else asked.start_s,
        node_s=asked.node_s,
        copies_per_node=max(per_node // gpus, 1),
        node_mtbf_hours=mtbf / max(per_node, gpus),
    )


def predicted_start_s(plan: Plan) -> float:
    """Seconds from the command to the first request: what the plan's own limit for a hung start rests on."""
    within = next((stage.parameters["ready_within_s"] for stage in plan.stages if stage.kind == "launch"), None)
    if within is None:
        raise BadInput("the plan serves nothing: it was made with --make-only", fix="plan again without --make-only")
    return float(within) / float(load_yaml("checks.yaml")["start"]["factor"])


def _rent(plan: Plan, asked: Question, gpus: int) -> Rent:
    cost, hardware = plan.chosen.cost, resolve_hardware(plan.request.hardware)
    usual = cost.usd_per_hour / plan.chosen.replicas if cost else 0.0
    if not asked.spot_share:
        return Rent(usual)
    spot = asked.spot_usd_per_hour or _spot_price(plan, hardware)
    return Rent(usual, asked.spot_share, spot * gpus, asked.reclaims_per_hour)


def _spot_price(plan: Plan, hardware: Hardware) -> float:
    try:
        found = hourly_price(Price(kind="spot", file=plan.request.price.file), hardware)
    except BadInput as unknown:
        raise BadInput(unknown.what, fix="give --spot-usd-per-hour: the price of one accelerator") from None
    if found is None:
        raise BadInput(
            f"no price is known for {hardware.label}", fix="give --spot-usd-per-hour: the price of one accelerator"
        )
    return found.usd_per_hour
