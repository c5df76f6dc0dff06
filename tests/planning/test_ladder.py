"""The ladder of a plan: what an executor changes when the choice fails, in the order of the book."""

from __future__ import annotations

from planner.plan import Plan, Rung
from planner.planning import make_plan
from planner.request import Request, Workload
from rules.vocabulary import Trouble


def plan(model: str, hardware: str, **more: object) -> Plan:
    return make_plan(Request.model_validate({"model": model, "hardware": hardware, **more}))


def says(plan: Plan, trouble: Trouble) -> list[str]:
    return [rung.says for rung in plan.ladder if rung.on == trouble]


def test_out_of_memory_gives_up_load_then_context_then_cache_then_format_then_takes_more_gpus() -> None:
    found = plan("llama-3.1-8b", "2xL40S", workload=Workload(context_tokens=4000))
    assert found.chosen.format == "bf16" and found.chosen.tensor_parallel == 1
    assert says(found, "memory") == [
        "4 requests at once",
        "2 requests at once",
        "2 requests at once, requests of up to 1,300 tokens",
        "2 requests at once, requests of up to 1,300 tokens, fp8 KV cache",
        "fp8",
        "awq-int4",
        "2 requests at once, requests of up to 1,300 tokens, fp8, fp8 KV cache",
        "2 requests at once, requests of up to 1,300 tokens, awq-int4, fp8 KV cache",
        "split over 2 accelerators",
    ]


def test_every_rung_for_memory_needs_less_of_it() -> None:
    found = plan("llama-3.1-8b", "2xL40S", workload=Workload(context_tokens=4000))
    needs = [found.on_rung(rung).chosen.memory.used_gib for rung in found.ladder if rung.on == "memory"]
    assert len(needs) == 9 and all(need < found.chosen.memory.used_gib for need in needs)
    assert needs[:4] == sorted(needs[:4], reverse=True), "settings come one on top of another"


def test_a_rung_is_the_whole_way_on() -> None:
    found = plan("llama-3.1-8b", "1xH100-80GB", workload=Workload(concurrency=8))
    rung = next(rung for rung in found.ladder if rung.change == {"concurrency": 4, "context_tokens": 1300})
    on_it = found.on_rung(rung)
    launch = next(stage for stage in on_it.stages if stage.kind == "launch")
    load = next(stage for stage in on_it.stages if stage.kind == "load-test")
    arguments = launch.parameters["arguments"]
    assert arguments[arguments.index("--max-num-seqs") + 1] == "4" and load.parameters["concurrency"] == 4
    assert on_it.request.workload.concurrency == 4 and on_it.digest == found.digest
    assert on_it.chosen.predicted("tpot_ms").value != found.chosen.predicted("tpot_ms").value


def test_a_format_rung_carries_its_own_stages() -> None:
    found = plan("llama-3.2-1b", "cpu:16GB")
    rung = next(rung for rung in found.ladder if rung.on == "quality")
    quantize = next(stage for stage in found.on_rung(rung).stages if stage.kind == "quantize")
    assert quantize.parameters["format"] == rung.format == "gguf-q5_k_m"


def test_nan_goes_to_no_graphs_then_another_kernel_then_wider_weights() -> None:
    found = plan("llama-3.1-70b", "1xA100-80GB", workload=Workload(quality_validated=True))
    assert found.chosen.format == "awq-int4"
    assert says(found, "numerics")[:2] == ["--enforce-eager", "--enforce-eager --quantization awq"]


def test_on_a_cpu_the_other_kernel_is_the_one_without_repacked_weights() -> None:
    found = plan("llama-3.2-1b", "cpu:16GB")
    assert says(found, "numerics") == ["--no-repack", "gguf-q8_0", "gguf-bf16"]
    rung = next(rung for rung in found.ladder if rung.says == "--no-repack")
    launch = next(stage for stage in found.on_rung(rung).stages if stage.kind == "launch")
    assert launch.parameters["arguments"][-1] == "--no-repack"


def test_finer_groups_come_before_eight_bits_where_we_quantize_ourselves() -> None:
    request = {"format": "awq-int4", "workload": Workload(quality_validated=True)}
    own = plan("13B", "1xL40S", **request)
    assert own.chosen.tool == "llm-compressor" and own.chosen.group_size == 128
    assert says(own, "quality")[:2] == ["groups of 64", "groups of 32"]


def test_insisting_on_a_cache_keeps_it() -> None:
    found = plan("llama-3.1-8b", "2xL40S", kv_cache="16-bit")
    assert not any("kv_cache" in rung.change for rung in found.ladder)


def test_every_rung_says_its_rule_reason_and_source() -> None:
    for rung in plan("llama-3.1-8b", "2xL40S").ladder:
        assert isinstance(rung, Rung) and rung.rule and rung.because and rung.source


def test_a_start_is_given_several_times_what_it_should_take() -> None:
    """70B in FP8 is 70.6 GB; from a slow disk of 0.1 GB/s that is 12 minutes, and five times as long is an hour."""

    def allowed_s(found: Plan) -> float:
        return next(stage for stage in found.stages if stage.kind == "launch").parameters["ready_within_s"]

    assert 3600 < allowed_s(plan("llama-3.1-70b", "2xH100-80GB")) < 4500
    assert 50 < allowed_s(plan("llama-3.2-1b", "cpu:16GB")) < 120
