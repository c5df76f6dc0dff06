"""The built-in book in situations people ask about, from the tree's own words to the end of the way."""

from dataclasses import replace
from typing import Any

import pytest

from rules.answer import Answer
from rules.book import load_book
from rules.vocabulary import DecidedFacts, Facts, GpuFacts, HardwareFacts, ModelFacts, ToolFacts, WorkloadFacts

A100 = GpuFacts(architecture="Ampere", compute_capability=8.0, has_fp8=False, has_fp4=False)
H100 = GpuFacts(architecture="Hopper", compute_capability=9.0, has_fp8=True, has_fp4=False)
B200 = GpuFacts(architecture="Blackwell", compute_capability=10.0, has_fp8=True, has_fp4=True)
T4 = GpuFacts(architecture="Turing", compute_capability=7.5, has_fp8=False, has_fp4=False)
NO_GPU = GpuFacts(None, None, None, None, has_fp8=False, has_fp4=False, interconnect=None)

LLAMA_70B = ModelFacts(params_b=70.6, weights_16bit_gib=131.4)
LLAMA_8B = ModelFacts(params_b=8.03, weights_16bit_gib=14.96)
LLAMA_1B = ModelFacts(params_b=1.24, weights_16bit_gib=2.3)
MIXTRAL = ModelFacts(params_b=46.7, weights_16bit_gib=87.0, is_moe=True, family="mixtral")
NO_AWQ_FOR_EXPERTS = ToolFacts(awq_quantizes_this=False)


def situation(model: ModelFacts, gpu: GpuFacts, memory_gib: float, count: int = 1, **more: Any) -> Facts:
    """`memory_gib` is what an engine may use of one accelerator, or of the host."""
    ratio = memory_gib / model.weights_16bit_gib
    kind = "gpu" if count else "cpu"
    hardware = HardwareFacts(kind, count, ratio * max(count, 1), ratio)
    return Facts(model=model, gpu=gpu, hardware=hardware, **more)


def ask(decision: str, facts: Facts, **decided: Any) -> Answer:
    return load_book().decide(decision, replace(facts, decided=DecidedFacts(**decided)))


def avoided(facts: Facts) -> set[str]:
    return {format for spoken in ask("vetoes", facts).spoke for format in spoken.outcome.avoid}


def chosen(facts: Facts) -> tuple[Answer, Answer]:
    """The width, and the format inside it that no veto rules out."""
    width = ask("width", facts)
    asked = replace(facts, decided=DecidedFacts(width=width.outcome.width))
    return width, load_book().decide("format", asked, avoiding=avoided(facts))


def test_70b_on_one_a100_is_awq_by_the_tree() -> None:
    """79.2 GiB, nine tenths usable, 131.4 GiB at 16 bits: 0.54 of the model (A.tree.3)."""
    facts = situation(LLAMA_70B, A100, 79.2 * 0.9)
    width, format = chosen(facts)
    assert facts.hardware.memory_ratio == pytest.approx(0.542, abs=0.001)
    assert width.outcome.width == "4-bit"
    assert width.spoke[0].source.startswith("A.tree.3")
    assert format.outcome.model_dump() == {"format": "awq-int4", "group_size": 128, "tool": "llm-compressor"}
    assert ask("engine", facts, format="awq-int4").outcome.engine == "vllm"


def test_70b_published_as_awq_is_not_quantized_again() -> None:
    model = replace(LLAMA_70B, publishes_awq=True)
    _, format = chosen(situation(model, A100, 71.3))
    assert format.outcome.model_dump() == {"format": "awq-int4", "group_size": 128, "tool": "none"}
    assert "B.prequantized" in format.spoke[0].source


def test_8b_on_h100_is_the_16_bit_baseline_with_fp8_beside_it() -> None:
    facts = situation(LLAMA_8B, H100, 71.3)
    width, format = chosen(facts)
    assert (width.outcome.width, format.outcome.format) == ("16-bit", "bf16")
    beside = ask("evaluate_also", facts, width="16-bit", format="bf16").spoke
    assert [spoken.outcome.format for spoken in beside] == ["fp8", "awq-int4"]
    assert "A.tree.6" in beside[0].source


@pytest.mark.parametrize(("usable_gib", "width", "format"), [(1.8, "8-bit", "int8-w8a8"), (0.9, "8-bit", "int8-w8a8")])
def test_1b_is_steered_away_from_int4(usable_gib: float, width: str, format: str) -> None:
    facts = situation(LLAMA_1B, T4, usable_gib)
    chosen_width, chosen_format = chosen(facts)
    assert (chosen_width.outcome.width, chosen_format.outcome.format) == (width, format)
    assert "A.pitfall.12" in chosen_width.spoke[0].source
    assert {"awq-int4", "gptq-int4", "nf4", "nvfp4"} <= avoided(facts)
    assert avoided(facts).isdisjoint({"gguf-q4_k_m", "gguf-q5_k_m", "gguf-q6_k", "gguf-q8_0"})


