"""Starts whose row says in words what no column holds, against what their logs printed."""

from __future__ import annotations

import pytest

from planner.memory.adapters import adapter_bytes
from planner.memory.batch import StartPrediction, predict_start
from planner.memory.cases import case_from_row
from planner.memory.drafts import with_draft
from planner.memory.remarks import Remarks, remarks_of
from planner.models.catalogue import find
from planner.models.shape import Shape
from planner.units import GIB


def shape_named(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


def predicted(model: str, **row: str) -> StartPrediction:
    row = {"id": "1", "engine": "vllm", "config_id": model, "model_id": model, "quantization": "none", **row}
    return predict_start(case_from_row(row), {model: shape_named(model)})


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("", Remarks()),
        ("cpu-offload-gb 30 (weights on GPU not full)", Remarks(cpu_offload_gib=30)),
        ("8xL40S; EP on; kv 11423138508 bytes", Remarks(expert_parallel=8)),
        ("DP4 x TP4 + EP; not a CUDA GPU", Remarks(expert_parallel=16)),
        ("EP4", Remarks(expert_parallel=4)),
        ("VL model w/ LoRA; identify", Remarks(lora_rank=16)),
        ("LoRA enabled; max_lora_rank=64", Remarks(lora_rank=64)),
        ('Qwen3.6-27B (AutoRound int4, "lorbus") + MTP1', Remarks(draft="mtp", draft_tokens=1)),
        ("Llama-3.1-8B-Instruct + EAGLE head", Remarks(draft="eagle", draft_tokens=1)),
        ("language-model-only; checkpoint 9.54 GiB", Remarks(language_model_only=True)),
        ("cudagraph estimate 0.84; prefix caching off", Remarks(prefix_caching=False)),
        ("avail before load 3.23", Remarks(free_gib=3.23)),
        ("MTP off", Remarks()),
        ("no MTP, LoRA disabled, without expert parallelism", Remarks()),
        ("EAGLE off; MTP=0", Remarks()),
        ("MTP=3", Remarks(draft="mtp", draft_tokens=3)),
        ("NEXTN, speculative-num-steps 3", Remarks(draft="mtp", draft_tokens=3)),
        ("eagle3, 5 tokens; EP 8", Remarks(draft="eagle", draft_tokens=5, expert_parallel=8)),
        ("LoRA rank 64", Remarks(lora_rank=64)),
        ("enable_prefix_caching=False, enforce_eager", Remarks(prefix_caching=False, eager=True)),
        ("--limit-mm-per-prompt image=0; DCP 8", Remarks(language_model_only=True, context_parallel=8)),
        ("weights replicated 11.06 GB; template with empty slots", Remarks()),
    ],
)
def test_words_of_a_note_are_understood(note: str, expected: Remarks) -> None:
    assert remarks_of({"note": note}, tensor_parallel=4) == expected


def test_columns_come_before_words() -> None:
    row = {"note": "cpu-offload-gb 30; EP on", "cpu_offload_gb": "12", "expert_parallel_size": "32"}
    assert remarks_of(row, tensor_parallel=4) == Remarks(cpu_offload_gib=12, expert_parallel=32)


def test_offloaded_layers_leave_the_vocabulary_on_the_gpu() -> None:
    """DeepSeek-Coder-V2-Lite (29 GiB) with 30 GiB on the host, vLLM 0.7.2: the log says 0.80 GiB of weights."""
    found = predicted("deepseek-v2-lite", engine_version="0.7.2", note="cpu-offload-gb 30", gpu_total_GiB="44.31")
    assert found.weights_gib == pytest.approx(0.80, abs=0.03)


def test_part_of_the_layers_can_stay() -> None:
    whole = predicted("llama-3.1-8b", engine_version="0.10").weights_gib
    part = predicted("llama-3.1-8b", engine_version="0.10", cpu_offload_gb="4").weights_gib
    assert whole is not None and part is not None
    assert whole - part == pytest.approx(4, abs=0.05)


