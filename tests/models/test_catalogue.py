"""The catalogue against model cards: sizes, active sizes, names, and the models nobody may miss."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from planner.errors import BadInput
from planner.models.catalogue import CATALOGUE, Entry, catalogue_names, entries, find, model_of, parse_entries
from planner.models.families import FAMILIES
from rules.vocabulary import FormatId

MUST_HAVE = """
llama-2-7b llama-2-13b llama-2-70b llama-3-8b llama-3-70b llama-3.1-8b llama-3.1-70b llama-3.1-405b llama-3.2-1b
llama-3.2-3b llama-3.3-70b mistral-7b mixtral-8x7b mixtral-8x22b mistral-small-24b qwen2-7b qwen2.5-0.5b qwen2.5-72b
qwen3-0.6b qwen3-32b qwen3-30b-a3b qwen3-235b-a22b gemma-2-27b gemma-3-27b phi-3-mini phi-3.5-mini phi-4
deepseek-v2-lite deepseek-v3 deepseek-r1 deepseek-r1-distill-llama-70b gpt-oss-20b gpt-oss-120b yi-34b codellama-34b
falcon-40b opt-125m tinyllama-1.1b smollm2-1.7b command-r glm-4.5 kimi-k2 granite-3.1-8b olmo-2-13b bge-m3
"""
SIZED = [entry for entry in entries() if entry.params_b_published]
ACTIVE = [entry for entry in entries() if entry.active_params_b_published]


def name_of(entry: Entry) -> str:
    return entry.name


def half_of_the_last_digit(published: float) -> float:
    """What rounding alone can hide: 3.3 stands for 3.25 to 3.35, 37 for 36.5 to 37.5."""
    return 0.5 * 10.0 ** -len(str(published).partition(".")[2]) if isinstance(published, float) else 0.5


def test_there_are_many_models_and_the_ones_that_matter() -> None:
    assert len(entries()) >= 110
    assert set(MUST_HAVE.split()) <= set(catalogue_names())


def test_names_and_hub_ids_are_unique() -> None:
    names = [spelling.lower() for entry in entries() for spelling in (entry.name, entry.hub_id)]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", SIZED, ids=name_of)
def test_parameters_agree_with_the_model_card(entry: Entry) -> None:
    assert model_of(entry).shape.params_b == pytest.approx(entry.params_b_published, rel=0.01)


@pytest.mark.parametrize("entry", ACTIVE, ids=name_of)
def test_active_parameters_agree_with_the_model_card(entry: Entry) -> None:
    """Makers count the embedding table in (Mixtral, Qwen3) or out (gpt-oss, GLM-4.5): either must agree."""
    published = entry.active_params_b_published
    assert published is not None
    shape = model_of(entry).shape
    with_table = shape.active_parameters / 1e9
    without_table = with_table - shape.parameters_by_component()["embedding"] / 1e9
    slack = half_of_the_last_digit(published) + 0.05 * published

    assert without_table - slack <= published <= with_table + slack


def test_active_parameters_of_the_best_known_ones() -> None:
    def active_b(name: str) -> float:
        model = find(name)
        assert model is not None
        return model.shape.active_parameters / 1e9

    assert active_b("mixtral-8x7b") == pytest.approx(12.9, abs=0.05)
    assert active_b("qwen3-30b-a3b") == pytest.approx(3.3, abs=0.06)
    assert active_b("deepseek-v3") == pytest.approx(37, rel=0.02)


def test_components_of_llama_3_1_8b() -> None:
    """Llama-3.1-8B has 8,030,261,248 parameters (its safetensors index on the hub)."""
    model = find("llama-3.1-8b")
    assert model is not None

    assert model.shape.parameters_by_component() == {
        "embedding": 525_336_576,
        "head": 525_336_576,
        "attention": 1_342_177_280,
        "mlp": 5_637_144_576,
        "norms": 266_240,
    }
    assert model.shape.parameters == 8_030_261_248


@pytest.mark.parametrize("entry", entries(), ids=name_of)
def test_every_spelling_leads_to_its_model(entry: Entry) -> None:
    for spelling in (entry.name, *entry.aliases, entry.hub_id, *entry.base_ids, *entry.published_formats.values()):
        model = find(spelling.upper())
        assert model is not None
        assert model.shape == model_of(entry).shape


@pytest.mark.parametrize("entry", entries(), ids=name_of)
def test_every_line_is_whole(entry: Entry) -> None:
    assert entry.config["model_type"] in FAMILIES
    assert entry.source
    assert entry.released.count("-") == 1
    assert entry.licence
    assert entry.checked
    assert set(entry.published_formats) <= set(get_args(FormatId))
    assert entry.stored_format in get_args(FormatId)


def test_the_file_is_one_model_a_line_without_unknown_keys() -> None:
    lines = CATALOGUE.read_text(encoding="utf-8").splitlines()
    known = set(Entry.__dataclass_fields__)

    assert all(set(json.loads(line)) <= known for line in lines)
    assert len(lines) == len(entries())


GOOD = {"name": "a", "hub_id": "b/a", "config": {"model_type": "llama"}, "is_chat": True, "source": "c"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "models.jsonl, line 2: not a JSON object\nTo fix: write one model a line"),
        ("", "models.jsonl, line 2: not a JSON object\nTo fix: write one model a line"),
        (
            json.dumps({**GOOD, "is_chatty": True}),
            "models.jsonl, line 2: unknown key 'is_chatty'\nDid you mean: is_chat?\nTo fix: spell it as the others do",
        ),
        (
            json.dumps({key: value for key, value in GOOD.items() if key != "source"}),
            "models.jsonl, line 2: 'source' is missing\nTo fix: say it as the other lines do",
        ),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_entries(f"{json.dumps(GOOD)}\n{line}\n", "models.jsonl")

    assert str(refused.value) == message


def test_a_name_nobody_has_is_none() -> None:
    assert find("llama-99") is None
