"""The floors of planning beyond one machine: a fleet plan with its optimality gap, and a simulated day.

    python benchmarks/scale.py

Floors: 50 models on 1,000 GPUs of 6 types in under 10 s; a day of 1,000 replicas in under 60 s; one core each.
"""

from __future__ import annotations

import random
import time

from planner.clusters.cluster import Cluster, Link, NodeType
from planner.fleet.answering import FleetPlan, plan_fleet
from planner.fleet.fleet import Fleet, ServedModel
from planner.planning import make_plan
from planner.request import Request, ServiceLevel, Workload
from planner.scale.answering import Question, Simulated, simulate_plan
from planner.scale.trace import drawn_day

FLEET_FLOOR_S, DAY_FLOOR_S = 10.0, 60.0
SEED = 7
COPIES, PEAK_PER_S = 1000, 4000.0
SMALL = ("llama-3.2-3b", "llama-3.1-8b", "llama-3-8b", "qwen3-4b", "qwen3-8b", "qwen2.5-7b", "qwen2.5-coder-7b",
         "qwen2-7b", "mistral-7b", "ministral-8b", "gemma-2-9b", "gemma-3-4b", "phi-3-mini", "phi-4-mini",
         "granite-3.1-8b", "olmo-2-7b", "falcon3-7b", "command-r7b", "glm-4-9b", "yi-1.5-9b", "smollm3-3b",
         "internlm2.5-7b", "deepseek-coder-6.7b", "starcoder2-7b", "arcee-afm-4.5b")  # fmt: skip
MIDDLE = ("qwen3-14b", "qwen3-32b", "qwen2.5-14b", "qwen2.5-32b", "qwen2.5-coder-32b", "qwq-32b", "gemma-2-27b",
          "gemma-3-27b", "mistral-small-24b", "devstral-small-24b", "phi-4", "olmo-2-32b", "qwen3-30b-a3b",
          "seed-oss-36b", "mixtral-8x7b", "command-r", "exaone-4.0-32b")  # fmt: skip
LARGE = ("llama-3.1-70b", "llama-3.3-70b", "qwen2.5-72b", "command-a", "mistral-large-123b", "qwen3-235b-a22b",
         "deepseek-r1-distill-llama-70b", "apertus-70b")  # fmt: skip


def main() -> None:
    """Print the floors."""
    plan, seconds = fleet_of_50()
    gpus, kinds = plan.cluster.gpus, len(plan.cluster.nodes)
    print(f"fleet: {len(plan.fleet.models)} models on {gpus:,} GPUs of {kinds} types: {seconds:.2f} s "
          f"(options {plan.options_s:.2f} s, packing {plan.solving_s:.2f} s); optimality gap {plan.gap:.3%}"
          f"{'' if seconds < FLEET_FLOOR_S else f'  above the floor of {FLEET_FLOOR_S:g} s'}")  # fmt: skip
    print(f"       {len(plan.copies):,} copies on {plan.gpus_in_use:,} GPUs, ${plan.usd_per_hour:,.2f} an hour; "
          f"{len(plan.short)} models short")  # fmt: skip
    simulated, seconds = day_of_1000()
    print(f"day: {COPIES:,} copies of {simulated.name}, {simulated.counts.requests / 1e6:,.0f} million requests: "
          f"{seconds:.2f} s{'' if seconds < DAY_FLOOR_S else f'  above the floor of {DAY_FLOOR_S:g} s'}")  # fmt: skip
    print(f"       {simulated.attainment:.2%} within targets, ${simulated.usd:,.0f}; {simulated.counts.node_failures} "
          f"machines failed, {simulated.counts.reclaims} copies reclaimed; "
          f"TTFT p99.9 {simulated.ttft_ms[3]:,.0f} ms")  # fmt: skip


def day_of_1000() -> tuple[Simulated, float]:
    """1,000 copies of a 70B model on two H100 each, a third on spot; the steady states of one copy included."""
    request = Request(
        model="llama-3.1-70b",
        hardware="2xH100-80GB-SXM",
        format="fp8",
        tensor_parallel=2,
        workload=Workload(concurrency=96),
        service_level=ServiceLevel(ttft_ms=2000, tpot_ms=60),
    )
    plan = make_plan(request)
    asked = Question(COPIES, COPIES, gpus_per_node=8, spot_share=1 / 3, reclaims_per_hour=0.05, node_s=180)
    began = time.perf_counter()
    return simulate_plan(plan, drawn_day(PEAK_PER_S, SEED), asked), time.perf_counter() - began


def fleet_of_50() -> tuple[FleetPlan, float]:
    """The plan and its seconds, imports and reading of the rule book included."""
    began = time.perf_counter()
    plan = plan_fleet(cluster_of_1000(), fifty_models())
    return plan, time.perf_counter() - began


def cluster_of_1000() -> Cluster:
    """1,000 GPUs of 6 types, joined by 400 Gb/s InfiniBand, prices from the catalogue."""
    kinds = (("h200", "H200-141GB-SXM", 8, 20), ("h100", "H100-80GB-SXM", 8, 40), ("a100", "A100-80GB-SXM", 8, 25),
             ("l40s", "L40S", 8, 20), ("a10g", "A10G", 4, 25), ("l4", "L4", 4, 15))  # fmt: skip
    nodes = tuple(NodeType(name=name, gpu=gpu, gpus=gpus, count=count, racks=5) for name, gpu, gpus, count in kinds)
    return Cluster(name="thousand", nodes=nodes, between_nodes=Link(kind="infiniband", gbit_s=400, latency_us=5))


def fifty_models(load: float = 3.5) -> Fleet:
    """50 models of the catalogue with seeded loads; `load` scales them all (4: more than the cluster carries)."""
    draw = random.Random(SEED)
    models = []
    for names, most_per_s, tpot_ms in ((SMALL, 80, 40), (MIDDLE, 30, 50), (LARGE, 12, 60)):
        for name in names:
            models.append(
                ServedModel(
                    model=name,
                    requests_per_s=round(load * draw.uniform(0.1, 1) * most_per_s, 1),
                    input_tokens=draw.choice((500, 1000, 2000)),
                    output_tokens=draw.choice((150, 300, 500)),
                    ttft_ms=3000,
                    tpot_ms=tpot_ms,
                    min_replicas=2,
                )
            )
    return Fleet(models=tuple(models))


if __name__ == "__main__":
    main()