def test_experts_are_dealt_out_over_all_ranks() -> None:
    """DeepSeek-V3.1 in 8 bits with MTP, DP4 x TP4 + EP (vllm-ascend): 45.66 GiB a rank, not a quarter of 625."""
    words = {"quantization": "w8a8", "tensor_parallel_size": "4", "note": "DP4 x TP4 + EP; with MTP"}
    assert predicted("deepseek-v3", **words).weights_gib == pytest.approx(45.66, rel=0.03)


def test_vllm_0_7_multiplied_latent_projections_out() -> None:
    """DeepSeek-Coder-V2-Lite on eight A100-40GB, vLLM 0.7: 3.97 GiB a rank; V0 pads latents from 576 to 640."""
    found = predicted("deepseek-v2-lite", engine_version="0.7.2 V0", tensor_parallel_size="8")
    assert found.weights_gib == pytest.approx(3.97, abs=0.015)
    assert found.kv_bytes_per_token == 27 * 640 * 2
    assert predicted("deepseek-v2-lite", engine_version="0.10").kv_bytes_per_token == 27 * 576 * 2


def test_an_eagle_head_caches_one_layer_more() -> None:
    """Llama-3.1-8B with an EAGLE head, vLLM 0.9: 135,171 bytes a token, which is 33 layers."""
    found = predicted("llama-3.1-8b", engine_version="0.9.1 V1", note="+ EAGLE head")
    assert found.kv_bytes_per_token == 33 * 4096


def test_an_mtp_layer_and_its_drafted_token_enlarge_pages() -> None:
    """Qwen3.6-27B with MTP1, 131,072 tokens: the log has 255,975 tokens in 17.25 GiB."""
    from dataclasses import replace

    from planner.memory import vllm
    from planner.memory.starts import described_shape, situation_of

    case = case_from_row(
        {
            "id": "1", "engine": "vllm", "config_id": "qwen3.5-27b", "model_id": "qwen3.5-27b + MTP1",
            "quantization": "int4 autoround", "max_model_len": "131072", "gpu_total_GiB": "23.57",
        }
    )  # fmt: skip
    situation = situation_of(case, described_shape(shape_named("qwen3.5-27b"), case))
    assert situation is not None
    layout = vllm.account(replace(situation, physical_gib=100)).layout
    assert layout.tokens(17.25 * GIB, 131_072) == pytest.approx(255_975, abs=1)


def test_a_multi_token_prediction_layer_is_one_more_and_a_projection() -> None:
    """DeepSeek-V3: 11.5 B of its MTP module's 14 B are its own (README_WEIGHTS.md; the rest are the shared tables)."""
    target = shape_named("deepseek-v3")
    added = with_draft(target, "mtp").parameters - target.parameters
    assert added / 1e9 == pytest.approx(11.5, rel=0.01)


def test_an_mtp_layer_of_a_sparse_model_has_all_its_experts() -> None:
    """DeepSeek-V3's report: 671 B parameters, and 14 B in the multi-token-prediction module (with its own tables)."""
    target = shape_named("deepseek-v3")
    added = (with_draft(target, "mtp").parameters - target.parameters) / 1e9
    assert added == pytest.approx(11.6, abs=0.1)  # 14 B less the 2 x 0.93 B of vocabulary that engines share


def test_adapters_take_low_rank_halves_of_every_projection() -> None:
    """Llama-3.1-8B with rank 32: 84 M elements, 160 MiB; the log of such a start has 0.18 GiB more."""
    reserved = adapter_bytes(shape_named("llama-3.1-8b"), rank=32)
    assert reserved.total / GIB == pytest.approx(0.156, abs=0.001)
    split = adapter_bytes(shape_named("llama-3.1-8b"), rank=32, tensor_parallel=2)
    assert reserved.total / 2 < split.total < reserved.total
