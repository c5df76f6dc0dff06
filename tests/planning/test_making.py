"""How a format is made: the default tool, the one asked for, variants, calibration text, and making without serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request

DEMO = str(Path(__file__).parents[2] / "executor" / "demo" / "pydocs-3m")


def plan(format: str, hardware: str = "cpu:16GB", **wishes: Any) -> Plan:
    return make_plan(Request.model_validate({"model": DEMO, "hardware": hardware, "format": format, **wishes}))


def stage(found: Plan, name: str) -> dict[str, Any]:
    return next(stage.parameters for stage in found.stages if stage.name == name)


def names(found: Plan) -> list[str]:
    return [stage.name for stage in found.stages]


def test_awq_on_a_cpu_under_vllm_goes_all_the_way() -> None:
    found = plan("awq-int4", engine="vllm")
    assert names(found) == [
        "fetch", "keep-original", "evaluate-before", "calibrate", "quantize", "check-artifact", "evaluate-after",
        "launch", "check-applied", "load-test", "findings", "report",
    ]  # fmt: skip
    assert stage(found, "quantize") == {
        "format": "awq-int4", "tool": "llm-compressor", "variant": "", "group_size": 128, "kv_scales": False,
    }  # fmt: skip
    expected = stage(found, "check-artifact")
    assert sum(expected["bytes_by_class"].values()) == 2_279_360, "as llm-compressor 0.14 wrote it"
    assert (expected["payload"], expected["symmetric"], expected["group_size"]) == ("I32", False, 128)


def test_the_calibration_rules_reach_the_stage() -> None:
    assert stage(plan("awq-int4", engine="vllm"), "calibrate") == {
        "source": None, "samples": 256, "text": "plain", "max_tokens": 1024,
    }  # fmt: skip
    own = stage(plan("gptq-int4", engine="vllm", calibration="queries.jsonl"), "calibrate")
    assert (own["source"], own["samples"]) == ("queries.jsonl", 512)


def test_what_needs_no_text_has_no_such_stage() -> None:
    assert "calibrate" not in names(plan("fp8", engine="vllm"))
    assert "calibrate" not in names(plan("int8-bnb", engine="transformers"))


def test_autoawq_is_only_taken_when_asked_for_and_the_plan_says_why() -> None:
    assert plan("awq-int4", engine="vllm").chosen.tool == "llm-compressor"
    found = plan("awq-int4", engine="vllm", tool="autoawq")
    assert found.chosen.tool == "autoawq"
    assert [warning for warning in found.warnings if warning.startswith("autoawq")] == [
        "autoawq was asked for: AutoAWQ was archived in May 2025 and fails on mixture-of-experts models with "
        "transformers 5; llm-compressor is the maintained path (B.quantize.autoawq)"
    ]


def test_a_tool_that_does_not_make_the_format_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        plan("awq-int4", engine="vllm", tool="bitsandbytes")
    assert str(refused.value) == (
        "bitsandbytes does not make awq-int4\n"
        "To fix: use --tool llm-compressor or --tool gptqmodel or --tool autoawq or --tool modelopt"
    )


def test_static_fp8_is_refused_where_the_engine_does_not_load_it_and_made_for_elsewhere() -> None:
    with pytest.raises(BadInput, match="vllm does not load fp8, static, here"):
        plan("fp8", engine="vllm", variant="static")
    made = plan("fp8", engine="vllm", variant="static", make_only=True)
    assert stage(made, "check-artifact")["scale"] == "tensor"
    assert "calibrate" in names(made) and "launch" not in names(made)


def test_a_variant_that_does_not_exist_is_named() -> None:
    with pytest.raises(BadInput) as refused:
        plan("fp8", engine="vllm", variant="statc")
    assert str(refused.value).endswith("To fix: leave --variant out, or use one of: static, block")


def test_a_gguf_variant_is_planned_to_the_byte() -> None:
    found = plan("gguf-q4_k_m", variant="iq4_xs")
    assert stage(found, "quantize")["ggml"] == "IQ4_XS"
    assert stage(found, "check-artifact")["expected_types"] == {"Q6_K": 1, "IQ4_XS": 28, "F32": 9}
    with pytest.raises(BadInput, match="gguf-q4_k_m has no variant 'iq2_xs'"):
        plan("gguf-q4_k_m", variant="iq2_xs")


def test_formats_no_cpu_serves_are_made_here_for_hardware_that_does() -> None:
    found = plan("nvfp4", hardware="1xB200", make_only=True)
    assert names(found)[-4:] == ["check-artifact", "evaluate-after", "findings", "report"]


def test_scales_of_an_fp8_cache_are_written_when_text_is_given() -> None:
    scaled = plan("fp8", engine="vllm", kv_cache="fp8", calibration="queries.jsonl")
    assert stage(scaled, "quantize")["kv_scales"] is True and "calibrate" in names(scaled)
    assert stage(plan("fp8", engine="vllm", kv_cache="fp8"), "quantize")["kv_scales"] is False


def test_rungs_of_the_same_format_calibrate_with_the_same_text() -> None:
    """Else a rung that only serves fewer requests would quantize anew."""
    found = plan("gptq-int4", engine="vllm", calibration="queries.jsonl", workload={"concurrency": 16})
    same = [rung for rung in found.ladder if rung.format == "gptq-int4" and "group_size" not in rung.change]
    assert same
    for rung in same:
        calibrate = next(stage for stage in found.on_rung(rung).stages if stage.name == "calibrate")
        assert calibrate.parameters == stage(found, "calibrate")


@pytest.mark.parametrize(("format", "variant"), [("gguf-q4_k_m", "iq4_xs"), ("gguf-q2_k", "iq1_s")])
def test_a_gguf_variant_has_its_own_weights_everywhere(format: str, variant: str) -> None:
    """IQ4_XS of an 8B is 4.48 GB, Q4_K_M 4.91 GB: in memory, in the file that is checked, and on the ways down."""
    asked = {"model": "llama-3.1-8b", "hardware": "cpu:32GB", "format": format}
    plain, found = (make_plan(Request.model_validate({**asked, **more})) for more in ({}, {"variant": variant}))
    checked = next(stage for stage in found.stages if stage.kind == "check-artifact")
    assert found.chosen.predicted("artifact_bytes").value == checked.parameters["expected_bytes"]
    assert found.chosen.predicted("weights_gib").value < 0.97 * (plain.chosen.predicted("weights_gib").value or 0)
    assert found.chosen.memory.terms[0].how.startswith(f"GGUF {variant.upper()}")
    fewer = found.ways["4 requests at once"].candidate
    assert fewer.memory.terms[0] == found.chosen.memory.terms[0]
