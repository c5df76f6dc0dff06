"""Hostile and broken configs: each is refused with the file, the key, the value and what it must be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from model_files import LLAMA

from planner.errors import BadInput
from planner.models.catalogue import entries
from planner.models.families import shape_from_config
from planner.models.json_files import read_json_object

CORRECT = "To fix: correct the value, or download the file again"
MISSING = "To fix: add it, or name the model by its catalogue name or a bare size such as 70B"


def refusal(**changes: object) -> str:
    with pytest.raises(BadInput) as refused:
        shape_from_config({**LLAMA, **changes}, "dir/config.json")
    return str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "shown", "must_be"),
    [
        ("num_hidden_layers", 10**30, "1" + "0" * 30, "a whole number from 1 to 10000"),
        ("num_hidden_layers", 0, "0", "a whole number from 1 to 10000"),
        ("num_hidden_layers", True, "true", "a whole number from 1 to 10000"),
        ("hidden_size", -4096, "-4096", "a whole number from 1 to 1000000"),
        ("hidden_size", "4096", '"4096"', "a whole number from 1 to 1000000"),
        ("hidden_size", 4096.0, "4096.0", "a whole number from 1 to 1000000"),
        ("vocab_size", float("nan"), "NaN", "a whole number from 1 to 10000000"),
        ("vocab_size", float("inf"), "Infinity", "a whole number from 1 to 10000000"),
        ("intermediate_size", [1, 2], "[1, 2]", "a whole number from 0 to 10000000"),
        ("num_attention_heads", {}, "{}", "a whole number from 1 to 10000"),
        ("num_key_value_heads", 3, "3", "a divisor of num_attention_heads (4)"),
        ("num_attention_heads", 6, None, None),
        ("tie_word_embeddings", "yes", '"yes"', "true or false"),
        ("model_type", 7, "7", "a text"),
        ("architectures", "LlamaForCausalLM", '"LlamaForCausalLM"', "a list of texts"),
        ("layer_types", ["full_attention"], '["full_attention"]', "a list of num_hidden_layers (2) names"),
    ],
)
def test_an_absurd_value_is_refused(key: str, value: object, shown: str | None, must_be: str | None) -> None:
    message = refusal(**{key: value, "sliding_window": 64})

    if shown is None:
        key, shown, must_be = "hidden_size", "64", "divisible by num_attention_heads (6)"
    assert message == f"dir/config.json: {key} is {shown}; it must be {must_be}\n{CORRECT}"


def test_a_value_that_would_flood_the_screen_is_cut() -> None:
    assert refusal(hidden_size="A" * 100_000).splitlines()[0] == (
        'dir/config.json: hidden_size is "'
        + "A" * 59
        + "... (100002 characters); it must be a whole number from 1 to 1000000"
    )


@pytest.mark.parametrize("key", ["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(BadInput) as refused:
        shape_from_config({name: value for name, value in LLAMA.items() if name != key}, "dir/config.json")

    assert str(refused.value) == f"dir/config.json: {key} is missing\n{MISSING}"


@pytest.mark.parametrize("name", ["../../etc/passwd", "llama; rm -rf /", "", "a" * 200])
def test_a_model_type_that_is_no_name_is_refused(name: str) -> None:
    message = refusal(model_type=name)

    assert message.startswith('dir/config.json: model_type "')
    assert message.endswith(f" is not a family name\n{CORRECT}")


def test_an_unknown_family_is_refused_by_name() -> None:
    assert refusal(model_type="qwen9") == (
        "dir/config.json: model family qwen9 is not known to quantplan\n"
        "Did you mean: qwen, qwen3, qwen2?\n"
        "To fix: add one function for it to planner/models/families, or plan with a bare size such as 70B"
    )


def test_a_nested_section_is_named_in_the_complaint() -> None:
    config = {"model_type": "gemma3", "text_config": {"hidden_size": 2560, "num_hidden_layers": -1}}

    with pytest.raises(BadInput) as refused:
        shape_from_config(config, "dir/config.json")

    assert str(refused.value).startswith("dir/config.json: text_config: num_hidden_layers is -1; it must be")


def test_more_experts_a_token_than_experts_are_refused() -> None:
    message = refusal(model_type="mixtral", num_local_experts=2, num_experts_per_tok=4)

    assert message.splitlines()[0] == (
        "dir/config.json: num_experts_per_tok is 4; it must be at most the number of experts (2)"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not valid JSON (line 1, column 2: Expecting property name enclosed in double quotes)"),
        (b"", "not valid JSON (line 1, column 1: Expecting value)"),
        (b"[1, 2]", "holds a JSON list, not an object"),
        (b"[" * 200_000, "not valid JSON (nested too deeply)"),
        (
            b'{"a": ' + b"9" * 5000 + b"}",
            "not valid JSON (Exceeds the limit (4300 digits) for integer string conversion)",
        ),
        (b"\xff\xfe\xfa", None),
    ],
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes, reason: str | None) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)

    with pytest.raises(BadInput) as refused:
        read_json_object(path)

    if reason is not None:
        assert str(refused.value) == f"{path}: {reason}\nTo fix: download the file again"


HOSTILE = (None, 0, -1, 1, 7, 10**30, 2.5, float("nan"), True, "7", "../../x", [], [0], [-1, "x"], {}, {"a": 1})
EXAMPLES = {str(entry.config["model_type"]): entry.config for entry in entries()}


def hostile_variants(config: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """The config with each of its values, nested ones too, replaced by each hostile one."""
    for key, value in config.items():
        for hostile in HOSTILE:
            yield {**config, key: hostile}
        if isinstance(value, dict):
            yield from ({**config, key: inner} for inner in hostile_variants(value))


@pytest.mark.parametrize("family", EXAMPLES)
def test_whatever_a_config_holds_it_gives_a_shape_or_a_reason(family: str) -> None:
    for config in hostile_variants(EXAMPLES[family]):
        try:
            shape = shape_from_config(config)
        except BadInput as refused:
            assert refused.what and refused.fix and refused.where
        else:
            assert shape.parameters > 0
            assert all(matrix.parameters > 0 for matrix in shape.matrices)


def test_the_config_itself_is_left_as_it_was() -> None:
    config = json.loads(json.dumps(LLAMA))
    shape_from_config(config)

    assert config == LLAMA
