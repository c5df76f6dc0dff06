"""The bundled catalogue: `planner/catalog/models.jsonl`, one line a model, each fact with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path

from planner.errors import BadInput, nearest
from planner.models.families import shape_from_config
from planner.models.model import Model

CATALOGUE = Path(__file__).parent.parent / "catalog" / "models.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the catalogue.

    `config` has the keys of config.json that decide the shape. `published_formats` maps a scheme to the repository
    that offers it; `base_ids` are the untuned siblings of a chat model. `params_b_published` is what the model card
    says (None: only a rounded name), kept apart from what the shape adds up to so that tests can compare them.
    `released` is the month of its release, `checked` when its count was last compared.
    """

    name: str
    hub_id: str
    config: Mapping[str, object]
    is_chat: bool
    source: str
    params_b_published: float | None = None
    active_params_b_published: float | None = None
    stored_format: str = "bf16"
    aliases: tuple[str, ...] = ()
    base_ids: tuple[str, ...] = ()
    published_formats: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    released: str = ""
    checked: str = ""


KEYS = frozenset(each.name for each in fields(Entry))
REQUIRED_KEYS = frozenset(("name", "hub_id", "config", "is_chat", "source"))


@cache
def entries() -> tuple[Entry, ...]:
    """Every model of the catalogue, in its order."""
    return parse_entries(CATALOGUE.read_text(encoding="utf-8"), CATALOGUE.name)


def parse_entries(text: str, where: str) -> tuple[Entry, ...]:
    """The models of a catalogue, one a line. Raises BadInput for a line that is no object of the known keys."""
    return tuple(_entry(line, f"{where}, line {number}") for number, line in enumerate(text.splitlines(), start=1))


def _entry(line: str, where: str) -> Entry:
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise BadInput("not a JSON object", where=where, fix="write one model a line")
    for key in values.keys() - KEYS:
        raise BadInput(f"unknown key {key!r}", where=where, nearest=nearest(key, KEYS), fix="spell it as the others do")
    for key in REQUIRED_KEYS - values.keys():
        raise BadInput(f"{key!r} is missing", where=where, fix="say it as the other lines do")
    return Entry(**values)


def catalogue_names() -> tuple[str, ...]:
    return tuple(entry.name for entry in entries())


def find(name: str) -> Model | None:
    """The model called `name`: its own name, an alias, its hub id or a published checkpoint's id.

    Case does not matter, and spaces read as hyphens.
    """
    spelling = "-".join(name.lower().split())
    return _found(spelling) if spelling in _index() else None


@lru_cache(maxsize=1024)
def _found(spelling: str) -> Model:
    """One spelling, one model: what is worked out from its shape is found again without comparing shapes."""
    return _model(_index()[spelling])


def model_of(entry: Entry) -> Model:
    """The model a catalogue line describes, as its maker published it."""
    return _model(Known(entry, entry.name, entry.is_chat, entry.stored_format, entry.hub_id))


@dataclass(frozen=True, slots=True)
class Known:
    """What a spelling names: the entry, the name to show, and how the weights in that repository are stored."""

    entry: Entry
    name: str
    is_chat: bool
    stored_format: str
    repository: str


def _model(known: Known) -> Model:
    entry = known.entry
    return Model(
        name=known.name,
        shape=shape_from_config(entry.config, f"{CATALOGUE.name}: {entry.name}"),
        origin="catalogue",
        source=entry.source,
        published_formats=tuple(entry.published_formats),
        is_chat=known.is_chat,
        stored_format=known.stored_format,
        weights_at=known.repository,
    )


@cache
def _index() -> dict[str, Known]:
    """Each spelling in lower case, to what it names; an alias with an organisation is a repository of its own."""
    index: dict[str, Known] = {}
    for entry in entries():
        for spelling in (entry.name, *entry.aliases, entry.hub_id):
            repository = spelling if "/" in spelling else entry.hub_id
            _add(index, spelling, Known(entry, entry.name, entry.is_chat, entry.stored_format, repository))
        for spelling in entry.base_ids:
            _add(index, spelling, Known(entry, spelling, False, "bf16", spelling))
        for scheme, repository in entry.published_formats.items():
            _add(index, repository, Known(entry, repository, entry.is_chat, scheme, repository))
    return index


def _add(index: dict[str, Known], spelling: str, found: Known) -> None:
    """A hub id is also found without its organisation; the first to claim a spelling keeps it."""
    for key in (spelling.lower(), spelling.lower().rpartition("/")[2]):
        index.setdefault(key, found)
