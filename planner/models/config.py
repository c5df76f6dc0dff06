"""Typed, bounded reading of a model's `config.json`: every complaint names the key, the value and the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from planner.errors import BadInput

MISSING = "add it, or name the model by its catalogue name or a bare size such as 70B"
WRONG = "correct the value, or download the file again"

# A config beyond these is a mistake or an attack: the largest published models stay a factor of ten below each.
LARGEST = {
    "num_hidden_layers": 10_000,
    "hidden_size": 1_000_000,
    "intermediate_size": 10_000_000,
    "vocab_size": 10_000_000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "head_dim": 100_000,
    "max_position_embeddings": 1_000_000_000,
}
LARGEST_OTHER = 10_000_000
LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """The value as JSON spells it, cut where a hostile one would flood the screen."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"


@dataclass(frozen=True, slots=True)
class Config:
    """One JSON object of a config file. `where` is the file, with the section's name for a nested object."""

    values: Mapping[str, object]
    where: str

    def has(self, *keys: str) -> bool:
        return any(self.values.get(key) is not None for key in keys)

    def integer(self, *keys: str, default: int | None = None, least: int = 1) -> int:
        """A whole number from `least` to the bound of `keys[0]`, under the first of its spellings that is there."""
        key = next((key for key in keys if self.has(key)), keys[0])
        value = self.values.get(key)
        if value is None:
            return self.missing(key) if default is None else default
        most = LARGEST.get(keys[0], LARGEST_OTHER)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key)
        if value is None:
            return self.missing(key) if default is None else default
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def integers(self, key: str) -> tuple[int, ...]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(i, int) and 0 <= i <= LARGEST_OTHER for i in value):
            raise self.wrong(key, f"a list of whole numbers from 0 to {LARGEST_OTHER}")
        return tuple(int(item) for item in value)

    def section(self, key: str) -> Config:
        """The nested object `key`; an absent one reads as empty."""
        value = self.values.get(key)
        if value is None:
            return Config({}, f"{self.where}: {key}")
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Config(value, f"{self.where}: {key}")

    def with_defaults(self, defaults: Mapping[str, object]) -> Config:
        """The same config where keys left out take the family's defaults; an explicit null stays null."""
        return Config({**defaults, **self.values}, self.where)

    def wrong(self, key: str, must_be: str) -> BadInput:
        return BadInput(f"{key} is {shown(self.values.get(key))}; it must be {must_be}", where=self.where, fix=WRONG)

    def missing(self, key: str) -> NoReturn:
        raise BadInput(f"{key} is missing", where=self.where, fix=MISSING)
