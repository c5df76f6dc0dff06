"""Weights in each format, against files that quantizers wrote, articles and published checkpoints."""

from __future__ import annotations

import pytest

from planner.memory.loading import loading_extra
from planner.memory.weights import model_weight_bytes, weight_bytes
from planner.models.catalogue import find
from planner.models.model import Checkpoint, Model, StoredTensor
from planner.schemes import scheme
from planner.units import GB, GIB

# Bytes on disk of the 5.2 M-parameter Llama (November 2026); a file holds a header of at most 0.4 % beside its tensors.
WRITTEN_BY_QUANTIZERS = {
    "int8-bnb": 7_395_364,  # bitsandbytes 0.50.2
    "nf4": 5_877_067,
    "fp4-bnb": 5_986_232,
    "awq-int4": 5_846_984,  # llmcompressor 0.14.0.1
    "rtn-int4": 5_831_528,
    "int8-w8a8": 7_372_368,
    "fp8": 7_372_504,
    "mxfp4": 5_877_472,
    "gptq-int4": 5_882_896,  # gptqmodel 7.6.0
}


@pytest.mark.parametrize("format_id", WRITTEN_BY_QUANTIZERS)
def test_weights_are_what_the_quantizers_wrote_less_a_header(shape_of, format_id):
    written = WRITTEN_BY_QUANTIZERS[format_id]
    assert written * 0.995 < weight_bytes(shape_of("tiny"), scheme(format_id)).total <= written


@pytest.mark.parametrize(
    ("format_id", "article_gb"),
    [("fp16", 14), ("int8-bnb", 7.8), ("nf4", 4.5), ("gptq-int4", 4.8), ("awq-int4", 4.7)],
)
def test_qwen2_7b_weights_of_article_a(shape_of, format_id, article_gb):
    """The article counts GiB and leaves the 1.1 G parameters of embedding and head out of its 4-bit figures."""
    weights = weight_bytes(shape_of("qwen2-7b"), scheme(format_id))
    stays_16_bit_gib = 2 * 152064 * 3584 * 2 / 2**30
    predicted = weights.total / 2**30
    if format_id in ("nf4", "gptq-int4", "awq-int4"):
        assert predicted - stays_16_bit_gib < article_gb < predicted * 1.1
    else:
        assert predicted == pytest.approx(article_gb, rel=0.1)


@pytest.mark.parametrize(
    ("model", "article_16_bit_gb", "article_4_bit_gb"),
    [
        ("llama-2-7b", 14, 4.5),
        ("llama-2-13b", 26, 8.5),
        ("codellama-34b", 68, 21),
        ("llama-3.1-70b", 140, 40),
        ("llama-3.1-405b", 810, 243),
    ],
)
def test_the_memory_table_of_article_b(shape_of, model, article_16_bit_gb, article_4_bit_gb):
    """Its 4-bit column includes a cache at batch 8-16; the weights alone are 0 to 17 % below."""
    bf16 = weight_bytes(shape_of(model), scheme("bf16")).total / GB
    awq = weight_bytes(shape_of(model), scheme("awq-int4")).total / GB
    assert bf16 == pytest.approx(article_16_bit_gb, rel=0.1)
    assert 0.83 * article_4_bit_gb < awq <= 1.01 * article_4_bit_gb


@pytest.mark.parametrize(
    ("model", "format_id", "published_gb"),
    [("llama-3.1-70b", "awq-int4", 39.77), ("qwen2-7b", "awq-int4", 5.57), ("mixtral-8x7b", "bf16", 93.41)],
)
def test_published_checkpoints(shape_of, model, format_id, published_gb):
    assert weight_bytes(shape_of(model), scheme(format_id)).total / GB == pytest.approx(published_gb, rel=0.005)


def test_an_awq_checkpoint_keeps_embedding_head_and_norms_in_16_bits(shape_of):
    weights = weight_bytes(shape_of("llama-3-8b"), scheme("awq-int4"))
    assert weights.sixteen_bit == (2 * 128256 * 4096 + 65 * 4096) * 2


def test_tensor_parallelism_divides_matrices_and_replicates_norms_and_few_heads(shape_of):
    shape = shape_of("qwen2-7b")
    one, eight = (weight_bytes(shape, scheme("bf16"), None, ranks).total for ranks in (1, 8))
    assert eight > one / 8


def test_a_checkpoint_stored_in_the_format_is_counted_not_estimated(shape_of):
    tensors = (
        StoredTensor("model.embed_tokens.weight", "BF16", (8192, 256), 4_194_304),
        StoredTensor("model.layers.0.q.qweight", "I32", (256, 32), 32_768),
        StoredTensor("model.layers.0.q.scales", "F16", (2, 256), 1_024),
    )
    checkpoint = Checkpoint("x", "awq-int4", 4_228_096, tensors, 128)
    model = Model("x", shape_of("tiny"), "directory", "x", checkpoint)
    weights = model_weight_bytes(model, scheme("awq-int4"))
    assert (weights.quantized, weights.scales_and_zeros, weights.sixteen_bit) == (32_768, 1_024, 4_194_304)


def test_a_checkpoint_stored_otherwise_is_estimated(shape_of):
    checkpoint = Checkpoint("x", "bf16", 2, (StoredTensor("a", "BF16", (1,), 2),))
    model = Model("x", shape_of("tiny"), "directory", "x", checkpoint)
    expected = weight_bytes(shape_of("tiny"), scheme("nf4"))
    assert model_weight_bytes(model, scheme("nf4")) == expected


def test_gpt_oss_keeps_its_attention_in_sixteen_bits():
    """openai/gpt-oss-20b: a checkpoint of 13.76 GB; vLLM logs 13.72 GiB once its kernels have padded the experts."""
    known = find("gpt-oss-20b")
    assert known is not None
    chosen = scheme("mxfp4")
    assert weight_bytes(known.shape, chosen).total / GB == pytest.approx(13.76, rel=0.005)
    loaded = weight_bytes(known.shape, chosen) + loading_extra(known.shape, chosen)
    assert loaded.total / GIB == pytest.approx(13.72, rel=0.005)
