"""Which scheme a checkpoint is already stored in, from the quantization config beside its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.models.config import Config


@dataclass(frozen=True, slots=True)
class Quantization:
    """A recognised quantization config.

    `stored_format` is a scheme id of the rules' vocabulary, or `unknown`; `group_size` is the number of weights that
    share a scale (None: a whole channel or tensor does); `note` says what the id leaves out.
    """

    stored_format: str
    group_size: int | None = None
    note: str = ""


def recognise(config: Config, sidecar: Config | None = None) -> Quantization | None:
    """The scheme named by config.json's `quantization_config`, or by `sidecar` (hf_quant_config.json); None: neither.

    A method or a combination without a scheme of ours is `unknown`, with a note that names it.
    """
    section = section_of(config)
    if section.values:
        method = section.text("quant_method", _method_of_older_config(section))
        reader = METHODS.get(method)
        return reader(section) if reader else unknown(f"quantization method {method}")
    if sidecar and sidecar.section("quantization").has("quant_algo"):
        return _modelopt(sidecar.section("quantization"))
    return None


def unknown(what: str) -> Quantization:
    return Quantization("unknown", note=f"{what} is not known to quantplan: its bytes are taken from the headers")


def section_of(config: Config) -> Config:
    """The config's quantization section, wherever it stands; an absent one reads as empty."""
    for holder in (config, config.section("text_config")):
        for key in ("quantization_config", "compression_config"):
            if holder.has(key):
                return holder.section(key)
    return Config({}, config.where)


def _method_of_older_config(section: Config) -> str:
    """transformers before 4.35 wrote bitsandbytes configs without a method."""
    return "bitsandbytes" if section.has("load_in_4bit", "load_in_8bit") else "without a quant_method"


def _group_size(section: Config, *keys: str) -> int | None:
    """The group size under the first key present; -1 means one scale a channel."""
    for key in keys:
        if section.has(key) and section.values[key] != -1:
            return section.integer(key)
    return None


def _awq(section: Config) -> Quantization:
    bits = section.integer("bits", "w_bit", default=4)
    if bits != 4:
        return unknown(f"AWQ with {bits} bits")
    return Quantization("awq-int4", _group_size(section, "group_size", "q_group_size"), "AutoAWQ layout")


def _gptq(section: Config) -> Quantization:
    bits = section.integer("bits")
    if bits != 4:
        return unknown(f"GPTQ with {bits} bits")
    order = ", activation order" if section.flag("desc_act", False) else ""
    return Quantization("gptq-int4", _group_size(section, "group_size"), f"GPTQ layout{order}")


def _auto_round(section: Config) -> Quantization:
    packing = section.text("packing_format", "auto_round:auto_gptq")
    return _awq(section) if "awq" in packing else _gptq(section)


def _bitsandbytes(section: Config) -> Quantization:
    if section.flag("load_in_8bit", False):
        return Quantization("int8-bnb")
    kind = section.text("bnb_4bit_quant_type", "fp4")
    nested = "double quantization" if section.flag("bnb_4bit_use_double_quant", False) else ""
    schemes = {"nf4": "nf4", "fp4": "fp4-bnb"}
    return Quantization(schemes[kind], 64, nested) if kind in schemes else unknown(f"bitsandbytes {kind}")


def _fp8(section: Config) -> Quantization:
    block = section.integers("weight_block_size")
    scales = section.text("activation_scheme", "dynamic")
    if block:
        size = " x ".join(map(str, block))
        return Quantization("fp8", block[-1], f"one scale a block of {size}, {scales} activations")
    return Quantization("fp8", note=f"{scales} activations")


def _mxfp4(section: Config) -> Quantization:
    return Quantization("mxfp4", 32, "experts only; the rest stays in 16 bits")


def _modelopt(section: Config) -> Quantization:
    """NVIDIA ModelOpt names one algorithm; its excluded modules stay in 16 bits."""
    algorithm = section.text("quant_algo", "without a quant_algo").upper()
    schemes = {
        "FP8": ("fp8", None),
        "FP8_PER_CHANNEL_PER_TOKEN": ("fp8", None),
        "FP8_PB_WO": ("fp8", 128),
        "NVFP4": ("nvfp4", 16),
        "W4A16_AWQ": ("awq-int4", 128),
    }
    if algorithm not in schemes:
        return unknown(f"ModelOpt {algorithm}")
    scheme, group = schemes[algorithm]
    return Quantization(scheme, _group_size(section, "group_size") or group, f"ModelOpt {algorithm}")


def _compressed_tensors(section: Config) -> Quantization:
    groups = section.section("config_groups")
    found = {_compressed_group(groups.section(name)) for name in groups.values}
    if section.section("sparsity_config").text("format", "dense") not in ("dense", "dense-compressor"):
        return unknown("compressed-tensors with sparsity")
    if len(found) != 1:
        return unknown(f"compressed-tensors with {len(found)} different schemes")
    return found.pop()


def _compressed_group(group: Config) -> Quantization:
    """One config group: bits, number type and group size of weights, and whether activations are quantized too."""
    weights = group.section("weights")
    bits, kind = weights.integer("num_bits", default=8), weights.text("type", "int")
    size = _group_size(weights, "group_size")
    both = group.has("input_activations")
    if kind == "int" and bits == 4 and not both:
        return _packed_int4(weights, size)
    scheme = {("float", 8, True): "fp8", ("float", 8, False): "fp8-weight-only", ("int", 8, True): "int8-w8a8"}.get(
        (kind, bits, both)
    )
    if kind == "float" and bits == 4:
        scheme = {16: "nvfp4", 32: "mxfp4"}.get(size or 0)
    activations = "" if both else "weights only"
    return Quantization(scheme, size, activations) if scheme else unknown(f"W{bits}{'A' if both else ''} {kind}")


def _packed_int4(weights: Config, size: int | None) -> Quantization:
    """The packing does not record its algorithm: zeros mean AWQ as llmcompressor writes it, none means GPTQ."""
    if weights.flag("symmetric", True):
        return Quantization("gptq-int4", size, "packed W4A16, symmetric; GPTQ or another algorithm")
    return Quantization("awq-int4", size, "packed W4A16 with zeros; AWQ or another algorithm")


METHODS: dict[str, Callable[[Config], Quantization]] = {
    "awq": _awq,
    "gptq": _gptq,
    "auto-round": _auto_round,
    "awq_marlin": _awq,
    "gptq_marlin": _gptq,
    "inc": _auto_round,
    "intel/auto-round": _auto_round,
    "bitsandbytes": _bitsandbytes,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "compressed-tensors": _compressed_tensors,
}
