"""What the checkpoint of a format holds when a given tool writes it: layout, dtype, scales, and so its exact bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.memory.weights import WeightBytes, weight_bytes
from planner.models.shape import Shape
from planner.schemes import Scheme, scheme

ScaleUnit = Literal["group", "row", "block", "tensor"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One line of `planner/catalog/layouts.yaml` (its header says what each field means)."""

    format: str
    tool: str
    checkpoint: str
    payload: str
    scale: ScaleUnit
    symmetric: bool
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    avoid: str = ""

    @property
    def scheme(self) -> Scheme:
        """The format's scheme with the bytes this layout really has."""
        return replace(scheme(self.format), **self.changes)

    def bytes_of(self, shape: Shape, group_size: int | None = None) -> WeightBytes:
        """Bytes of all tensors of the written checkpoint, in three labelled parts."""
        return weight_bytes(shape, self.scheme, group_size)

    def expected(self, shape: Shape, group_size: int | None = None) -> dict[str, Any]:
        """What an executor is to find in the written checkpoint, as plain values."""
        parts = self.bytes_of(shape, group_size)
        return {
            "format": self.format,
            "checkpoint": self.checkpoint,
            "payload": self.payload,
            "bits": self.scheme.weight_bits,
            "scale": self.scale,
            "symmetric": self.symmetric,
            "group_size": group_size or self.scheme.group_size,
            "bytes_by_class": {
                "quantized": parts.quantized,
                "scales_and_zeros": parts.scales_and_zeros,
                "sixteen_bit": parts.sixteen_bit,
            },
        }


@lru_cache
def layouts() -> tuple[Layout, ...]:
    """Every layout of the catalogue; the first of a format is its default."""
    return tuple(Layout(**line) for line in load_yaml("layouts.yaml")["layouts"])


@lru_cache
def names_kept_16_bit() -> Mapping[str, tuple[str, ...]]:
    """Parts of tensor names by the component they belong to, for components that a scheme may leave in 16 bits."""
    return {component: tuple(names) for component, names in load_yaml("layouts.yaml")["names_kept_16_bit"].items()}


def tools_for(format: str) -> tuple[str, ...]:
    """The tools that make a torch checkpoint of the format, the default first; none for GGUF and 16 bits."""
    return tuple(_tools(format))


def layout_of(format: str, tool: str | None = None) -> Layout:
    """What the tool (or the format's default one) writes. BadInput when that tool does not make the format."""
    made = [layout for layout in layouts() if layout.format == format]
    for layout in made:
        if tool in (None, layout.tool):
            return layout
    if made:
        raise BadInput(f"{tool} does not make {format}", nearest=[layout.tool for layout in made])
    raise BadInput(f"no tool here makes a checkpoint of {format}", nearest=sorted({line.format for line in layouts()}))


def _tools(format: str) -> Iterator[str]:
    return (layout.tool for layout in layouts() if layout.format == format)
