"""How many accelerators hold a copy: the fewest, unless a target or an objective asks for more."""

import pytest

from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request
from planner.unfeasible import NoFeasiblePlan


@pytest.mark.parametrize(
    ("model", "hardware", "wanted", "says"),
    [
        ("llama-3.1-8b", "1xL4", 2, "--tensor-parallel 2: 1xL4 has 1"),
        ("llama-3.1-8b", "4xL4", 3, "--tensor-parallel 3: 32 attention heads do not divide over 3"),
        ("llama-3.1-8b", "cpu:64GB", 2, "--tensor-parallel 2: cpu:64GB has 1"),
    ],
)
def test_an_impossible_layout(model: str, hardware: str, wanted: int, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_plan(Request(model=model, hardware=hardware, tensor_parallel=wanted))
    assert str(caught.value).startswith(says)
    assert str(caught.value).endswith("To fix: leave it out: the rules choose a layout that is possible")


def plan_of(model: str, hardware: str, **more: object) -> Plan:
    return make_plan(Request.model_validate({"model": model, "hardware": hardware, **more}))


def test_a_latency_target_that_the_fewest_accelerators_miss_splits_the_copy_further() -> None:
    relaxed = plan_of("llama-3.1-70b", "8xH100-80GB")
    hurried = plan_of("llama-3.1-70b", "8xH100-80GB", service_level={"tpot_ms": 15})
    assert hurried.chosen.format == relaxed.chosen.format, "a wider split comes before a narrower format"
    assert hurried.chosen.tensor_parallel > relaxed.chosen.tensor_parallel
    assert (hurried.chosen.predicted("tpot_ms").value or 99) <= 15
    split = next(decision for decision in hurried.decisions if decision.decision == "parallelism")
    assert split.answered_by[0].rule == "too-slow-on-few-split"


def test_an_objective_chooses_the_split_too() -> None:
    by_the_tree = plan_of("llama-3.1-70b", "8xH100-80GB", format="awq-int4").chosen
    fastest = plan_of("llama-3.1-70b", "8xH100-80GB", format="awq-int4", objective="latency").chosen
    assert (by_the_tree.tensor_parallel, fastest.tensor_parallel) == (1, 8)
    assert (fastest.predicted("tpot_ms").value or 99) < (by_the_tree.predicted("tpot_ms").value or 0)


def test_a_load_too_large_for_the_targets_is_told_how_much_of_it_is_not() -> None:
    with pytest.raises(NoFeasiblePlan) as caught:
        plan_of("qwen3-30b-a3b", "2xL40S", workload={"concurrency": 128}, service_level={"tpot_ms": 30})
    requests = int(str(caught.value).partition("To fix: ")[2].split()[0])
    assert str(caught.value).partition("To fix: ")[2].split(", in ")[0].endswith("requests at once meet the targets")
    met = plan_of("qwen3-30b-a3b", "2xL40S", workload={"concurrency": requests}, service_level={"tpot_ms": 30})
    assert (met.chosen.predicted("tpot_ms").value or 99) <= 30


def test_targets_out_of_reach_are_told_what_is_within() -> None:
    with pytest.raises(NoFeasiblePlan, match="To fix: targets within reach: one request at a time takes "):
        plan_of("llama-3.1-8b", "8xH100-80GB", service_level={"tpot_ms": 1})
