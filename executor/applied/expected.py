"""What a plan expects of a written checkpoint, as the stage `check-artifact` carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expected:
    """Layout and bytes of a quantized checkpoint.

    `payload` is the safetensors dtype of the quantized weights, `bits` what one of them takes, `scale` which weights
    share a scale (`group` of `group_size`, `row`, `block`: a square of `group_size`, `tensor`). `bytes_by_class` are
    those of all tensors: `quantized`, `scales_and_zeros`, `sixteen_bit`.
    """

    format: str
    checkpoint: str
    payload: str
    bits: float
    scale: str
    symmetric: bool
    group_size: int | None
    bytes_by_class: Mapping[str, float]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Expected:
        return cls(**{name: parameters[name] for name in cls.__dataclass_fields__})

    @property
    def method(self) -> str:
        """What config.json must name as `quant_method`."""
        return self.checkpoint.split()[0]

    @property
    def total_bytes(self) -> float:
        return sum(self.bytes_by_class.values())

    def weights_per_scale(self, rows: int, columns: int) -> int:
        """How many weights of a matrix share one scale."""
        group = min(self.group_size or columns, columns)
        squared = {"block": group * group, "tensor": rows * columns, "row": columns}
        return squared.get(self.scale, group)
