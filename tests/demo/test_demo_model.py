"""The model that ships: small enough, shaped for K-quants, documented, and judged on text it never saw."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from executor.demo.corpus import Document, gather_corpus, normalise, split_paragraphs

DEMO = Path(__file__).parents[2] / "executor" / "demo"
MODEL, TEXT = DEMO / "pydocs-3m", DEMO / "text"


def read_tensors() -> dict[str, dict[str, Any]]:
    """The safetensors header: little-endian length, then JSON (huggingface/safetensors, README, "Format")."""
    with (MODEL / "model.safetensors").open("rb") as stream:
        (header_bytes,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, dict[str, Any]] = json.loads(stream.read(header_bytes))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def read_json(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MODEL / name).read_text(encoding="utf-8"))
    return content


def paragraphs_of(name: str) -> set[str]:
    return {normalise(part) for part in split_paragraphs((TEXT / name).read_text(encoding="utf-8"))}


def test_the_model_ships_in_at_most_six_million_bytes() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 6_000_000


@pytest.mark.parametrize(
    "name",
    ["config.json", "generation_config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json"],
)
def test_every_file_a_loader_or_converter_reads_is_there(name: str) -> None:
    assert (MODEL / name).stat().st_size > 0


def test_every_matrix_has_rows_divisible_by_256_in_bfloat16() -> None:
    tensors = read_tensors()
    matrices = {name: tensor["shape"] for name, tensor in tensors.items() if len(tensor["shape"]) == 2}
    assert len(matrices) == 1 + 4 * 7  # the tied embedding, then q, k, v, o, gate, up and down of four layers
    assert {name: shape for name, shape in matrices.items() if shape[-1] % 256} == {}
    assert {tensor["dtype"] for tensor in tensors.values()} == {"BF16"}


def test_the_header_accounts_for_every_byte_and_parameter() -> None:
    tensors = read_tensors()
    data_bytes = max(tensor["data_offsets"][1] for tensor in tensors.values())
    with (MODEL / "model.safetensors").open("rb") as stream:
        (header_bytes,) = struct.unpack("<Q", stream.read(8))
    assert (MODEL / "model.safetensors").stat().st_size == 8 + header_bytes + data_bytes
    assert data_bytes == 2 * 2_885_888


def test_config_and_tokenizer_agree() -> None:
    config, tokenizer = read_json("config.json"), read_json("tokenizer.json")
    vocabulary = tokenizer["model"]["vocab"]
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["vocab_size"] == len(vocabulary) == read_tensors()["model.embed_tokens.weight"]["shape"][0]
    special = [vocabulary["<unk>"], vocabulary["<s>"], vocabulary["</s>"]]
    assert special == [0, config["bos_token_id"], config["eos_token_id"]] == [0, 1, 2]


def test_held_out_text_shares_no_paragraph_with_calibration_text() -> None:
    held_out, calibration = paragraphs_of("heldout.txt"), paragraphs_of("calibration.txt")
    assert len(held_out) > 300 and len(calibration) > 200
    assert held_out & calibration == set()


@pytest.mark.parametrize(
    ("name", "least_bytes", "most_bytes"), [("heldout.txt", 60_000, 120_000), ("calibration.txt", 50_000, 60_000)]
)
def test_the_texts_are_long_enough_to_judge_by(name: str, least_bytes: int, most_bytes: int) -> None:
    assert least_bytes <= (TEXT / name).stat().st_size <= most_bytes


def test_the_card_says_how_it_was_made_and_under_which_licence() -> None:
    card = (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "python -m executor.demo.train" in card
    assert "Python Software Foundation" in card
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in (TEXT / "LICENSE.txt").read_text(encoding="utf-8")


def test_a_document_is_held_out_by_its_name_alone() -> None:
    held_out = [name for name in ("socket", "lzma", "typing", "os") if Document(name, ()).is_held_out]
    assert held_out == ["socket", "lzma"]
    assert int(hashlib.sha256(b"socket").hexdigest()[:8], 16) % 100 < 6


def test_the_corpus_repeats_no_paragraph_on_either_side() -> None:
    corpus = gather_corpus()
    documents = [*corpus.training, *corpus.held_out]
    paragraphs = [normalise(part) for document in documents for part in document.paragraphs]
    assert len(paragraphs) == len(set(paragraphs)) > 1000
