"""Architectures in a compact form: Hugging Face names at the top, nested `moe`, `mla`, `linear_attention`, counts of
layers by kind instead of lists. One translation leads to the family functions; a row with a `model_type` is a plain
config.json and needs none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.models.catalogue import find
from planner.models.compact_translation import translate
from planner.models.config import Config
from planner.models.families import shape_from_config
from planner.models.shape import Matrix, Shape

# Vision (about 150 M) and audio (about 300 M) encoders of Gemma 4 E2B and E4B, as their model card counts them.
GEMMA_4_E_ENCODERS_B = 0.45


def is_gemma4_e(row: Config) -> bool:
    return row.has("global_head_dim") and bool(row.integer("hidden_size_per_layer_input", default=0, least=0))


def shapes_from_jsonl(path: Path) -> tuple[dict[str, Shape], dict[str, str]]:
    """The architectures of a JSONL file by `model_id` and alias, and why the others were refused, by `model_id`.

    A row that says too little, or nothing of its recurrent layers, is read from the catalogue where that knows it.

    Raises BadInput for a file that cannot be read, a line that is not a JSON object, or one without `model_id`.
    """
    shapes: dict[str, Shape] = {}
    refused: dict[str, str] = {}
    for row in config_rows(path):
        name = row.text("model_id")
        try:
            shape = shape_from_compact(row.values, row.where)
        except BadInput as error:
            if (known := find(name)) is None:
                refused[name] = error.what
                continue
            shape = known.shape
        else:
            shape = completed(shape, name)
        shapes.update(dict.fromkeys([name, *row.texts("aliases")], shape))
    return shapes, refused


def config_rows(path: Path) -> Iterator[Config]:
    """The rows of a JSONL file as engines are given them. BadInput for one that cannot be read."""
    for number, line in enumerate(_lines(path), start=1):
        yield as_served(_row(line, f"{path}, line {number}"))


def as_served(row: Config) -> Config:
    """The row with what engines are given in place of its backbone's own values (`planner/catalog/served_as.yaml`)."""
    name = row.text("model_id").lower()
    for entry in load_yaml("served_as.yaml")["models"]:
        is_described = all(row.values.get(key) == value for key, value in entry["described"].items())
        if is_described and all(word in name for word in entry["words"]):
            return Config({**row.values, **entry["served"]}, row.where)
    return row


def completed(shape: Shape, name: str) -> Shape:
    """The row's shape under its family's own name, where the catalogue knows the model.

    A compact row does not name its family, and one that leaves its recurrent layers out is the catalogue's.
    """
    known = find(name)
    if known is None or (known.shape.layer_count, known.shape.hidden_size) != (shape.layer_count, shape.hidden_size):
        return shape
    if known.shape.recurrent and not shape.recurrent:
        return known.shape
    return replace(shape, family=known.shape.family)


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read: {error}", where=str(path), fix="name a JSONL file, one model a line") from None


def _row(line: str, where: str) -> Config:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise BadInput("not a JSON object", where=where, fix="write one model a line, as a JSON object")
    return Config(row, where)


def shape_from_compact(row: Mapping[str, object], where: str = "compact config") -> Shape:
    """The shape of one row, compact or plain. Raises BadInput for missing values and unknown architectures."""
    if "model_type" in row:
        return shape_from_config(row, where)
    config = Config(row, where)
    if config.has("compress_ratios"):
        raise BadInput("compressed attention (compress_ratios) is not known to quantplan", where=where)
    shape = shape_from_config(translate(config), where)
    vision = config.values.get("vision_params_B", GEMMA_4_E_ENCODERS_B if is_gemma4_e(config) else None)
    if isinstance(vision, int | float) and 0 < vision < 1000:
        tower = Matrix("vision", "vision_tower", 1, round(vision * 1e9))
        shape = replace(shape, matrices=(*shape.matrices, tower))
    if config.has("mtp_layers"):
        note = f"{config.integer('mtp_layers')} multi-token-prediction layer(s) are not counted"
        shape = replace(shape, notes=(*shape.notes, note))
    return shape
