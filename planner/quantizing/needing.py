"""What quantizing a model takes: labelled sums of host memory, GPU memory and disk, and rough minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planner.catalog import load_yaml
from planner.hardware.hardware import Hardware
from planner.models.shape import Shape
from planner.plan import Prediction, QuantizingNeeds, Term
from planner.quantizing.quantities import Calibration, largest_tensor_elements, quantities
from planner.quantizing.timing import minutes
from planner.quantizing.ways import Way, way_of
from planner.schemes import Scheme
from planner.units import GIB

LABELS = {
    "model": ("16-bit weights", "the whole model"),
    "output": ("checkpoint", "the quantized weights, before they are written"),
    "calibration": ("calibration states", "what a layer reads and writes, for every token of the text"),
    "layer": ("one layer", "the largest, in 16 bits"),
    "hessians": ("Hessians", "FP32, of every matrix of that layer"),
    "hessian_group": ("Hessians", "FP32, of the matrices quantized together"),
    "matrix": ("working copies", "FP32, of the largest matrix"),
    "tower": ("vision tower", "whole"),
}


def needs_of(
    shape: Shape,
    scheme: Scheme,
    tool: str,
    hardware: Hardware,
    *,
    calibration: Calibration | None = None,
    group_size: int | None = None,
) -> QuantizingNeeds:
    """What `tool` takes to make this format of the model on this hardware; without a GPU the host does it all.

    BadInput when no such tool is known, or it does not make the format.
    """
    way = way_of(tool, scheme.id)
    held = quantities(shape, scheme, group_size, calibration)
    host, worker = list(_host(way, shape, scheme, held)), list(_terms(way.worker, held))
    on_gpu = hardware.accelerator is not None and not way.streams
    gpu = [_context(), *_terms(way.on_gpu, held), *worker] if on_gpu else []
    host = host if on_gpu else host + worker
    mapped_gib = way.mapped * held["model"] / GIB
    if way.streams:
        mapped_gib = way.streams["resident_extra_gib"] + 2 * largest_tensor_elements(shape) / GIB
    written = list(_written(way, scheme, held, shape.vocab_size))
    return QuantizingNeeds(
        tool=tool,
        way=way.way,
        host_gib=_within("host", host, way.host_error, way, mapped_gib),
        gpu_gib=_within("gpu", gpu, way.gpu_error, way),
        disk_gib=_within("disk", written, load_yaml("quantizing.yaml")["disk_error"], way),
        minutes=minutes(shape, scheme.id, way, hardware, calibration),
        host_terms=tuple(host),
        gpu_terms=tuple(gpu),
        disk_terms=tuple(written),
    )


def _host(way: Way, shape: Shape, scheme: Scheme, held: Mapping[str, float]) -> Iterable[Term]:
    if way.streams:
        yield _streamed(way.streams, shape, scheme)
        return
    yield Term(label="libraries", predicted_gib=way.host["base_gib"], how="interpreter, torch and the tool")
    yield from _terms({name: copies for name, copies in way.host.items() if name != "base_gib"}, held)


def _streamed(streams: Mapping[str, float], shape: Shape, scheme: Scheme) -> Term:
    """The wider of converting (the largest tensor, twice in FP32) and quantizing (in FP32, and its new bytes)."""
    elements = largest_tensor_elements(shape)
    converting = streams["convert_base_gib"] + streams["convert_bytes_per_element"] * elements / GIB
    slab = (4 + scheme.bits_per_weight() / 8) * max(elements, _stacked_elements(shape))
    quantizing = min(slab / GIB, streams["buffer_gib"])
    how = "the largest tensor while it is converted" if converting >= quantizing else "the widest slab of a tensor"
    return Term(label="tensor at work", predicted_gib=max(converting, quantizing), how=how)


def _stacked_elements(shape: Shape) -> int:
    """GGUF holds a layer's experts as one tensor."""
    counts = {layers.count: layers.experts for layers in shape.experts}
    experts = max(counts.values(), default=0)
    return max((m.rows * m.columns * experts for m in shape.matrices if m.component == "experts"), default=0)


def _terms(copies: Mapping[str, float], held: Mapping[str, float]) -> Iterable[Term]:
    for name, count in copies.items():
        if held[name]:
            label, how = LABELS[name]
            times = f"{count:g} x " if count != 1 else ""
            yield Term(label=label, predicted_gib=count * held[name] / GIB, how=times + how)


def _context() -> Term:
    gib = load_yaml("quantizing.yaml")["gpu_context_gib"]
    return Term(label="GPU context", predicted_gib=gib, how="CUDA context and libraries")


def _written(way: Way, scheme: Scheme, held: Mapping[str, float], vocab_size: int) -> Iterable[Term]:
    tokenizer = vocab_size * load_yaml("quantizing.yaml")["tokenizer_bytes_a_word"]
    if way.streams and scheme.id != "gguf-bf16":
        kept = (held["model"] + tokenizer) / GIB
        yield Term(label="converted model", predicted_gib=kept, how="16-bit GGUF, kept for comparison")
    made = (held["output"] + tokenizer) / GIB
    yield Term(label="checkpoint", predicted_gib=made, how="weights and tokenizer")


def _within(what: str, terms: Iterable[Term], error: Iterable[float], way: Way, mapped_gib: float = 0.0) -> Prediction:
    """The sum with its bounds; mapped files may be resident too, so they raise the upper one."""
    value = sum(term.predicted_gib for term in terms)
    low, high = error
    measured = load_yaml("quantizing.yaml")["measured"]
    return Prediction(
        name=f"quantizing_{what}_gib",
        value=value,
        low=low * value,
        high=high * value + mapped_gib,
        source=f"{way.source}; {measured}" if way.rows else way.source,
    )
