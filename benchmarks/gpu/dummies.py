"""Model directories without weights: a real shape's config.json, and a tokenizer that knows every token by a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.rows import rows
from planner import catalog
from planner.errors import BadInput

MODELS = Path(catalog.__file__).with_name("models.jsonl")
USUAL = {"torch_dtype": "bfloat16", "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "rms_norm_eps": 1e-5}
UNKNOWN = "w0"


def config_of(model: str, layers: int | None = None) -> dict[str, Any]:
    """The catalogue's config.json of a model, cut to so many layers. BadInput when the catalogue has none."""
    entries = (json.loads(line) for line in MODELS.read_text(encoding="utf-8").splitlines() if line.strip())
    found = next((entry["config"] for entry in entries if entry["name"] == model and "config" in entry), None)
    if found is None or found["model_type"] not in rows().architectures:
        raise BadInput(f"no config.json of {model!r} to start", nearest=rows().architectures, fix="name another model")
    named = {"architectures": [rows().architectures[found["model_type"]]]}
    return {**USUAL, **named, **found, **({"num_hidden_layers": layers} if layers else {})}


def write_dummy(directory: Path, model: str, format: str = "bf16", layers: int | None = None) -> Path:
    """A directory that `--load-format dummy` serves in a format. BadInput for a format whose config is not known."""
    known = rows().quantization
    if format not in known:
        raise BadInput(f"no dummy config for {format!r}", nearest=known, fix="add it to rows.yaml")
    config, section = config_of(model, layers), known[format]
    directory.mkdir(parents=True, exist_ok=True)
    content = {**config, **({"quantization_config": section} if section else {})}
    (directory / "config.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    write_tokenizer(directory, config["vocab_size"])
    return directory


def write_tokenizer(directory: Path, vocabulary: int) -> None:
    """Any text is one unknown word after another, so that prompts have a length, and any token can be written out."""
    content = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "unk_token": UNKNOWN, "vocab": {f"w{n}": n for n in range(vocabulary)}},
    }
    absent = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    (directory / "tokenizer.json").write_text(json.dumps({**content, **absent}), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": UNKNOWN, "model_max_length": 10**9}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
