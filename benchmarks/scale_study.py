"""A study anyone can run again: three models on 1,000 GPUs of four types, placed, then a day of traffic.

    python benchmarks/scale_study.py [--out docs/scale-study.md]

Writes the page with its tables and, beside it, the picture of the day. Everything is declared here or in the catalogue;
the same seed gives the same page. A few minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from planner.clusters.cluster import Cluster, Link, NodeType
from planner.figures import figure, usd
from planner.fleet.answering import FleetPlan, plan_fleet
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.packing import Limits
from planner.scale.answering import Question, Simulated
from planner.scale.fleets import Serving, servings_of, simulate_fleet
from planner.scale.picture import picture
from planner.scale.trace import drawn_day

SEED = 11
TITLE = "# 1,000 GPUs, three models, one day"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale-study.md"
CHAT = ServedModel(model="llama-3.1-70b", name="chat", requests_per_s=1250, input_tokens=1000, output_tokens=300,
                   ttft_ms=2000, tpot_ms=50, percentile=95, min_replicas=20, priority=2)  # fmt: skip
CODE = ServedModel(model="qwen3-coder-30b-a3b", name="code", requests_per_s=600, input_tokens=2000, output_tokens=400,
                   ttft_ms=2000, tpot_ms=40, percentile=95, min_replicas=10, priority=1)  # fmt: skip
SMALL = ServedModel(model="llama-3.1-8b", name="small", requests_per_s=2000, input_tokens=600, output_tokens=150,
                    ttft_ms=1000, tpot_ms=60, percentile=95, min_replicas=10)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One way to run the day. `says`: what is different. `load`: its busiest seconds over what was planned for."""

    says: str
    question: Question
    load: float = 1.0


BASE = Question(seed=SEED, node_s=180, spread=0.5)
SCENARIOS = (
    Scenario("copies follow the load, and start as the plan predicts", BASE),
    Scenario("every copy runs all day", replace(BASE, always_on=True)),
    Scenario("the autoscaler aims at 85 % busy instead of 70 %", replace(BASE, target_busy_share=0.85)),
    Scenario("half on spot at 45 % of the price, each reclaimed once in 20 h", replace(BASE, spot_share=0.5)),
    Scenario("machines fail fifty times as often", replace(BASE, gpu_mtbf_hours=1_014.0)),
    Scenario("a third more traffic than was planned for", BASE, load=4 / 3),
)


def main() -> None:
    """Write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PAGE)
    page = parser.parse_args().out
    answer = plan_fleet(cluster(), fleet(), limits=Limits(time_limit_s=30))
    servings = servings_of(answer, BASE)
    days = [(scenario, day_of(answer, servings, scenario)) for scenario in SCENARIOS]
    drawn = page.with_suffix(".svg")
    picture(days[0][1]).write(drawn)
    page.write_text(
        "\n".join([*introduction(), *placement(answer), *day_tables(days, drawn.name), ""]), encoding="utf-8"
    )
    print(f"Written: {page} and {drawn}")


def cluster() -> Cluster:
    """1,000 GPUs of four types, 400 Gb/s InfiniBand, prices of the catalogue."""
    kinds = (("h200", "H200-141GB-SXM", 8, 25), ("h100", "H100-80GB-SXM", 8, 50), ("a100", "A100-80GB-SXM", 8, 25),
             ("l40s", "L40S", 8, 25))  # fmt: skip
    nodes = tuple(NodeType(name=name, gpu=gpu, gpus=gpus, count=count, racks=5) for name, gpu, gpus, count in kinds)
    return Cluster(name="study", nodes=nodes, between_nodes=Link(kind="infiniband", gbit_s=400, latency_us=5))


def fleet() -> Fleet:
    return Fleet(models=(CHAT, CODE, SMALL))


def day_of(answer: FleetPlan, servings: tuple[Serving, ...], scenario: Scenario) -> tuple[Simulated, ...]:
    """Each model's day, with bursts of its own."""
    numbered = enumerate(answer.fleet.models, SEED)
    traces = {m.label: drawn_day(1.0, seed).with_peak(scenario.load * m.requests_per_s) for seed, m in numbered}
    question = scenario.question
    if question.spot_share:
        question = replace(question, spot_usd_per_hour=0.45 * mean_usd_per_gpu(answer), reclaims_per_hour=0.05)
    return simulate_fleet(servings, traces, question)


def mean_usd_per_gpu(answer: FleetPlan) -> float:
    """USD an hour of the accelerators in use, on average."""
    prices = {node.name: (node.usd_per_node_hour or 0.0) / node.gpus for node in answer.cluster.nodes}
    return sum(prices[copy.option.node_type] * copy.option.gpus for copy in answer.copies) / answer.gpus_in_use


