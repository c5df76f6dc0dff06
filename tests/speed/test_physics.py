"""What must be true of any machine: more bandwidth is never slower, more bytes never faster, talk costs time."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from planner.hardware.resolving import resolve_hardware
from planner.models.resolving import resolve_model
from planner.schemes import scheme
from planner.speed.constants import rates, serving_constants
from planner.speed.serving import Phases, closed_loop
from planner.speed.steps import Peaks, exchange_ms, roofline, step_ms
from planner.speed.work import Layout, Stored, Work, decode_work, nominal_weight_bytes, prefill_work, touched_share

LLAMA = resolve_model("meta-llama/Llama-3.1-8B-Instruct").shape
MIXTRAL = resolve_model("mistralai/Mixtral-8x7B-Instruct-v0.1").shape
H100 = Peaks(3352e6, 989e9, 989e9, 450e6)
VLLM = rates("vllm", "cublas-bf16", "hopper")
WHOLE = Stored(16, nominal_weight_bytes(LLAMA, Layout(), 16, 16), 131072)


def decode_ms(peaks: Peaks = H100, stored: Stored = WHOLE, batch: int = 1, context: float = 1000.0) -> float:
    return step_ms(decode_work(LLAMA, stored, Layout(), batch, context), peaks, VLLM)


@pytest.mark.parametrize("rate", [f.name for f in fields(Peaks)])
def test_a_faster_part_never_makes_a_step_slower(rate: str) -> None:
    faster = replace(H100, **{rate: 2 * getattr(H100, rate)})
    work = decode_work(LLAMA, WHOLE, Layout(2), 32, 1000.0)
    assert step_ms(work, faster, VLLM) <= step_ms(work, H100, VLLM)


@pytest.mark.parametrize("amount", [f.name for f in fields(Work) if f.name != "accelerators"])
def test_more_work_is_never_faster(amount: str) -> None:
    work = decode_work(MIXTRAL, WHOLE, Layout(2), 16, 1000.0)
    more = replace(work, **{amount: 2 * getattr(work, amount) + 1})
    assert step_ms(more, H100, VLLM) >= step_ms(work, H100, VLLM)


def test_one_token_at_a_time_waits_for_memory() -> None:
    """Half the weight bytes must take a third to a half off an 8B step, as FP8 does on an H100."""
    half = replace(WHOLE, weight_bits=8.0, weight_bytes=WHOLE.weight_bytes / 2)
    assert 0.5 < decode_ms(stored=half) / decode_ms() < 0.67


def test_a_longer_context_and_a_larger_batch_take_longer() -> None:
    assert decode_ms(context=64_000.0) > decode_ms(context=1000.0)
    assert decode_ms(batch=64) > decode_ms(batch=1)
    assert decode_ms(batch=64) < 64 * decode_ms(batch=1)


def test_one_accelerator_has_nobody_to_talk_to() -> None:
    assert exchange_ms(decode_work(LLAMA, WHOLE, Layout(1), 8, 1000.0), H100, VLLM) == 0
    two, eight = (exchange_ms(decode_work(LLAMA, WHOLE, Layout(n), 8, 1000.0), H100, VLLM) for n in (2, 8))
    assert 0 < two < eight


def test_a_slower_link_makes_long_prompts_slower_on_two_cards() -> None:
    work = prefill_work(LLAMA, WHOLE, Layout(2), 8000)
    pcie = replace(H100, link_bytes_per_ms=32e6)
    assert step_ms(work, pcie, VLLM) > 1.2 * step_ms(work, H100, VLLM)


def test_a_roofline_is_its_longer_side_with_a_rounded_corner() -> None:
    assert roofline(10.0, 0.1, 3.0) == pytest.approx(10.0, rel=1e-3)
    assert 1.0 < roofline(1.0, 1.0, 3.0) < 1.3


@pytest.mark.parametrize(("tokens", "share"), [(1, 2 / 8), (2, 1 - 0.75**2), (1000, 1.0)])
def test_a_batch_touches_only_the_experts_it_is_sent_to(tokens: int, share: float) -> None:
    assert touched_share(MIXTRAL, tokens) == pytest.approx(share)


def test_a_dense_model_has_no_experts_to_touch() -> None:
    assert touched_share(LLAMA, 4) == 0
    assert decode_work(LLAMA, WHOLE, Layout(), 4, 100.0).expert_bytes == 0


def test_a_dense_step_reads_every_weight_but_the_embedding() -> None:
    """Llama-3.1-8B: 8.03 B parameters, of which a 128256 x 4096 embedding is only looked up."""
    work = decode_work(LLAMA, WHOLE, Layout(), 1, 0.0)
    assert work.dense_bytes + work.plain_bytes == pytest.approx(2 * (8.0303e9 - 128256 * 4096), rel=1e-3)


def test_clients_share_a_closed_loop() -> None:
    """Tokens per second x time of a request = tokens in flight (Little's law)."""
    phases = Phases(decode_ms=20.0, prefill_alone_ms=50.0, prefill_share_ms=40.0)
    served = closed_loop(phases, serving_constants("vllm", "fp8-w8a8", "hopper"), 16, 200)
    assert served.output_tokens_per_s / 1000 * (served.ttft_ms + 199 * served.tpot_ms) == pytest.approx(16 * 200)


def test_prompts_of_others_stretch_the_time_between_tokens() -> None:
    phases = Phases(decode_ms=20.0, prefill_alone_ms=50.0, prefill_share_ms=40.0)
    constants = serving_constants("vllm", "fp8-w8a8", "hopper")
    assert closed_loop(phases, constants, 1, 200).tpot_ms == 20.0
    assert closed_loop(phases, constants, 32, 200).tpot_ms > 20.0
    assert closed_loop(phases, constants, 32, 200).ttft_ms > closed_loop(phases, constants, 1, 200).ttft_ms


def test_hardware_with_more_bandwidth_answers_faster(predict) -> None:
    h100, h200 = (
        predict("meta-llama/Llama-3.1-8B-Instruct", f"1x{gpu}", "bf16") for gpu in ("H100-80GB-SXM", "H200-141GB-SXM")
    )
    assert h200.tpot_ms.value < h100.tpot_ms.value
    assert resolve_hardware("H200").accelerator.bandwidth_gb_s > resolve_hardware("H100").accelerator.bandwidth_gb_s


def test_a_step_reads_a_gguf_file_at_its_own_size() -> None:
    """Llama-3.1-8B Q4_K_M is a file of 4.92 GB, of which 0.30 GB are embeddings that are only looked up."""
    work = decode_work(LLAMA, Stored.of(scheme("gguf-q4_k_m"), 4.92e9, 131072), Layout(), 1, 100.0)
    assert work.dense_bytes + work.plain_bytes == pytest.approx(4.62e9, rel=0.04)
