"""What the demonstration model is worth: perplexity, and what plain rounding of its weights does to it."""

from __future__ import annotations

import math
from typing import Any


def perplexity(model: Any, token_ids: list[int], window_tokens: int, begin_id: int) -> float:
    """exp(mean negative log-likelihood) over consecutive windows, each opened by the begin token; all tokens count."""
    import torch

    body = window_tokens - 1
    windows = [token_ids[start : start + body] for start in range(0, len(token_ids), body)]
    total_loss = 0.0
    model.eval()
    with torch.inference_mode():
        for window in windows:
            ids = torch.tensor([[begin_id, *window]])
            logits = model(input_ids=ids).logits.float()
            total_loss += torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="sum").item()
    return math.exp(total_loss / len(token_ids))


def rounded_copy(model: Any, bits: int, group_weights: int) -> Any:
    """A copy whose layer matrices are rounded to the nearest of 2**bits levels, asymmetric, per group along the row.

    Embedding and norms stay as they are. It shows how sensitive the model is, not how good any real format is.
    """
    import copy

    import torch

    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if ".layers." in name and weight.dim() == 2:
                weight.copy_(_round_to_nearest(weight, bits, group_weights))
    return rounded


def _round_to_nearest(weight: Any, bits: int, group_weights: int) -> Any:
    groups = weight.float().reshape(-1, group_weights)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    step = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
    levels = ((groups - low) / step).round()
    return (levels * step + low).reshape(weight.shape).to(weight.dtype)