def test_1b_that_does_not_fit_at_8_bits_goes_to_gguf() -> None:
    outcome = ask("fallback", situation(LLAMA_1B, T4, 0.9), width="8-bit", trouble="memory").outcome
    assert outcome.try_widths == ("gguf",)


def test_mixtral_falls_back_to_gptq() -> None:
    facts = situation(MIXTRAL, A100, 71.3, tools=NO_AWQ_FOR_EXPERTS)
    _, format = chosen(facts)
    assert format.outcome.model_dump() == {"format": "gptq-int4", "group_size": 128, "tool": "gptqmodel"}
    assert "A.pitfall.4" in format.spoke[0].source
    advice = {spoken.rule for spoken in ask("advice", facts, width="4-bit", format="gptq-int4", engine="vllm").spoke}
    assert "no-awq-for-experts-gptq" in advice


def test_mixtral_published_as_awq_cites_the_rule_on_experts() -> None:
    published = replace(MIXTRAL, publishes_awq=True)
    _, format = chosen(situation(published, A100, 71.3, tools=NO_AWQ_FOR_EXPERTS))
    assert format.outcome.format == "awq-int4"
    assert "A.pitfall.4" in format.spoke[0].source
    assert format.spoke[0].note


def test_a_cpu_runs_q4_k_m_on_llama_cpp() -> None:
    facts = situation(ModelFacts(params_b=13, weights_16bit_gib=24.2), NO_GPU, 57.6, count=0)
    width, format = chosen(facts)
    assert (width.outcome.width, format.outcome.format) == ("gguf", "gguf-q4_k_m")
    assert "A.tree.5" in format.spoke[0].source
    assert ask("engine", facts, width="gguf", format="gguf-q4_k_m").outcome.engine == "llama.cpp"


def test_a_tiny_model_on_a_cpu_stays_q4_k_m_and_hears_of_q8_0() -> None:
    facts = situation(ModelFacts(params_b=0.003, weights_16bit_gib=0.005), NO_GPU, 14, count=0)
    _, format = chosen(facts)
    assert format.outcome.format == "gguf-q4_k_m"
    beside = ask("evaluate_also", facts, width="gguf", format="gguf-q4_k_m").spoke
    assert "gguf-q8_0" in {spoken.outcome.format for spoken in beside}


def test_70b_on_two_l40s_is_split() -> None:
    l40s = GpuFacts(architecture="Ada", compute_capability=8.9, has_fp8=True)
    facts = situation(LLAMA_70B, l40s, 44.5 * 0.92, count=2)
    width, format = chosen(facts)
    assert width.outcome.model_dump() == {"width": "4-bit", "tensor_parallel": True}
    assert "A.tree.4" in width.spoke[0].source
    assert format.outcome.format == "awq-int4"
    assert ask("parallelism", facts, fits_one_gpu=False).outcome.tensor_parallel == "fewest"


@pytest.mark.parametrize(
    ("gpu", "workload", "tools", "format"),
    [
        (H100, WorkloadFacts(), ToolFacts(), "fp8"),
        (A100, WorkloadFacts(), ToolFacts(), "int8-w8a8"),
        (A100, WorkloadFacts(may_calibrate=False), ToolFacts(), "int8-bnb"),
        (A100, WorkloadFacts(), ToolFacts(runtime="transformers"), "int8-bnb"),
        (B200, WorkloadFacts(), ToolFacts(), "fp8"),
    ],
)
def test_the_scheme_inside_8_bits_follows_hardware_and_tools(
    gpu: GpuFacts, workload: WorkloadFacts, tools: ToolFacts, format: str
) -> None:
    facts = situation(LLAMA_70B, gpu, 71.3, count=2, workload=workload, tools=tools)
    width, found = chosen(facts)
    assert (width.outcome.width, found.outcome.format) == ("8-bit", format)
    assert found.spoke[0].note, "the article's own word is bitsandbytes INT8: the user is told of the difference"


def test_precision_critical_takes_8_bits_while_they_fit_and_smaller_groups_when_not() -> None:
    critical = WorkloadFacts(precision_critical=True)
    width, format = chosen(situation(LLAMA_70B, H100, 131.4 * 0.8, workload=critical))
    assert (width.outcome.width, format.outcome.format) == ("8-bit", "fp8")
    assert "A.roadmap.2" in width.spoke[0].source
    _, format = chosen(situation(LLAMA_70B, A100, 71.3, workload=critical))
    assert (format.outcome.format, format.outcome.group_size) == ("awq-int4", 64)


