"""That it launched and answers is no evidence; the layers it holds and its log-probabilities are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executor.applied.fingerprint import Fingerprint, fingerprint
from executor.applied.in_engine import Evidence, applied_in_engine, require_applied
from executor.applied.inspecting import inspection_of, layers_in, tensor_types_in
from planner.errors import ExecutionFailed

NAMES = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")


def held(method: str, dtypes: dict[str, int], kernel: str = "") -> list[dict[str, Any]]:
    """Layers of 131,072 weights each."""
    about = {"method": method, "kernel": kernel, "weights": 131072, "dtypes": dtypes}
    return [{"name": f"model.layers.0.{name}", **about} for name in NAMES]


PACKED = held("CompressedTensorsWNA16", {"int32": 65536, "bfloat16": 2048}, "CPUWNA16LinearKernel")


def test_layers_that_hold_packed_weights_are_applied() -> None:
    found = applied_in_engine("awq-int4", Evidence(layers=PACKED), 2_279_360)
    assert (found.verdict, found.says) == ("applied", ("4 of 4 linear layers are held quantized",))
    assert found.layers == {"CompressedTensorsWNA16, CPUWNA16LinearKernel, bfloat16/int32": 4}
    require_applied("awq-int4", found, "http://127.0.0.1:8000")


def test_a_dummy_start_that_drops_the_scheme_is_caught() -> None:
    """vLLM 0.22 with --load-format dummy and a GPTQ config: started, answered, and held 16-bit weights."""
    layers = held("UnquantizedLinearMethod", {"bfloat16": 262144})
    found = applied_in_engine("gptq-int4", Evidence(layers=layers), None)
    with pytest.raises(ExecutionFailed) as failed:
        require_applied("gptq-int4", found, "http://127.0.0.1:8000")
    assert str(failed.value) == (
        "http://127.0.0.1:8000: gptq-int4 is not applied in the engine, although it started and answers:\n"
        "  4 of 4 linear layers are held in 16 bits, for example model.layers.0.qkv_proj\n"
        "To fix: serve another format or KV cache, or another version of the engine; "
        "report it to the engine's makers"
    )


def test_a_checkpoint_of_ours_is_quantized_in_every_layer_and_a_ready_made_one_may_leave_some_out() -> None:
    mixed = [*PACKED[:3], *held("UnquantizedLinearMethod", {"bfloat16": 262144})[3:]]
    assert applied_in_engine("awq-int4", Evidence(layers=mixed), 2_279_360).verdict == "not-applied"
    assert applied_in_engine("awq-int4", Evidence(layers=mixed), None).verdict == "applied"


def test_weights_that_a_kernel_keeps_for_itself_are_no_evidence() -> None:
    """oneDNN's INT8 matrices on a CPU: the module is left with its scales alone."""
    layers = held("CompressedTensorsW8A8Int8", {"float32": 2048}, "CPUInt8ScaledMMLinearKernel")
    found = applied_in_engine("int8-w8a8", Evidence(layers=layers), 3_428_864)
    assert found.verdict == "unknown"
    assert found.says == ("4 of 4 linear layers are kept by CPUInt8ScaledMMLinearKernel where no tensor shows",)
    near = Fingerprint(to_quantized=0.02, to_original=0.05, effect=0.04)
    assert applied_in_engine("int8-w8a8", Evidence(layers=layers, fingerprint=near), 3_428_864).verdict == "applied"


def test_sixteen_bits_have_nothing_to_apply() -> None:
    layers = held("UnquantizedLinearMethod", {"bfloat16": 262144})
    assert applied_in_engine("bf16", Evidence(layers=layers), None).verdict == "unknown"


