"""The floors of planning and carrying out beyond one machine: python benchmarks/scale.py [fleet] [day] [ray] [ledger]

Prints a table of them, as they were met here or not; exit code 1 where one was not. Minutes in all: `ray` makes twenty
quantized files on four nodes (needs quantplan[ray]), `ledger` is a minute of a hundred executors (quantplan[dev]).
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.ledger import Asked, is_met, ledger, loaded  # noqa: E402
from planner.clusters.cluster import Cluster, Link, NodeType  # noqa: E402
from planner.fleet.answering import FleetPlan, plan_fleet  # noqa: E402
from planner.fleet.fleet import Fleet, ServedModel  # noqa: E402
from planner.planning import make_plan  # noqa: E402
from planner.request import Request, ServiceLevel, Workload  # noqa: E402
from planner.scale.answering import Question, Simulated, simulate_plan  # noqa: E402
from planner.scale.trace import drawn_day  # noqa: E402

FLEET_FLOOR_S, DAY_FLOOR_S, LEDGER_SPREAD_S = 10.0, 60.0, 60.0
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


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor: what is asked, what was found here, and whether that is enough."""

    asked: str
    found: str
    met: bool


def main() -> int:
    """Every part, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    wanted = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: {', '.join(PARTS)}")
    print("| floor | here | |\n|---|---|---|", flush=True)
    met = [told(PARTS[part]()) for part in wanted]
    return 0 if all(met) else 1


def told(floor: Floor) -> bool:
    """Print the floor as a row of the table."""
    print(f"| {floor.asked} | {floor.found} | {'met' if floor.met else '**missed**'} |", flush=True)
    return floor.met


def fleet_floor() -> Floor:
    plan, seconds = fleet_of_50()
    gpus, kinds = plan.cluster.gpus, len(plan.cluster.nodes)
    return Floor(
        f"fleet of {len(plan.fleet.models)} models on {gpus:,} GPUs of {kinds} types in under {FLEET_FLOOR_S:g} s",
        f"{seconds:.1f} s (options {plan.options_s:.1f}, packing {plan.solving_s:.1f}); optimality gap {plan.gap:.2%}; "
        f"{len(plan.copies):,} copies on {plan.gpus_in_use:,} GPUs, {len(plan.short)} models short",
        seconds < FLEET_FLOOR_S and not plan.short,
    )


def day_floor() -> Floor:
    simulated, seconds = day_of_1000()
    return Floor(
        f"a simulated day of {COPIES:,} copies in under {DAY_FLOOR_S:g} s on one core",
        f"{seconds:.1f} s; {simulated.counts.requests / 1e6:,.0f} million requests, {simulated.attainment:.2%} within "
        f"targets, TTFT p99.9 {simulated.ttft_ms[3]:,.0f} ms",
        seconds < DAY_FLOOR_S,
    )


def ray_floor() -> Floor:
    """A process of its own: Ray is loaded there only."""
    command = [sys.executable, str(ROOT / "benchmarks" / "scale_ray.py")]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = next((line for line in done.stdout.splitlines() if " done, " in line), done.stderr.strip()[-200:])
    asked = "20 quantization jobs over 4 Ray nodes, one killed: each done once, nothing left"
    return Floor(asked, f"{said}; {time.perf_counter() - began:.0f} s", done.returncode == 0)


def ledger_floor() -> Floor:
    asked = Asked()
    with ledger() as there:
        paced = loaded(there, asked, LEDGER_SPREAD_S, "a")
        flat_out = loaded(there, asked, 0.0, "b")
    return Floor(
        f"{asked.lines:,} measurements from {asked.executors} executors on PostgreSQL, none lost or doubled, "
        "p99 under 100 ms",
        f"spread over {LEDGER_SPREAD_S:g} s: {paced}. As fast as it answers: {flat_out}",
        is_met(paced) and flat_out.kept == flat_out.wanted,
    )


PARTS: dict[str, Callable[[], Floor]] = {
    "fleet": fleet_floor,
    "day": day_floor,
    "ray": ray_floor,
    "ledger": ledger_floor,
}


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
    sys.exit(main())
