"""Whether a server's log-probabilities are those of the quantized checkpoint, of the original, or of neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

LIMITS = Path(__file__).with_name("limits.yaml")
Verdict = Literal["applied", "not-applied", "wrong", "unknown"]


@cache
def limits() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(LIMITS.read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Mean absolute distances in nats a token: the server to the quantized checkpoint and to the original, both scored
    by transformers, and the effect: the checkpoint to the original (zero where the weights are the original's)."""

    to_quantized: float
    to_original: float
    effect: float

    @property
    def verdict(self) -> Verdict:
        """`wrong`: near neither. `not-applied`: near the original rather. `unknown`: the effect drowns in the noise."""
        noise = limits()["noise"]
        if min(self.to_quantized, self.to_original) > limits()["wrong_times"] * max(noise, self.effect):
            return "wrong"
        if self.to_original * limits()["nearer_times"] < self.to_quantized:
            return "not-applied"
        if self.to_quantized * limits()["nearer_times"] < self.to_original:
            return "applied"
        return "unknown"

    def says(self) -> str:
        if not self.effect:
            return f"served log-probabilities are {self.to_original:.4f} nats a token from the original's"
        return (
            f"served log-probabilities are {self.to_quantized:.4f} nats a token from the quantized checkpoint's and "
            f"{self.to_original:.4f} from the original's, which are {self.effect:.4f} apart"
        )


def fingerprint(
    served: Sequence[float], quantized: Sequence[float], original: Sequence[float] | None
) -> Fingerprint | None:
    """Of the same tokens; None where there is nothing to compare."""
    if original is None or not served or len({len(served), len(quantized), len(original)}) != 1:
        return None
    return Fingerprint(distance(served, quantized), distance(served, original), distance(quantized, original))


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
