"""What an architect asks, and the answer the two articles demand."""

import pytest

from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request, Workload
from planner.unfeasible import NoFeasiblePlan


def plan_of(model: str, hardware: str, **more: object) -> Plan:
    return make_plan(Request.model_validate({"model": model, "hardware": hardware, **more}))


def cited(plan: Plan) -> str:
    return " ".join(evidence.source for decision in plan.decisions for evidence in decision.answered_by)


def verdicts(plan: Plan) -> dict[str, str]:
    return {candidate.format: candidate.verdict for candidate in plan.alternatives}


def test_70b_on_one_a100_is_awq_int4_by_the_tree() -> None:
    plan = plan_of("llama-3.1-70b", "1xA100-80GB")
    assert (plan.chosen.format, plan.chosen.engine, plan.chosen.tensor_parallel) == ("awq-int4", "vllm", 1)
    assert "A.tree.3" in cited(plan)
    weights = plan.chosen.predicted("weights_gib").value
    assert weights is not None
    assert weights * 2**30 / 1e9 == pytest.approx(40, rel=0.05), "article B: about 40 GB"
    assert plan.chosen.memory.free_gib > 10
    assert plan.chosen.memory.kv_tokens > 50_000


def test_70b_in_bf16_on_one_h100_is_the_impossible_row_of_article_b() -> None:
    with pytest.raises(NoFeasiblePlan) as caught:
        plan_of("llama-3.1-70b", "1xH100-80GB", format="bf16")
    assert "bf16: needs 13" in str(caught.value)
    assert "leave out --format bf16" in str(caught.value)
    assert "2x H100" in str(caught.value)
    assert caught.value.exit_code == 3


def test_8b_on_an_h100_gets_the_16_bit_baseline_with_fp8_next() -> None:
    plan = plan_of("llama-3.1-8b", "1xH100-80GB")
    assert plan.chosen.format == "bf16"
    evaluate = next(d for d in plan.decisions if d.decision == "evaluate_also")
    assert evaluate.answered_by[0].outcome["format"] == "fp8"
    assert verdicts(plan)["fp8"] == "feasible"
    assert {"A.tree.1", "A.tree.6"} <= set(cited(plan).replace(",", "").split())


def test_a_1b_model_is_steered_away_from_int4() -> None:
    plan = plan_of("llama-3.2-1b", "1xT4")
    assert plan.chosen.format not in {"awq-int4", "gptq-int4", "nf4"}
    assert verdicts(plan)["awq-int4"] == "avoided"
    assert "A.pitfall.12" in cited(plan)


def test_mixtral_shows_the_moe_rule() -> None:
    plan = plan_of("mixtral-8x7b", "1xA100-80GB")
    assert "A.pitfall.4" in cited(plan)


def test_13b_on_a_cpu_is_gguf_q4_k_m_on_llama_cpp() -> None:
    plan = plan_of("13B", "cpu:64GB")
    assert (plan.chosen.format, plan.chosen.engine) == ("gguf-q4_k_m", "llama.cpp")
    assert "A.tree.5" in cited(plan)
    assert plan.model.assumptions, "a bare size prints the shape it assumed"


def test_70b_on_two_l40s_needs_int4_and_tensor_parallelism() -> None:
    plan = plan_of("llama-3.1-70b", "2xL40S", workload=Workload(input_tokens=2000, output_tokens=300, concurrency=16))
    assert (plan.chosen.format, plan.chosen.tensor_parallel) == ("awq-int4", 2)


def test_what_is_chosen_fits_and_is_not_vetoed() -> None:
    for model in ("qwen2.5-7b", "qwen2.5-32b", "llama-3.1-70b"):
        for hardware in ("1xRTX-4090", "1xL40S", "2xA100-80GB", "8xH100-SXM"):
            try:
                plan = plan_of(model, hardware)
            except NoFeasiblePlan:
                continue
            vetoed = {
                format
                for decision in plan.decisions
                if decision.decision == "vetoes"
                for evidence in decision.answered_by
                for format in evidence.outcome.get("avoid", ())
            }
            assert plan.chosen.memory.fits
            assert plan.chosen.format not in vetoed
            assert plan.chosen.kernel != "none"


def test_more_memory_never_makes_a_fitting_format_not_fit() -> None:
    small = plan_of("qwen2.5-32b", "1xA100-40GB", format="awq-int4")
    large = plan_of("qwen2.5-32b", "1xA100-80GB", format="awq-int4")
    assert large.chosen.memory.free_gib > small.chosen.memory.free_gib
    assert large.chosen.memory.kv_tokens > small.chosen.memory.kv_tokens


def test_the_load_is_shared_by_replicas() -> None:
    plan = plan_of("llama-3.1-8b", "4xH100-SXM", workload=Workload(concurrency=64))
    assert (plan.chosen.tensor_parallel, plan.chosen.replicas) == (1, 4)


def test_an_unmet_service_level_is_said() -> None:
    with pytest.raises(NoFeasiblePlan, match=r"time per output token .* ms is above the target of 1 ms"):
        plan_of("llama-3.1-70b", "1xA100-80GB", service_level={"tpot_ms": 1})


def test_insisting_against_a_veto_is_warned_of() -> None:
    plan = plan_of("llama-3.1-8b", "1xA100-80GB", kv_cache="int8")
    assert plan.chosen.kv_cache == "int8"
    assert any(w.startswith("int8 as you insist, although: vLLM starts with an INT8 KV cache") for w in plan.warnings)


def test_with_an_objective_the_ladder_leaves_from_what_is_chosen() -> None:
    plan = plan_of("llama-3.1-70b", "4xH100-SXM", objective="cost")
    assert plan.chosen.format == "awq-int4"
    assert plan.ladder
    assert all(rung.change.get("format") != "awq-int4" for rung in plan.ladder)


def test_an_engine_without_a_kernel_for_the_rules_format_names_those_it_has_one_for() -> None:
    with pytest.raises(NoFeasiblePlan) as refused:
        make_plan(Request(model="llama-3.1-8b", hardware="cpu:32GB", engine="vllm"))
    assert refused.value.fix.startswith("vllm has kernels here for --format bf16, ")
    assert "or leave out --engine vllm" in refused.value.fix
