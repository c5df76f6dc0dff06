"""The model card that ships beside the demonstration model."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

CARD = """\
# quantplan demonstration model

A Llama-style causal language model of {parameters:,} parameters. It exists so that quantplan can plan, quantize, serve
and measure a real model on any laptop, offline. It writes text that looks like Python documentation; it knows nothing.

## How it was made
`python -m executor.demo.train --out DIR --steps {steps}`, seed {seed}, on one CPU core, with Python {python},
torch {torch}, transformers {transformers} and sentencepiece {sentencepiece}.

- **Text**: docstrings, prose comments and `pydoc_data.topics` of the Python {python} standard library
  (`executor/demo/corpus.py`); {training_tokens:,} training tokens. About one document in sixteen is held out,
  chosen by a hash of its name; repeated paragraphs are removed, so none is on both sides.
- **Tokenizer**: SentencePiece BPE with byte fallback, {vocabulary_size:,} pieces; `tokenizer.json` holds the same ones.
- **Shape**: {layers} layers, hidden {hidden_size}, MLP {intermediate_size}, {query_heads} query heads and {kv_heads}
  key-value heads of 64, tied embeddings. Every matrix has rows of 256 or 512 weights: llama.cpp's K-quants apply.
- **Training**: {steps} steps of {tokens_per_step:,} tokens, AdamW, peak learning rate {peak_learning_rate}, cosine
  decay; windows of {short_context_tokens} tokens, then of {context_tokens}, which is its context. Weights are bfloat16.

## Perplexity
On `executor/demo/text/heldout.txt` ({held_out_tokens:,} tokens, windows of 512, every token counted). The rounded rows
round the layer matrices to the nearest of 2^bits levels in groups of 32: a check that the text separates precisions,
not a measurement of any real format.

| weights | perplexity |
|---|---|
{perplexity_rows}

## What it writes
Greedy, 48 tokens.

{completions}

## Licence
The training text is part of Python: Copyright (c) 2001 Python Software Foundation; All Rights Reserved; Python Software
Foundation License Version 2 (`executor/demo/text/LICENSE.txt`). The weights are offered under the same terms.
"""


def write_card(folder: Path, recipe: dict[str, Any], report: dict[str, Any]) -> None:
    """Write MODEL_CARD.md from the recipe that was followed and the report of what came out."""
    rows = [f"| {name.replace('_', ' ')} | {value:.2f} |" for name, value in report["perplexity"].items()]
    completions = ["```text\n" + text + "\n```" for text in report["completions"]]
    card = CARD.format(
        **recipe,
        **{key: value for key, value in report.items() if key not in ("perplexity", "completions")},
        **_versions(),
        perplexity_rows="\n".join(rows),
        completions="\n\n".join(completions),
    )
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    libraries = {name: version(name) for name in ("torch", "transformers", "sentencepiece")}
    return {"python": platform.python_version(), **libraries}
