"""The linear layers of a checkpoint as they lie on disk, from safetensors headers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from planner.layouts import names_kept_16_bit
from planner.models.model import StoredTensor

PAYLOADS = ("weight_packed", "qweight", "weight")
SCALES = ("weight_scale", "scales", "SCB", "weight.absmax")
ZEROS = ("weight_zero_point", "qzeros")
SIXTEEN_BIT = {"BF16", "F16", "F32"}
WEIGHT = ".weight"


@dataclass(frozen=True, slots=True)
class Layer:
    """One linear layer: its size in the original, and what the checkpoint stores for it.

    `stored_as` is the payload's safetensors dtype, `bits` what one weight takes there, `weights_per_scale` how many
    weights share a scale (None: there is none), `has_zeros` whether zero points are stored.
    """

    name: str
    rows: int
    columns: int
    stored_as: str
    bits: float
    weights_per_scale: int | None
    has_zeros: bool
    payload_bytes: int
    scale_and_zero_bytes: int

    @property
    def is_quantized(self) -> bool:
        return self.stored_as not in SIXTEEN_BIT


def linear_layers(original: Iterable[StoredTensor]) -> dict[str, tuple[int, int]]:
    """Rows and columns of every linear layer of the original that a scheme quantizes, by name."""
    kept = [part for parts in names_kept_16_bit().values() for part in parts]
    return {
        tensor.name.removesuffix(WEIGHT): (tensor.shape[0], tensor.shape[1])
        for tensor in original
        if tensor.name.endswith(WEIGHT) and len(tensor.shape) == 2 and not any(part in tensor.name for part in kept)
    }


def layers_on_disk(original: Iterable[StoredTensor], written: Iterable[StoredTensor]) -> tuple[list[Layer], list[str]]:
    """The layers of the original as the checkpoint stores them, and the names of those it does not store."""
    by_layer = grouped(written)
    layers, missing = [], []
    for name, (rows, columns) in linear_layers(original).items():
        layer = _layer(name, rows, columns, by_layer.get(name, {}))
        if layer:
            layers.append(layer)
        else:
            missing.append(name)
    return layers, missing


def grouped(written: Iterable[StoredTensor]) -> dict[str, dict[str, StoredTensor]]:
    """Tensors by layer and by what they are: `layers.0.mlp.up_proj` -> {`weight_packed`: ..., `weight_scale`: ...}.

    bitsandbytes hangs its tensors below the weight (`up_proj.weight.absmax`): they belong to the same layer.
    """
    found: dict[str, dict[str, StoredTensor]] = {}
    for tensor in written:
        layer, below, rest = tensor.name.partition(f"{WEIGHT}.")
        if below:
            found.setdefault(layer, {})[f"weight.{rest}"] = tensor
        else:
            layer, _, part = tensor.name.rpartition(".")
            found.setdefault(layer, {})[part] = tensor
    return found


def _layer(name: str, rows: int, columns: int, parts: Mapping[str, StoredTensor]) -> Layer | None:
    payload = next((parts[part] for part in PAYLOADS if part in parts), None)
    if payload is None:
        return None
    scale = next((parts[part] for part in SCALES if part in parts), None)
    return Layer(
        name=name,
        rows=rows,
        columns=columns,
        stored_as=payload.dtype,
        bits=payload.bytes * 8 / (rows * columns),
        weights_per_scale=rows * columns // max(prod(scale.shape), 1) if scale else None,
        has_zeros=any(part in parts for part in ZEROS),
        payload_bytes=payload.bytes,
        scale_and_zero_bytes=sum(tensor.bytes for tensor in parts.values()) - payload.bytes,
    )
