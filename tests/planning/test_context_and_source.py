"""Requests that are longer than the model was made for, and where a plan's weights are fetched from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.local import DEMO_MODEL
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request


def planned(model: str, hardware: str = "1xL4", **workload: Any) -> Plan:
    return make_plan(Request.model_validate({"model": model, "hardware": hardware, "workload": workload}))


def test_the_usual_lengths_are_shortened_for_a_model_with_little_context() -> None:
    plan = planned("gpt2")
    asked = plan.request.workload
    assert (asked.input_tokens, asked.output_tokens, asked.served_context_tokens) == (788, 236, 1024)
    assert plan.warnings[0] == (
        "gpt2 was made for 1,024 tokens: planned for requests of 788 tokens in and 236 out, "
        "instead of the usual 1,000 and 300"
    )


@pytest.mark.parametrize("stated", [{"input_tokens": 2000}, {"output_tokens": 100}, {"context_tokens": 4096}])
def test_lengths_that_were_stated_are_refused(stated: dict[str, int]) -> None:
    """vLLM refuses to start with them, and llama.cpp cuts every answer short."""
    with pytest.raises(BadInput, match=r"tokens, and gpt2 was made for 1,024\nTo fix: at most 1,024"):
        planned("gpt2", **stated)


def test_what_is_said_to_fit_does() -> None:
    with pytest.raises(BadInput) as refused:
        planned("phi-2", input_tokens=2000)
    assert str(refused.value) == (
        "requests of 2,300 tokens, and phi-2 was made for 2,048\n"
        "To fix: at most 2,048 in all, such as --input-tokens 1781 --output-tokens 267; or a model made for longer ones"
    )
    assert planned("phi-2", input_tokens=1781, output_tokens=267).request.workload.input_tokens == 1781


@pytest.mark.parametrize("model", ["mamba-2.8b", "1B"])
def test_a_state_and_a_mere_size_have_no_limit(model: str) -> None:
    assert planned(model, input_tokens=150_000).request.workload.input_tokens == 150_000


@pytest.mark.parametrize(
    ("asked", "fetched"),
    [
        ("llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "NousResearch/Hermes-3-Llama-3.1-8B"),
        ("meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("TheBloke/Llama-2-7B-Chat-AWQ", "TheBloke/Llama-2-7B-Chat-AWQ"),
        ("13B", ""),
    ],
)
def test_the_weights_are_fetched_from_the_repository_that_was_meant(asked: str, fetched: str) -> None:
    """The name in the catalogue is no repository, and another repository of the same shape has other weights."""
    plan = planned(asked, "1xH100-80GB", input_tokens=100, output_tokens=20)
    assert plan.stages[0].parameters == {"source": fetched}


def test_a_directory_is_found_again_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DEMO_MODEL.parent)
    plan = planned(f"./{DEMO_MODEL.name}", "cpu:8GB")
    assert plan.stages[0].parameters == {"source": str(DEMO_MODEL)}
