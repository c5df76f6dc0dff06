"""The scheme of a checkpoint from the `quantization_config` of its own config.json, with the modules it leaves out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from planner.models.compact import config_rows
from planner.models.config import Config
from planner.models.quantization import Quantization, recognise, section_of
from planner.models.shape import Shape
from planner.schemes import Scheme, scheme

LEFT_OUT_KEYS = ("ignore", "ignored_layers", "exclude_modules", "modules_to_not_convert", "llm_int8_skip_modules")
LAYER_NUMBER = re.compile(r"layers?[\\.]+(\d+)\b")
ROUTER = re.compile(r"(router|gate)(\.weight)?\W*$")
PROJECTION = re.compile(r"\b([a-z]+_proj)\b")
# The part of a decoder a module's name stands for: the first whose word occurs.
PART_WORDS = {
    "lm_head": "head", "shared_expert": "shared experts", "expert": "experts", "linear_attn": "recurrent",
    "mamba": "recurrent", "mixer": "recurrent", "attn": "attention", "attention": "attention", "mlp": "mlp",
    "feed_forward": "mlp",
}  # fmt: skip
DECODER_PARTS = ("attention", "recurrent", "mlp", "experts")
FP8_BLOCK_SCALE_BITS = 0.25  # one FP32 scale for 128 x 128 weights: 128 rows share those of a group


def stored_schemes(path: Path, shapes: Mapping[str, Shape]) -> dict[str, Scheme | None]:
    """By `model_id` and alias, the scheme of each row of a JSONL file that states one; None: not modelled."""
    found: dict[str, Scheme | None] = {}
    for row in config_rows(path):
        name = row.text("model_id")
        if name in shapes and section_of(row).values:
            found.update(dict.fromkeys([name, *row.texts("aliases")], stored_scheme(row, shapes[name])))
    return found


def stored_scheme(config: Config, shape: Shape) -> Scheme | None:
    """The scheme a config.json states; None where it states none, or one that is not modelled."""
    section = section_of(config)
    mixed = mixed_parts(section)
    recognised = recognise(config) if not mixed else Quantization("nvfp4", 16)
    if recognised is None or recognised.stored_format == "unknown":
        return None
    stored = grouped(scheme(recognised.stored_format), recognised)
    whole, some = left_out((name for key in LEFT_OUT_KEYS for name in texts_of(section, key)), shape)
    return replace(
        stored,
        keeps_16_bit=tuple(dict.fromkeys((*(part for part in stored.keeps_16_bit if part not in mixed), *whole))),
        keeps_8_bit=tuple(sorted(part for part, bits in mixed.items() if bits == 8)),
        quantizes_too=("head",) if "head" in mixed else (),
        layers_in_16_bit=some,
    )


def grouped(stored: Scheme, recognised: Quantization) -> Scheme:
    """The scheme with the group size of this checkpoint; FP8 in blocks has a scale for each."""
    if recognised.group_size is None:
        return stored
    scale_bits = FP8_BLOCK_SCALE_BITS if stored.id == "fp8" else stored.scale_bits
    return replace(stored, group_size=recognised.group_size, scale_bits=scale_bits)


def mixed_parts(section: Config) -> dict[str, int]:
    """ModelOpt's mixed precision: 4 or 8 bits for each part it names; empty for any other config."""
    layers = section.values.get("quantized_layers")
    if not isinstance(layers, dict):
        return {}
    algorithms = {part: str(entry.get("quant_algo", "")) for name, entry in layers.items()
                  if isinstance(entry, dict) and (part := part_of(str(name)))}  # fmt: skip
    return {part: 8 if "FP8" in algorithm else 4 for part, algorithm in algorithms.items()}


def left_out(names: Iterable[str], shape: Shape) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Parts that are left out in every layer, and those left out in some, with the number of layers."""
    whole: set[str] = set()
    layers: dict[str, set[int]] = defaultdict(set)
    for name in names:
        number = LAYER_NUMBER.search(name)
        projection = PROJECTION.search(name)
        part = projection.group(1) if projection and number else part_of(name)
        if number is None:
            whole |= {part} if part else set()
        elif int(number.group(1)) < shape.layer_count:
            everything = DECODER_PARTS if number.end() == len(name) else ()
            for one in (part,) if part else everything:
                layers[one].add(int(number.group(1)))
    complete = {part for part, numbers in layers.items() if len(numbers) >= layers_with(part, shape)}
    some = tuple(sorted((part, len(numbers)) for part, numbers in layers.items() if part not in complete | whole))
    return tuple(sorted(whole | complete)), some


def layers_with(part: str, shape: Shape) -> int:
    """In how many layers of the model that part stands."""
    if "expert" in part and shape.experts:
        return shape.experts[0].count
    return max((m.copies for m in shape.matrices if m.is_part_of((part,))), default=shape.layer_count)


def part_of(name: str) -> str | None:
    """The part a module's name or pattern means; None for towers, routers and what is in 16 bits anyway."""
    if any(word in name for word in ("visual", "vision", "mtp")) or ROUTER.search(name):
        return None
    return next((part for word, part in PART_WORDS.items() if word in name), None)


def texts_of(section: Config, key: str) -> tuple[str, ...]:
    value = section.values.get(key)
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
