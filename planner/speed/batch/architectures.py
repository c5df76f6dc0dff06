"""Which architecture a table's model name means: a given configuration, the catalogue, or a size read from the name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from planner.errors import BadInput
from planner.models.catalogue import entries, find, model_of
from planner.models.shape import Shape
from planner.models.sizes import model_of_size
from planner.speed.batch.names import model_alias

DROPPED = re.compile(
    r"\(.*?\)|[-_ ](instruct|chat|it|hf|base|thinking|terminus|edge|nvfp4|fp8|fp4|bf16|awq|gptq|int4|int8|w4a16|mxfp4"
    r"|quantized|dynamic|a16|\d{4}|99(\.9)?)(?![a-z0-9.])",
    re.IGNORECASE,
)
SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
SHORTEST_BEGINNING = 8
ACTIVE = re.compile(r"(?<![a-z0-9])a(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Known:
    """An architecture and where it comes from. `guessed` when only a size in the name speaks for it."""

    shape: Shape
    source: str
    guessed: bool = False


@dataclass(slots=True)
class Architectures:
    """Finds architectures by name. `given` holds those of a --configs file by `model_id` and alias."""

    given: Mapping[str, Shape] = field(default_factory=dict)
    _asked: dict[str, Known | None] = field(default_factory=dict)

    @classmethod
    def of(cls, configs: Path | None) -> Architectures:
        """The catalogue and, where named, a file of configurations. BadInput when that cannot be read."""
        if configs is None:
            return cls()
        from planner.models.compact import shapes_from_jsonl

        return cls({_plain(name): shape for name, shape in shapes_from_jsonl(configs)[0].items()})

    def find(self, name: str) -> Known | None:
        """The architecture `name` means; None when neither a name nor a size in it is known."""
        if name not in self._asked:
            self._asked[name] = self._look_up(name.strip())
        return self._asked[name]

    def _look_up(self, name: str) -> Known | None:
        if not name:
            return None
        if shape := self.given.get(_plain(name)):
            return Known(shape, "configs")
        if model := find(name):
            return Known(model.shape, "catalogue")
        for wanted in (_bare(name), _bare(name.rsplit("/", 1)[-1])):
            if shape := _by_bare_name(self.given).get(wanted):
                return Known(shape, "configs")
            if shape := _catalogue().get(wanted):
                return Known(shape, "catalogue")
        alias = model_alias(name.rsplit("/", 1)[-1]) or _only_beginning_with(_bare(name.rsplit("/", 1)[-1]))
        model = find(alias) if alias else None
        return Known(model.shape, "catalogue") if model else _from_size(name)


def _plain(name: str) -> str:
    return "-".join(name.lower().split())


def _bare(name: str) -> str:
    """A name without what tells variants of one architecture apart, and without separators."""
    return re.sub(r"[^a-z0-9.]", "", DROPPED.sub("", DROPPED.sub("", name)).lower())


def _by_bare_name(shapes: Mapping[str, Shape]) -> Mapping[str, Shape]:
    return {_bare(name.rsplit("/", 1)[-1]): shape for name, shape in shapes.items()}


_CATALOGUE: dict[str, Shape] = {}


def _catalogue() -> Mapping[str, Shape]:
    if not _CATALOGUE:
        for entry in entries():
            shape = model_of(entry).shape
            for name in _names(entry.name, entry.hub_id, entry.aliases, entry.base_ids):
                _CATALOGUE.setdefault(_bare(name), shape)
    return _CATALOGUE


def _only_beginning_with(bare: str) -> str | None:
    """The one model of the catalogue whose name begins so; None where there are several or the beginning is short."""
    found = {entry.name for entry in entries() if _bare(entry.name).startswith(bare)}
    return found.pop() if len(bare) >= SHORTEST_BEGINNING and len(found) == 1 else None


def _names(*parts: str | Iterable[str]) -> Iterable[str]:
    for part in parts:
        for name in [part] if isinstance(part, str) else part:
            yield name.rsplit("/", 1)[-1]


def _from_size(name: str) -> Known | None:
    """A shape from the size in the name: with `A22B` the mixture of experts of the catalogue that is nearest, else a
    Llama-style model of that size."""
    size = SIZE.search(ACTIVE.sub("", name))
    if size is None:
        return None
    params_b = float(size[1]) * (1e-3 if size[2].lower() == "m" else 1.0)
    active = ACTIVE.search(name)
    if active:
        return Known(_nearest_mixture(params_b, float(active[1])), "size in the name", guessed=True)
    try:
        return Known(model_of_size(size[0]).shape, "size in the name", guessed=True)
    except BadInput:
        return None


def _nearest_mixture(params_b: float, active_b: float) -> Shape:
    def distance(shape: Shape) -> float:
        total, active = shape.params_b / max(params_b, 0.1), shape.active_parameters / 1e9 / max(active_b, 0.1)
        return max(total, 1 / total) * max(active, 1 / active)

    return min((shape for shape in _catalogue().values() if shape.is_moe), key=distance)
