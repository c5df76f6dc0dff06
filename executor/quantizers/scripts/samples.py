"""Calibration samples as token ids, under the model's own chat template where the samples are conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_samples(job: dict[str, Any], tokenizer: Any) -> list[list[int]]:
    """Token ids of every sample of the job's file, each cut to `max_tokens`. Samples of fewer than two are left out."""
    limit = job["calibration"]["max_tokens"]
    lines = Path(job["calibration"]["path"]).read_text(encoding="utf-8").splitlines()
    encoded = [encode(json.loads(line), tokenizer)[:limit] for line in lines]
    return [ids for ids in encoded if len(ids) > 1]


def encode(sample: dict[str, Any], tokenizer: Any) -> list[int]:
    """A conversation's template writes its special tokens itself."""
    return list(tokenizer(as_text(sample, tokenizer), add_special_tokens="messages" not in sample)["input_ids"])


def as_text(sample: dict[str, Any], tokenizer: Any) -> str:
    """A conversation goes through the chat template, as it would in service; a text stays as it is."""
    if "messages" not in sample:
        return str(sample["text"])
    return str(tokenizer.apply_chat_template(sample["messages"], tokenize=False))


def as_dataset(samples: list[list[int]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in samples])
