"""A model that is not what was planned for, not whole, or cannot read text is refused before anything is made of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.local import DEMO_MODEL
from executor.steps.fetch import fetch
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, directory)
    for path in directory.iterdir():
        path.chmod(0o644)
    return directory


@pytest.fixture
def plan(model: Path) -> Plan:
    return make_plan(Request(model=str(model), hardware="cpu:8GB"))


def refusal(plan: Plan, make_context: Callable) -> str:
    with pytest.raises(BadInput) as refused:
        fetch(make_context("fetch", plan=plan))
    return str(refused.value)


def test_the_planned_model_is_taken(plan: Plan, model: Path, make_context) -> None:
    assert fetch(make_context("fetch", plan=plan))["directory"] == str(model)


def test_another_model_in_its_place_is_refused(plan: Plan, model: Path, make_context) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    assert refusal(plan, make_context) == (
        f"{model}: this is not the model that was planned for: "
        "it has 3 layers instead of 4 layers, 2,295,552 parameters instead of 2,885,888 parameters\n"
        "To fix: put that model back, or plan again for this one"
    )


def test_weights_that_were_cut_short_are_refused(plan: Plan, model: Path, make_context) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3_000_000])
    assert refusal(plan, make_context) == (
        f"{path}: truncated: tensor model.norm.weight ends at byte 5771776 of the data, which has 2995904\n"
        "To fix: download the file again"
    )


def test_a_model_without_a_tokenizer_is_refused(plan: Plan, model: Path, make_context) -> None:
    (model / "tokenizer.json").unlink()
    (model / "tokenizer.model").unlink()
    assert refusal(plan, make_context) == (
        f"{model}: no tokenizer, so no text can be given to the model\n"
        "To fix: complete the download: tokenizer.json or tokenizer.model is missing"
    )
