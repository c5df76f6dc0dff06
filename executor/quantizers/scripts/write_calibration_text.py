"""Calibration samples as one plain text, for tools that read text and not token ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import job as jobs


def write(job: dict[str, Any]) -> dict[str, Any]:
    """Join the samples; a conversation goes through the model's chat template, whose special tokens stand as text."""
    from samples import as_text

    samples = [json.loads(line) for line in Path(job["samples"]).read_text(encoding="utf-8").splitlines()]
    chat = any("messages" in sample for sample in samples)
    tokenizer = jobs.load_tokenizer(job["model"]) if chat else None
    Path(job["out"]).write_text("\n".join(as_text(sample, tokenizer) for sample in samples), encoding="utf-8")
    return {"samples": len(samples)}


if __name__ == "__main__":
    jobs.run(write)
