"""Make the small model that ships with quantplan: `python -m executor.demo.train --out DIR --minutes 12`.

A Llama-style causal language model of 2.9 million parameters, trained on the prose of the Python standard library.
Needs torch, transformers and sentencepiece. `--minutes` is turned into a number of steps at the measured speed;
with `--steps` the same seed, Python version and library versions give the same weights.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sysconfig
from dataclasses import asdict
from pathlib import Path
from typing import Any

from executor.demo.card import write_card
from executor.demo.corpus import Corpus, Document, excerpt, gather_corpus
from executor.demo.measuring import perplexity, rounded_copy
from executor.demo.tokenizing import check_agreement, train_tokenizer
from executor.demo.training import Recipe, new_model, train

PROMPTS = ("Return the", "This module provides", "If the file", "The following")


def main(arguments: list[str] | None = None) -> None:
    import torch

    options = _parse(arguments)
    torch.set_num_threads(1)  # on a shared machine two threads wait for each other and run four times slower
    recipe = Recipe()
    model_folder, text_folder = options.out / "model", options.out / "text"
    for folder in (model_folder, text_folder):
        folder.mkdir(parents=True, exist_ok=True)

    corpus = gather_corpus()
    _write_texts(corpus, text_folder)
    processor = train_tokenizer((document.text for document in corpus.training), recipe.vocabulary_size, model_folder)
    tokens = _token_stream(corpus.training, processor)
    print(f"training text: {len(corpus.training)} documents, {len(tokens):,} tokens", flush=True)

    model = new_model(recipe)
    print(f"model: {model.num_parameters():,} parameters", flush=True)
    steps = train(model, tokens, recipe, options.steps, options.minutes * 60)
    _save(model, model_folder)
    print(f"tokenizer files agree on {check_agreement(processor, model_folder, _texts(corpus)):,} tokens", flush=True)
    facts = {"parameters": model.num_parameters(), "steps": steps, "training_tokens": len(tokens)}
    report = facts | _report(model_folder, text_folder, processor)
    write_card(model_folder, asdict(recipe), report)
    print(json.dumps(report, indent=2), flush=True)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m executor.demo.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that receives model/ and text/")
    parser.add_argument("--minutes", type=float, default=12.0, help="time to train for, at the speed first measured")
    parser.add_argument("--steps", type=int, help="train for exactly this many steps instead (reproducible)")
    return parser.parse_args(arguments)


def _write_texts(corpus: Corpus, folder: Path) -> None:
    (folder / "heldout.txt").write_text(excerpt(corpus.held_out, max_bytes=100_000), encoding="utf-8")
    (folder / "calibration.txt").write_text(excerpt(corpus.training, max_bytes=60_000), encoding="utf-8")
    licence = Path(sysconfig.get_paths()["stdlib"]) / "LICENSE.txt"
    shutil.copyfile(licence, folder / "LICENSE.txt")


def _texts(corpus: Corpus) -> list[str]:
    return [document.text for document in (*corpus.held_out, *corpus.training)]


def _token_stream(documents: tuple[Document, ...], processor: Any) -> Any:
    """All documents in one row of token ids, each between a begin and an end token."""
    import torch

    framed = ([processor.bos_id(), *processor.encode(document.text), processor.eos_id()] for document in documents)
    return torch.tensor([token for document in framed for token in document])


def _save(model: Any, folder: Path) -> None:
    """Write config.json, generation_config.json, model.safetensors (bfloat16) and tokenizer_config.json."""
    import torch

    saved = model.to(torch.bfloat16)
    saved.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes it for its owner only
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": saved.config.max_position_embeddings,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n", encoding="utf-8")


def _report(model_folder: Path, text_folder: Path, processor: Any) -> dict[str, Any]:
    """Load the saved model back and measure it on the held-out text."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.bfloat16).float()
    held_out = processor.encode((text_folder / "heldout.txt").read_text(encoding="utf-8"))
    rounded = {f"round_to_nearest_{bits}_bit": rounded_copy(model, bits, group_weights=32) for bits in (8, 4, 3, 2)}
    variants = {"bf16": model, **rounded}
    begin_id = processor.bos_id()
    measured = {name: round(perplexity(variant, held_out, 512, begin_id), 3) for name, variant in variants.items()}
    completions = [_complete(model, processor, prompt) for prompt in PROMPTS]
    return {"held_out_tokens": len(held_out), "perplexity": measured, "completions": completions}


def _complete(model: Any, processor: Any, prompt: str) -> str:
    import torch

    ids = torch.tensor([[processor.bos_id(), *processor.encode(prompt)]])
    generated = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=48, do_sample=False)
    return str(processor.decode(generated[0].tolist()))


if __name__ == "__main__":
    main()