def test_fp4_waits_for_validated_quality() -> None:
    _, before = chosen(situation(LLAMA_70B, B200, 100))
    _, after = chosen(situation(LLAMA_70B, B200, 100, workload=WorkloadFacts(quality_validated=True)))
    assert (before.outcome.format, after.outcome.format) == ("awq-int4", "nvfp4")


@pytest.mark.parametrize(
    ("stored", "gpu", "width", "format"),
    [
        ("awq-int4", H100, "4-bit", "awq-int4"),
        ("fp8", H100, "8-bit", "fp8"),
        ("fp8", A100, "8-bit", "fp8-weight-only"),
        ("mxfp4", H100, "4-bit", "mxfp4"),
        ("gguf-q5_k_m", H100, "gguf", "gguf-q5_k_m"),
    ],
)
def test_a_quantized_checkpoint_is_served_as_it_is(stored: str, gpu: GpuFacts, width: str, format: str) -> None:
    found_width, found = chosen(situation(replace(LLAMA_8B, stored_format=stored), gpu, 71.3))
    assert (found_width.outcome.width, found.outcome.format, found.outcome.tool) == (width, format, "none")


def test_a_quantized_checkpoint_has_no_other_width() -> None:
    facts = situation(replace(LLAMA_8B, stored_format="awq-int4"), H100, 71.3)
    for width in ("16-bit", "8-bit", "gguf"):
        asked = replace(facts, decided=DecidedFacts(width=width))
        assert load_book().decide("format", asked, avoiding=avoided(facts)).outcome is None


def test_a_t4_gets_fp16() -> None:
    _, format = chosen(situation(LLAMA_1B, T4, 13.4))
    assert format.outcome.format == "fp16"


@pytest.mark.parametrize(
    ("gpu", "context_tokens", "critical", "kv_cache"),
    [
        (H100, 131072, False, "fp8"),
        (A100, 131072, False, "16-bit"),
        (H100, 8192, False, "16-bit"),
        (H100, 131072, True, "16-bit"),
    ],
)
def test_the_kv_cache(gpu: GpuFacts, context_tokens: int, critical: bool, kv_cache: str) -> None:
    workload = WorkloadFacts(context_tokens=context_tokens, precision_critical=critical)
    facts = situation(LLAMA_8B, gpu, 71.3, workload=workload)
    assert ask("kv_cache", facts, format="bf16", engine="vllm").outcome.kv_cache == kv_cache


def test_calibration_adds_up() -> None:
    facts = situation(LLAMA_70B, A100, 71.3, workload=WorkloadFacts(task="code"))
    parts = [
        spoken.outcome.model_dump(exclude_none=True)
        for spoken in ask("calibration", facts, format="awq-int4", tool="llm-compressor").spoke
    ]
    merged = {key: value for part in parts for key, value in part.items()}
    assert merged == {
        "samples": 256,
        "group_size": 128,
        "zero_point": True,
        "checkpoint_layout": "gemm",
        "text": "chat",
        "data": "code in the programming languages to be served",
    }
    assert ask("calibration", facts, format="awq-int4", tool="none").spoke == ()
    assert ask("calibration", facts, format="gguf-q4_k_m", tool="llama.cpp").spoke == ()


def test_the_user_is_told_not_to_force_awq() -> None:
    facts = situation(LLAMA_70B, A100, 71.3)
    spoken = {s.rule: s for s in ask("advice", facts, width="4-bit", format="awq-int4", engine="vllm").spoke}
    assert "--quantization awq" in spoken["do-not-force-awq-in-vllm"].outcome.say
    assert "overtaken" in (spoken["do-not-force-awq-in-vllm"].note or "")


@pytest.mark.parametrize(
    ("trouble", "width", "next_widths"),
    [
        ("memory", "16-bit", ("8-bit", "4-bit")),
        ("memory", "8-bit", ("4-bit", "gguf")),
        ("quality", "4-bit", ("8-bit", "16-bit")),
        ("quality", "8-bit", ("16-bit",)),
        ("kernel", "4-bit", ("8-bit", "16-bit", "gguf")),
    ],
)
def test_where_to_go_next(trouble: str, width: str, next_widths: tuple[str, ...]) -> None:
    outcome = ask("fallback", situation(LLAMA_70B, A100, 71.3), trouble=trouble, width=width).outcome
    assert outcome.try_widths == next_widths


def test_nothing_in_trouble_goes_nowhere() -> None:
    assert ask("fallback", Facts(), width="4-bit").outcome is None
