"""What the checkpoint of a format holds when a given tool writes it: layout, dtype, scales, and so its exact bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.memory.weights import WeightBytes, weight_bytes
from planner.models.shape import Shape
from planner.schemes import Scheme, scheme

KV_SCALES_BYTES = 4
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
    variant: str = ""
    calibrates: bool | None = None
    changes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    refused_by: tuple[tuple[str, str], ...] = ()
    avoid: str = ""

    @property
    def scheme(self) -> Scheme:
        """The format's scheme with the bytes this layout really has."""
        return _scheme_of(self)

    @property
    def needs_calibration(self) -> bool:
        return self.scheme.needs_calibration if self.calibrates is None else self.calibrates

    def bytes_of(self, shape: Shape, group_size: int | None = None) -> WeightBytes:
        """Bytes of all tensors of the written checkpoint, in three labelled parts."""
        return weight_bytes(shape, self.scheme, group_size)

    def expected(self, shape: Shape, group_size: int | None = None, *, kv_scales: bool = False) -> dict[str, Any]:
        """What an executor is to find in the written checkpoint, as plain values.

        `kv_scales`: each attention layer has a 16-bit scale for its keys and one for its values besides.
        """
        parts = self.bytes_of(shape, group_size)
        cached = KV_SCALES_BYTES * sum(layers.count for layers in shape.attention) if kv_scales else 0
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
                "sixteen_bit": parts.sixteen_bit + cached,
            },
        }


@lru_cache(maxsize=256)
def _scheme_of(layout: Layout) -> Scheme:
    return replace(scheme(layout.format), **layout.changes)


@lru_cache
def layouts() -> tuple[Layout, ...]:
    """Every layout of the catalogue; the first of a format is its default."""
    return tuple(_layout(line) for line in load_yaml("layouts.yaml")["layouts"])


def _layout(line: Mapping[str, Any]) -> Layout:
    return Layout(**{**line, "refused_by": tuple((engine, vendor) for engine, vendor in line.get("refused_by", ()))})


@lru_cache
def names_kept_16_bit() -> Mapping[str, tuple[str, ...]]:
    """Parts of tensor names by the component they belong to, for components that a scheme may leave in 16 bits."""
    return {component: tuple(names) for component, names in load_yaml("layouts.yaml")["names_kept_16_bit"].items()}


def tools_for(format: str) -> tuple[str, ...]:
    """The tools that make a torch checkpoint of the format, the default first; none for GGUF and 16 bits."""
    return tuple(dict.fromkeys(layout.tool for layout in layouts() if layout.format == format))


def layout_of(format: str, tool: str | None = None, variant: str = "") -> Layout:
    """What the tool (or the format's default one) writes. BadInput when it does not make the format, or not so."""
    made = [layout for layout in layouts() if layout.format == format]
    for layout in made:
        if tool in (None, layout.tool) and variant == layout.variant:
            return layout
    if not made:
        known = sorted({line.format for line in layouts()})
        raise BadInput(f"no tool here makes a torch checkpoint of {format}", nearest=known)
    if tool is not None and tool not in tools_for(format):
        fix = f"use --tool {' or --tool '.join(tools_for(format))}"
        raise BadInput(f"{tool} does not make {format}", fix=fix)
    raise _no_variant(format, variant, [layout.variant for layout in made if layout.variant])


def gguf_type(format: str, variant: str = "") -> str:
    """llama.cpp's name of the file type: the format's own, or a variant's. BadInput when there is no such variant."""
    variants: Mapping[str, str] = load_yaml("layouts.yaml")["gguf_variants"].get(format, {})
    own = scheme(format).ggml
    if not variant and own:
        return own
    if variant not in variants:
        raise _no_variant(format, variant, list(variants))
    return variants[variant]


def gguf_level(type_name: str) -> tuple[str, str] | None:
    """The format that a file type is a variant of, and the variant's name; None where it is of none."""
    levels: Mapping[str, Mapping[str, str]] = load_yaml("layouts.yaml")["gguf_variants"]
    found = ((format, variant) for format, made in levels.items() for variant in made if made[variant] == type_name)
    return next(found, None)


@lru_cache(maxsize=256)
def stored_scheme(format: str, variant: str = "") -> Scheme:
    """The format's scheme as a GGUF variant stores it; the format's own where it has no such variant."""
    type_name = load_yaml("layouts.yaml")["gguf_variants"].get(format, {}).get(variant)
    if type_name is None:
        return scheme(format)
    bits = next(float(letter) for letter in type_name if letter.isdigit())
    return replace(scheme(format), name=f"GGUF {type_name}", weight_bits=bits, ggml=type_name)


def gguf_needs_calibration(type_name: str) -> bool:
    """Whether llama-quantize makes the file type only with an importance matrix."""
    return type_name in load_yaml("layouts.yaml")["gguf_calibrated"]


def _no_variant(format: str, variant: str, known: list[str]) -> BadInput:
    fix = f"leave --variant out, or use one of: {', '.join(known)}" if known else "leave --variant out"
    return BadInput(f"{format} has no variant {variant!r}", nearest=known, fix=fix)
