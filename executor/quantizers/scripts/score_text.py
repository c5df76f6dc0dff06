"""Loads a checkpoint as transformers does, and says what it holds and how it scores a text.

Perplexity is taken as llama-perplexity takes it: windows of a fixed length, each opened by the begin token, and the
second half of each scored, so that every scored token has at least half a window before it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import job as jobs


def score(job: dict[str, Any]) -> dict[str, Any]:
    """{perplexity, standard_error, chunks, context_tokens, held, logprobs}.

    `held` counts the linear layers by class and dtype. `logprobs` has the log-probability of each scored token of the
    first windows (`fingerprint_windows`), and `token_ids` those windows: what a server is compared with.
    """
    import torch

    tokenizer = jobs.load_tokenizer(job["model"])
    windows = windows_of(job, tokenizer)
    model = jobs.load_model(job["model"], device_map=device_of())
    model.eval()
    losses: list[float] = []
    logprobs: list[list[float]] = []
    with torch.inference_mode():
        for done, window in enumerate(windows):
            jobs.tell("measuring perplexity", done / len(windows))
            scored = window_logprobs(model, window)
            losses += [-value for value in scored[len(window) // 2 - 1 :]]
            if done < job.get("fingerprint_windows", 0):
                logprobs.append(scored)
    mean = sum(losses) / len(losses)
    spread = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / (len(losses) - 1) / len(losses))
    return {
        "perplexity": math.exp(mean),
        "standard_error": math.exp(mean) * spread,
        "chunks": len(windows),
        "context_tokens": job["context_tokens"],
        "held": held(model),
        "token_ids": windows[: len(logprobs)],
        "logprobs": logprobs,
    }


def windows_of(job: dict[str, Any], tokenizer: Any) -> list[list[int]]:
    """Full windows of the text; at least two, or there is too little to score."""
    text = Path(job["text"]).read_text(encoding="utf-8")
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    begin = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    body = job["context_tokens"] - len(begin)
    windows = [begin + ids[start : start + body] for start in range(0, len(ids) - body + 1, body)]
    if len(windows) < 2:
        raise SystemExit(f"the text has only {len(ids)} tokens, too few to measure perplexity")
    return windows[: job.get("most_windows") or None]


def window_logprobs(model: Any, window: list[int]) -> list[float]:
    """The log-probability of every token of the window but the first."""
    import torch

    ids = torch.tensor([window], device=model.device)
    logits = model(input_ids=ids).logits[0, :-1].float()
    chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[0, 1:, None])
    return [float(value) for value in chosen[:, 0].cpu()]


def held(model: Any) -> dict[str, int]:
    """How many layers of each class and weight dtype the loaded model holds."""
    counts: dict[str, int] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        weight = weight if weight is not None else getattr(module, "qweight", None)
        if weight is None or "Linear" not in type(module).__name__:
            continue
        name = f"{type(module).__name__}, {str(getattr(weight, 'dtype', '?')).removeprefix('torch.')}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def device_of() -> dict[str, str]:
    import torch

    return {"": "cuda:0" if torch.cuda.is_available() else "cpu"}


if __name__ == "__main__":
    jobs.run(score)
