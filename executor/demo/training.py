"""The demonstration model's shape and its training run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """The architecture and the training run. Every matrix has rows of 256 or 512 weights, as K-quants need."""

    vocabulary_size: int = 2048
    hidden_size: int = 256
    intermediate_size: int = 512
    layers: int = 4
    query_heads: int = 4
    kv_heads: int = 2
    context_tokens: int = 1024
    short_context_tokens: int = 256  # most of the run sees short windows, which are cheaper
    short_context_share: float = 0.75
    tokens_per_step: int = 2048
    peak_learning_rate: float = 3e-3
    warmup_share: float = 0.04
    weight_decay: float = 0.1
    seed: int = 20261121

    def window_tokens(self, progress: float) -> int:
        return self.short_context_tokens if progress < self.short_context_share else self.context_tokens

    def learning_rate(self, progress: float) -> float:
        """Linear warm-up, then a cosine down to zero; progress runs from 0 to 1."""
        if progress < self.warmup_share:
            return self.peak_learning_rate * (progress / self.warmup_share + 0.01)
        share = (progress - self.warmup_share) / (1 - self.warmup_share)
        return self.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def new_model(recipe: Recipe) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary_size,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.query_heads,
        num_key_value_heads=recipe.kv_heads,
        max_position_embeddings=recipe.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=None,
    )
    return LlamaForCausalLM(config).float()


def train(model: Any, tokens: Any, recipe: Recipe, steps: int | None, seconds: float) -> int:
    """Train in place and return the number of steps taken; without `steps` a trial run of 12 steps sets it."""
    import copy

    if steps is None:
        started = time.monotonic()
        _run_steps(copy.deepcopy(model), tokens, recipe, steps=12)
        seconds_per_step = (time.monotonic() - started) / 12
        steps = max(12, int(seconds / seconds_per_step))
        print(f"{seconds_per_step:.2f} s per step: {steps} steps", flush=True)
    _run_steps(model, tokens, recipe, steps)
    return steps


def _run_steps(model: Any, tokens: Any, recipe: Recipe, steps: int) -> None:
    import torch

    model.train()
    random = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), betas=(0.9, 0.95), fused=True)
    started = time.monotonic()
    for step in range(steps):
        progress = step / steps
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate(progress)
        loss = _loss(model, _batch(tokens, recipe, recipe.window_tokens(progress), random))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 20 == 0 or step == steps - 1:
            elapsed = time.monotonic() - started
            print(f"step {step + 1}/{steps}  loss {loss.item():.3f}  {elapsed:.0f} s", flush=True)


def _parameter_groups(model: Any, recipe: Recipe) -> list[dict[str, Any]]:
    """Matrices decay, norms do not."""
    matrices = [weight for weight in model.parameters() if weight.dim() == 2]
    norms = [weight for weight in model.parameters() if weight.dim() < 2]
    return [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": norms, "weight_decay": 0.0}]


def _batch(tokens: Any, recipe: Recipe, window_tokens: int, random: Any) -> Any:
    import torch

    rows = recipe.tokens_per_step // window_tokens
    starts = torch.randint(len(tokens) - window_tokens - 1, (rows,), generator=random)
    return torch.stack([tokens[start : start + window_tokens + 1] for start in starts.tolist()])


def _loss(model: Any, batch: Any) -> Any:
    import torch

    logits = model(input_ids=batch[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
