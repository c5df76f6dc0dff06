"""The demonstration model's tokenizer: SentencePiece BPE, written both as `tokenizer.model` and `tokenizer.json`.

llama.cpp's converter reads `tokenizer.model` and so needs no known pre-tokenizer; transformers reads `tokenizer.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
SPACE_MARK = "\u2581"


def train_tokenizer(texts: Iterable[str], vocabulary_size: int, folder: Path) -> Any:
    """Train on the texts, write both files into the folder and return the SentencePiece processor."""
    import sentencepiece

    model_path = folder / "tokenizer.model"
    with model_path.open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts),
            model_writer=stream,
            vocab_size=vocabulary_size,
            model_type="bpe",
            byte_fallback=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_path))
    (folder / "tokenizer.json").write_text(json.dumps(_fast_tokenizer(processor)), encoding="utf-8")
    return processor


def check_agreement(processor: Any, folder: Path, texts: Iterable[str]) -> int:
    """Raise ValueError unless both files encode and decode the texts alike; return the number of tokens compared."""
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(str(folder))
    compared_tokens = 0
    for text in texts:
        expected = [processor.bos_id(), *processor.encode(text)]
        if fast(text)["input_ids"] != expected or fast.decode(expected, skip_special_tokens=True) != text:
            raise ValueError(f"tokenizer.json and tokenizer.model disagree on {text[:60]!r}")
        compared_tokens += len(expected)
    return compared_tokens


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (line for line in text.splitlines() if line)


def _fast_tokenizer(processor: Any) -> dict[str, Any]:
    """The same pieces and merges in the layout of the `tokenizers` library (as transformers converts Llama's)."""
    pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    special = [
        {"id": index, "content": piece, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for index, piece in enumerate((UNKNOWN, BEGIN, END))
    ]
    space_to_mark = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_MARK}
    mark_to_space = {"type": "Replace", "pattern": {"String": SPACE_MARK}, "content": " "}
    first_space = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE_MARK}, space_to_mark]},
        "pre_tokenizer": None,
        "post_processor": _begin_every_text(),
        "decoder": {
            "type": "Sequence",
            "decoders": [mark_to_space, {"type": "ByteFallback"}, {"type": "Fuse"}, first_space],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": UNKNOWN,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece: index for index, piece in enumerate(pieces)},
            "merges": _merges(pieces),
        },
    }


def _begin_every_text() -> dict[str, Any]:
    begin = {"SpecialToken": {"id": BEGIN, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    token = {BEGIN: {"id": BEGIN, "ids": [1], "tokens": [BEGIN]}}
    return {
        "type": "TemplateProcessing",
        "single": [begin, first],
        "pair": [begin, first, second],
        "special_tokens": token,
    }


def _merges(pieces: list[str]) -> list[list[str]]:
    """Every split of a piece into two pieces, in the order SentencePiece would apply them.

    SentencePiece BPE numbers pieces in merge order, so a piece's id is its rank.
    """
    rank = {piece: index for index, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        splits = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [split for split in splits if split[0] in rank and split[1] in rank]
        merges.extend([list(split) for split in sorted(known, key=lambda split: (rank[split[0]], rank[split[1]]))])
    return merges
