"""What was really written: every layer's dtype, bits, scales and symmetry, and the bytes by class, against the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from executor.applied.differing import not_as_planned
from executor.applied.expected import Expected
from executor.applied.layers import Layer, layers_on_disk
from planner.models.config import Config
from planner.models.json_files import read_json_object
from planner.models.safetensors import read_tensors, weight_files

FIX = "read the log of the step that quantized; plan another format, or another tool with --tool"


def applied_on_disk(original: Path, written: Path, expected: Expected) -> dict[str, Any]:
    """{bytes, tensor_bytes, expected_bytes, bytes_error, bytes_by_class, schemes, layers, method, remarks}.

    `schemes` counts the layers by what they are stored as. ExecutionFailed when a layer is stored otherwise than
    planned or not at all, so that a scheme that was applied in part or not at all is never served.
    """
    files = weight_files(written)
    tensors = read_tensors(files)
    layers, missing = layers_on_disk(read_tensors(weight_files(original)), tensors)
    section = quantization_section(written)
    differences = [*config_differences(section, expected), *layer_differences(layers, missing, expected)]
    if differences:
        raise not_as_planned(written, f"what was written is not {expected.format}", differences, FIX)
    by_class = bytes_by_class(layers, sum(tensor.bytes for tensor in tensors))
    total = sum(by_class.values())
    return {
        "bytes": sum(path.stat().st_size for path in files),
        "tensor_bytes": total,
        "expected_bytes": expected.total_bytes,
        "bytes_error": total / expected.total_bytes - 1,
        "bytes_by_class": {
            name: {"measured": size, "predicted": expected.bytes_by_class[name]} for name, size in by_class.items()
        },
        "schemes": dict(Counter(describe(layer) for layer in layers)),
        "layers": len(layers),
        "method": section.get("quant_method"),
        "remarks": [],
    }


def quantization_section(directory: Path) -> Mapping[str, Any]:
    """The checkpoint's own word on how it is quantized; empty when it says nothing."""
    path = directory / "config.json"
    config = Config(read_json_object(path), str(path))
    section = config.section("quantization_config").values
    return section or config.section("compression_config").values


def config_differences(section: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    """An engine reads the method and the group size from config.json: both must be the plan's (B.pitfall.5)."""
    method = section.get("quant_method")
    if method != expected.method:
        yield f"config.json names the method {method!r} instead of {expected.method!r}"
    group = section.get("group_size", section.get("q_group_size"))
    if expected.scale == "group" and group is not None and group != expected.group_size:
        yield f"config.json says groups of {group} instead of {expected.group_size}"
    says_symmetric = (
        section["sym"] if "sym" in section else not section["zero_point"] if "zero_point" in section else None
    )
    if says_symmetric is not None and says_symmetric != expected.symmetric:
        yield f"config.json says {_symmetry(says_symmetric)} instead of {_symmetry(expected.symmetric)}"


def layer_differences(layers: Sequence[Layer], missing: Sequence[str], expected: Expected) -> Iterator[str]:
    """Layers that are absent, left in 16 bits, or stored in another dtype, width, group or symmetry than planned."""
    for name in missing:
        yield f"{name} is not in the checkpoint"
    for layer in layers:
        if not layer.is_quantized:
            yield f"{layer.name} is not quantized: {layer.stored_as}"
        elif layer.stored_as != expected.payload or abs(layer.bits - expected.bits) > 0.01:
            stored, wanted_as = _words(layer.stored_as, layer.bits), _words(expected.payload, expected.bits)
            yield f"{layer.name} is {stored} instead of {wanted_as}"
        elif (wanted := expected.weights_per_scale(layer.rows, layer.columns)) != layer.weights_per_scale:
            yield f"{layer.name} has a scale for every {layer.weights_per_scale} weights instead of {wanted}"
        elif expected.method == "compressed-tensors" and layer.has_zeros == expected.symmetric:
            yield f"{layer.name} is {_symmetry(not layer.has_zeros)} instead of {_symmetry(expected.symmetric)}"


def bytes_by_class(layers: Sequence[Layer], total: int) -> dict[str, int]:
    quantized = sum(layer.payload_bytes for layer in layers)
    overhead = sum(layer.scale_and_zero_bytes for layer in layers)
    return {"quantized": quantized, "scales_and_zeros": overhead, "sixteen_bit": total - quantized - overhead}


def describe(layer: Layer) -> str:
    """One layer in words: `I32, 4 bits, a scale for every 128, with zero points`."""
    zeros = ", with zero points" if layer.has_zeros else ""
    return f"{layer.stored_as}, {layer.bits:g} bits, a scale for every {layer.weights_per_scale}{zeros}"


def _words(dtype: str, bits: float) -> str:
    return f"{dtype} of {bits:g} bits"


def _symmetry(symmetric: bool) -> str:
    return "symmetric" if symmetric else "asymmetric"
