"""How far the largest activation of each linear layer stands out during calibration (A.eval.failure_modes)."""

from __future__ import annotations

from typing import Any

SAMPLES = 16  # enough: outlier channels are the same for every text (Dettmers et al. 2022, LLM.int8)


def activation_outliers(model: Any, samples: list[list[int]]) -> list[dict[str, Any]]:
    """[{layer, max, median, ratio}] of absolute inputs, largest ratio first. Median: the mean of medians by sample."""
    import torch

    seen: dict[str, list[tuple[float, float]]] = {}

    def watch(name: str) -> Any:
        def hook(module: Any, inputs: tuple[Any, ...]) -> None:
            size = inputs[0].detach().abs().float()
            seen.setdefault(name, []).append((float(size.max()), float(size.median())))

        return hook

    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    handles = [module.register_forward_pre_hook(watch(name)) for name, module in layers]
    try:
        with torch.inference_mode():
            for ids in samples[:SAMPLES]:
                model(input_ids=torch.tensor([ids], device=model.device))
    finally:
        for handle in handles:
            handle.remove()
    rows = [summary(name, values) for name, values in seen.items()]
    return sorted(rows, key=lambda row: -row["ratio"])


def summary(name: str, values: list[tuple[float, float]]) -> dict[str, Any]:
    largest = max(peak for peak, _ in values)
    median = sum(middle for _, middle in values) / len(values)
    return {"layer": name, "max": largest, "median": median, "ratio": largest / median if median else 0.0}