def introduction() -> list[str]:
    return [
        "<!-- Written by benchmarks/scale_study.py. Do not edit: run it again. -->",
        TITLE,
        "",
        "What quantplan plans and simulates for a fleet of a thousand accelerators. Everything here is predicted or",
        "simulated, nothing measured: waits come from the step simulator of one copy (`docs/serving.md`) and a day of",
        "10-second steps over all copies (`docs/cluster.md`). Run it again: `python benchmarks/scale_study.py`.",
        "",
    ]


def placement(answer: FleetPlan) -> list[str]:
    """The fleet plan as two tables."""
    lines = [
        "## Where the models stand",
        "",
        f"{len(answer.copies)} copies on {answer.gpus_in_use} of {answer.cluster.gpus:,} GPUs; "
        f"{usd(answer.usd_per_hour)} an hour for nodes in use and one spare of each kind; the cost is within "
        f"{answer.gap:.2%} of the proven optimum.",
        "",
        "| model | load at the peak | copies | as | p95 of TTFT, TPOT | nodes | one node lost |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [line for model in answer.fleet.models for line in copies_lines(answer, model)]
    lines += ["", "| nodes | there | in use | spare | free | node an hour |", "|---|---|---|---|---|---|"]
    for node in answer.cluster.nodes:
        used = answer.nodes_in_use.get(node.name, 0)
        lines.append(
            f"| {node.name}: {node.gpus} x {node.accelerator.name} | {node.count} | {used} "
            f"| {answer.spare_nodes(node)} | {answer.free_nodes(node)} | {usd(node.usd_per_node_hour)} |"
        )
    for shortage in answer.short:
        lines += ["", f"Does not fit: {shortage.model}: {shortage.why}. {shortage.fix}"]
    return [*lines, ""]


def copies_lines(answer: FleetPlan, model: ServedModel) -> list[str]:
    """A line for each way the model's copies are run."""
    lines = []
    for option, copies in Counter(copy.option for copy in answer.copies_of(model)).items():
        nodes = len({n for copy in answer.copies_of(model) if copy.option == option for n in copy.nodes})
        cells = (
            f"{model.label} ({model.model})",
            f"{model.requests_per_s:g}/s, {model.input_tokens}+{model.output_tokens} tokens",
            f"{copies}",
            f"{option.format}, TP {option.tensor_parallel} on {option.node_type}, batch {option.batch}",
            f"{option.ttft_ms:.0f} ms, {option.tpot_ms:.0f} ms",
            f"{nodes} x {option.node_type}",
            f"{answer.without_worst_node(model):.0%} left",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def day_tables(days: Sequence[tuple[Scenario, Sequence[Simulated]]], drawn: str) -> list[str]:
    """The first scenario by model, then a line for each scenario."""
    lines = [
        "## A day",
        "",
        "Each model has a drawn day: a wave that is lowest at night (a quarter of its top) and highest at 15:00, and",
        "about six bursts of half as much again; its busiest seconds are the load it was planned for. Copies scale",
        "between the least asked for and those planned; a copy is paid for from the moment it is asked for. Within:",
        "the part of the requests that met both targets. Cost is of copies; machines that stand idle are apart.",
        "",
        f"![The day of the first scenario]({drawn})",
        "",
        f"By model, where {days[0][0].says}:",
        "",
        "| copies | requests | within | TTFT p50 / p99 / p99.9 ms | TPOT p99 ms | at most | starts | USD a day |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for day in days[0][1]:
        ttft = " / ".join(figure(day.ttft_ms[at]) for at in (0, 2, 3))
        lines.append(
            f"| {day.name} | {day.counts.requests / 1e6:.1f} M | {day.attainment:.2%} | {ttft} | "
            f"{figure(day.tpot_ms[2])} | {day.peak_copies} | {day.counts.starts} | {usd(day.usd)} |"
        )
    lines += [
        "",
        "All models together:",
        "",
        "| scenario | requests | within | worst p99 TTFT ms | machines failed | copies reclaimed | USD a day |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*lines, *(scenario_line(scenario, found) for scenario, found in days)]


def scenario_line(scenario: Scenario, days: Sequence[Simulated]) -> str:
    """All models of one scenario."""
    requests = sum(day.counts.requests for day in days)
    cells = (
        scenario.says,
        f"{requests / 1e6:.0f} M",
        f"{sum(day.counts.within for day in days) / requests:.2%}",
        figure(max(day.ttft_ms[2] for day in days)),
        f"{sum(day.counts.node_failures for day in days)}",
        f"{sum(day.counts.reclaims for day in days)}",
        usd(sum(day.usd or 0.0 for day in days)),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
