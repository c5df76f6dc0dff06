"""GGUF headers written byte by byte; tensor bytes against sizes published by llama.cpp."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from model_files import GGUF_METADATA, GGUF_TENSORS, Q6_K, gguf_bytes, gguf_string, gguf_value, write_gguf

from planner.errors import BadInput
from planner.models.families import shape_from_config
from planner.models.ggml_types import tensor_bytes
from planner.models.gguf import config_of
from planner.models.gguf_header import Header, read_header
from planner.models.model import StoredTensor
from planner.models.resolving import resolve_model

# DeepSeek-V2-Lite as llama.cpp's converter describes it.
DEEPSEEK2: dict[str, object] = {
    "block_count": 27,
    "embedding_length": 2048,
    "feed_forward_length": 10944,
    "attention.head_count": 16,
    "attention.head_count_kv": 16,
    "attention.kv_lora_rank": 512,
    "rope.dimension_count": 64,
    "expert_count": 64,
    "expert_used_count": 6,
    "expert_feed_forward_length": 1408,
    "expert_shared_count": 2,
    "leading_dense_block_count": 1,
    "context_length": 163840,
}
AGAIN = "To fix: download the file again"


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as refused:
        resolve_model(str(path))
    return str(refused.value).replace(str(path), "FILE")


def broken(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    return refusal(path)


def test_a_gguf_file_gives_shape_scheme_and_exact_bytes(tmp_path: Path) -> None:
    model = resolve_model(str(write_gguf(tmp_path / "tiny.gguf")))

    assert (model.name, model.stored_format, model.is_chat) == ("Tiny", "gguf-q4_k_m", False)
    shape = model.shape
    assert (shape.hidden_size, shape.vocab_size, shape.layer_count, shape.tied_embeddings) == (256, 512, 1, True)
    assert shape.parameters == 512 * 256 + (2 * 256 + 2 * 128) * 256 + 3 * 512 * 256 + 3 * 256
    assert model.checkpoint is not None
    assert [(t.name, t.shape, t.bytes) for t in model.checkpoint.tensors] == [
        (name, tuple(reversed(sizes)), length) for name, sizes, _, length in GGUF_TENSORS
    ]
    assert model.checkpoint.total_bytes == (tmp_path / "tiny.gguf").stat().st_size


def test_experts_make_a_mixtral(tmp_path: Path) -> None:
    metadata: dict[str, object] = {"llama.expert_count": 8, "llama.expert_used_count": 2}
    shape = resolve_model(str(write_gguf(tmp_path / "moe.gguf", metadata))).shape

    assert shape.family == "mixtral"
    assert shape.experts[0].experts == 8


def test_tensors_that_do_not_add_up_are_mentioned(tmp_path: Path) -> None:
    model = resolve_model(str(write_gguf(tmp_path / "t.gguf", {"llama.block_count": 3})))

    assert model.assumptions == ("the weight files hold 721,664 parameters, the shape of the config 1,902,336",)


def test_latent_attention_is_read_in_the_newer_and_the_older_spelling() -> None:
    older: dict[str, object] = {"attention.key_length": 192, "attention.value_length": 128}
    newer: dict[str, object] = {
        "attention.key_length": 576,
        "attention.value_length": 512,
        "attention.key_length_mla": 192,
        "attention.value_length_mla": 128,
    }
    for lengths in (older, newer):
        metadata = {f"deepseek2.{key}": value for key, value in {**DEEPSEEK2, **lengths}.items()}
        header = Header({"general.architecture": "deepseek2", **metadata}, (), 0)  # type: ignore[dict-item]
        tensors = (
            StoredTensor("token_embd.weight", "F16", (102400, 2048), 0),
            StoredTensor("output.weight", "F16", (), 0),
        )

        assert shape_from_config(config_of(header, tensors, "x.gguf")).parameters == 15_706_484_224


def test_a_chat_template_is_noticed(tmp_path: Path) -> None:
    assert resolve_model(str(write_gguf(tmp_path / "t.gguf", {"tokenizer.chat_template": "{{ x }}"}))).is_chat


@pytest.mark.parametrize(
    ("file_type", "scheme"),
    [
        (7, "gguf-q8_0"),
        (18, "gguf-q6_k"),
        (17, "gguf-q5_k_m"),
        (15, "gguf-q4_k_m"),
        (12, "gguf-q3_k_m"),
        (10, "gguf-q2_k"),
    ],
)
def test_file_types_are_schemes(tmp_path: Path, file_type: int, scheme: str) -> None:
    model = resolve_model(str(write_gguf(tmp_path / "t.gguf", {"general.file_type": file_type})))

    assert model.stored_format == scheme
    assert model.assumptions == ()


@pytest.mark.parametrize(
    ("file_type", "level", "variant"),
    [
        (2, "gguf-q4_k_m", "q4_0"),
        (30, "gguf-q4_k_m", "iq4_xs"),
        (16, "gguf-q5_k_m", "q5_k_s"),
        (24, "gguf-q2_k", "iq1_s"),
        (38, "gguf-q4_k_m", "mxfp4_moe"),
    ],
)
def test_other_file_types_are_variants_of_a_level(tmp_path: Path, file_type: int, level: str, variant: str) -> None:
    model = resolve_model(str(write_gguf(tmp_path / "t.gguf", {"general.file_type": file_type})))

    assert (model.stored_format, model.stored_variant, model.assumptions) == (level, variant, ())


def test_a_file_type_without_a_scheme_is_named(tmp_path: Path) -> None:
    model = resolve_model(str(write_gguf(tmp_path / "t.gguf", {"general.file_type": 36})))

    assert (model.stored_format, model.stored_variant) == ("unknown", "")
    assert model.assumptions == (
        "GGUF file type TQ1_0 is not a scheme of quantplan: its bytes are taken from the header",
    )


def test_bytes_of_a_tensor_follow_its_blocks() -> None:
    # Llama-2-7B in Q4_K_M: token_embd.weight 4096 x 32000 is Q4_K, output.weight Q6_K (70.31 and 102.54 MiB).
    assert tensor_bytes("Q4_K", 4096 * 32000) == 73_728_000
    assert tensor_bytes("Q6_K", 4096 * 32000) == 107_520_000
    assert tensor_bytes("Q8_0", 32) == 34
    assert tensor_bytes("MXFP4", 32) == 17
    assert tensor_bytes("F16", 7) == 14


@pytest.mark.parametrize(
    ("ggml_type", "count", "message"),
    [
        ("Q4_K", 100, "100 elements do not fill blocks of 256 (Q4_K)"),
        ("Q4_X", 256, "Q4_X is not a GGUF tensor type\nDid you mean: IQ4_XS, Q4_K, Q4_1?"),
    ],
)
def test_bytes_that_cannot_be(ggml_type: str, count: int, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        tensor_bytes(ggml_type, count)

    assert str(refused.value) == message


def test_long_vocabularies_are_read_over(tmp_path: Path) -> None:
    tokens = [f"token{number}" for number in range(5000)]
    header = read_header(write_gguf(tmp_path / "t.gguf", {"tokenizer.ggml.tokens": tokens}))

    assert header.metadata["tokenizer.ggml.tokens"] is None
    assert len(header.tensors) == len(GGUF_TENSORS)


def test_split_files_are_read_together(tmp_path: Path) -> None:
    first, second = tmp_path / "t-00001-of-00002.gguf", tmp_path / "t-00002-of-00002.gguf"
    first.write_bytes(gguf_bytes(GGUF_METADATA, GGUF_TENSORS[:5]))
    second.write_bytes(gguf_bytes({"split.no": 1}, GGUF_TENSORS[5:]))

    model = resolve_model(str(first))

    assert model.checkpoint is not None
    assert len(model.checkpoint.tensors) == len(GGUF_TENSORS)
    assert model.checkpoint.total_bytes == first.stat().st_size + second.stat().st_size


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    first = write_gguf(tmp_path / "t-00001-of-00002.gguf")

    assert refusal(first) == (
        "FILE: shard t-00002-of-00002.gguf is missing\nTo fix: download the missing shard beside it"
    )


def test_an_unknown_architecture_is_refused_by_name(tmp_path: Path) -> None:
    assert refusal(write_gguf(tmp_path / "t.gguf", {"general.architecture": "rwkv9"})) == (
        "FILE: GGUF architecture rwkv9 is not known to quantplan\n"
        "To fix: add a line for it to planner/models/gguf.py, or plan with a bare size such as 70B"
    )


def test_a_vocabulary_file_is_no_model(tmp_path: Path) -> None:
    assert broken(tmp_path, gguf_bytes(GGUF_METADATA, [])) == (
        "FILE: has no token embedding: not a language model\nTo fix: name the model's own file"
    )


def head(tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


WHOLE = gguf_bytes(GGUF_METADATA, GGUF_TENSORS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GGUF", f"truncated: 4 bytes, too few for a GGUF header\n{AGAIN}"),
        (b"GGML" + bytes(40), "not a GGUF file\nTo fix: name a file that begins with GGUF"),
        (head(version=1) + bytes(8), f"GGUF version 1; quantplan reads 2 and 3\n{AGAIN}"),
        (head(tensors=2**60), f"claims 1152921504606846976 tensors; more than 1000000 is not believable\n{AGAIN}"),
        (head(keys=2**60), f"claims 1152921504606846976 metadata keys; more than 100000 is not believable\n{AGAIN}"),
        (
            head(keys=1) + struct.pack("<Q", 2**62),
            f"truncated: the header goes on after the last of its 32 bytes\n{AGAIN}",
        ),
        (head(keys=1) + gguf_string("a") + struct.pack("<I", 99), f"metadata type 99 does not exist\n{AGAIN}"),
        (
            head(keys=1) + gguf_string("a") + struct.pack("<IIQ", 9, 4, 2**61),
            f"truncated: the header goes on after the last of its 49 bytes\n{AGAIN}",
        ),
        (
            head(keys=1) + gguf_string("a") + struct.pack("<IIQ", 9, 8, 2**61),
            f"truncated: the header goes on after the last of its 49 bytes\n{AGAIN}",
        ),
        (WHOLE[:300], f"truncated: the header goes on after the last of its 300 bytes\n{AGAIN}"),
        (
            head(tensors=1) + gguf_string("x") + struct.pack("<I", 9),
            f"tensor x has 9 dimensions\n{AGAIN}",
        ),
        (
            head(tensors=1) + gguf_string("x") + struct.pack("<IQIQ", 1, 8, 77, 0),
            f"tensor x has type 77, which does not exist\n{AGAIN}",
        ),
    ],
)
def test_a_broken_header_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    assert broken(tmp_path, content) == f"FILE: {message}"


def test_a_file_cut_inside_its_data_is_refused(tmp_path: Path) -> None:
    assert broken(tmp_path, WHOLE[:-40]) == (
        f"FILE: truncated: tensor output_norm.weight ends at byte {len(WHOLE)}, the file has {len(WHOLE) - 40}\n{AGAIN}"
    )


def test_tensors_that_overlap_are_refused(tmp_path: Path) -> None:
    key = gguf_string("general.alignment") + gguf_value(32)
    tensor = gguf_string("a") + struct.pack("<IQIQ", 1, 256, Q6_K, 0)
    other = gguf_string("b") + struct.pack("<IQIQ", 1, 256, Q6_K, 64)

    assert broken(tmp_path, head(2, 1) + key + tensor + other + bytes(1000)) == (
        f"FILE: tensor b overlaps the one before it\n{AGAIN}"
    )


@pytest.mark.parametrize("byte", [0x7F, 0xFF])
def test_whatever_byte_is_wrong_it_is_read_or_refused(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "t.gguf"
    for position in range(0, WHOLE.index(b"output_norm.weight") + 50, 7):
        path.write_bytes(WHOLE[:position] + bytes([byte]) + WHOLE[position + 1 :])
        with suppress(BadInput):
            assert resolve_model(str(path)).shape.parameters > 0


def test_wherever_the_file_is_cut_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.gguf"
    for length in range(0, len(WHOLE) - 1, 1999):
        path.write_bytes(WHOLE[:length])
        with pytest.raises(BadInput):
            resolve_model(str(path))