def test_heads_and_routers_do_not_count() -> None:
    head = {"name": "lm_head", "method": "UnquantizedEmbeddingMethod", "kernel": "", "dtypes": {"bfloat16": 9}}
    assert applied_in_engine("awq-int4", Evidence(layers=[*PACKED, head]), 1.0).verdict == "applied"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Fingerprint(to_quantized=0.02, to_original=0.06, effect=0.05), "applied"),
        (Fingerprint(to_quantized=0.05, to_original=0.01, effect=0.05), "not-applied"),
        (Fingerprint(to_quantized=0.015, to_original=0.014, effect=0.012), "unknown"),
        (Fingerprint(to_quantized=0.9, to_original=0.91, effect=0.05), "wrong"),
    ],
)
def test_a_fingerprint_is_nearer_to_one_of_the_two_or_far_from_both(found: Fingerprint, verdict: str) -> None:
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("planned", "held", "verdict"),
    [
        ("16-bit", "auto", "applied"),
        ("fp8", "fp8_e4m3", "applied"),
        ("fp8", "auto", "not-applied"),
        ("16-bit", "int8_per_token_head", "not-applied"),
        ("fp8", None, "applied"),
    ],
)
def test_another_cache_than_planned_tells_against_the_engine(planned: Any, held: str | None, verdict: str) -> None:
    evidence = Evidence(layers=PACKED, cache_dtype=held)
    assert applied_in_engine("awq-int4", evidence, 2_279_360, kv_cache=planned).verdict == verdict


def test_one_piece_of_evidence_against_decides() -> None:
    wrong = Fingerprint(to_quantized=0.9, to_original=0.91, effect=0.05)
    found = applied_in_engine("awq-int4", Evidence(layers=PACKED, fingerprint=wrong), 2_279_360)
    assert found.verdict == "wrong"
    with pytest.raises(
        ExecutionFailed, match=r"awq-int4 is wrongly applied in the engine.*\n  4 of 4 .*\n  served log-"
    ):
        require_applied("awq-int4", found, "here")


def test_without_evidence_nothing_is_claimed() -> None:
    found = applied_in_engine("nf4", Evidence(), 2_305_483)
    assert (found.verdict, found.says) == ("unknown", ("nothing this engine tells shows whether nf4 is applied",))


def test_the_weights_an_engine_reports_are_held_against_the_file() -> None:
    assert applied_in_engine("gguf-q4_k_m", Evidence(weights_bytes=1_850_000), 1_850_880).verdict == "applied"
    assert applied_in_engine("gguf-q4_k_m", Evidence(weights_bytes=5_800_000), 1_850_880).verdict == "unknown"


def test_llama_cpp_says_which_types_it_read() -> None:
    log = "llama_model_loader: - type  f32:    9 tensors\nllama_model_loader: - type q4_K:   24 tensors\n"
    read = tensor_types_in(log)
    assert read == {"F32": 9, "Q4_K": 24} and tensor_types_in("nothing") is None
    evidence = Evidence(tensor_types=read)
    assert applied_in_engine("gguf-q4_k_m", evidence, 9, {"F32": 9, "Q4_K": 24}).verdict == "applied"
    assert applied_in_engine("gguf-q4_k_m", evidence, 9, {"F32": 9, "Q8_0": 24}).verdict == "not-applied"


def test_distances_are_of_the_same_tokens_or_not_at_all() -> None:
    assert fingerprint([-1.0, -2.0], [-1.5, -2.0], [-1.0, -3.0]) == Fingerprint(0.25, 0.5, 0.75)
    assert fingerprint([-1.0], [-1.5, -2.0], [-1.0, -3.0]) is None
    assert fingerprint([], [], None) is None


def test_a_worker_tells_its_layers_in_the_log() -> None:
    layer = {"name": "a", "method": "M", "kernel": "", "dtypes": {"int32": 4}}
    assert layers_in(f"INFO loading\nquantplan-layers: {json.dumps([layer])}\nINFO done") == [layer]
    assert layers_in("quantplan-layers: [{\nINFO") is None
    watch = inspection_of("vllm")
    assert watch.arguments == ("--worker-extension-cls", "vllm_inspection.Inspection")
    assert inspection_of("llama.cpp").arguments == ()
