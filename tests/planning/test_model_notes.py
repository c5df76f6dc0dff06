"""What a family function leaves out or takes from one engine's source stands among a plan's notes."""

from __future__ import annotations

import pytest

from planner.planning.pipeline import make_plan
from planner.request import Request


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("minimax-m3", "its cache is that of vLLM 0.32; whether older versions serve this family is not known"),
        (
            "deepseek-v3",
            "1 multi-token-prediction layer(s) are not counted: engines leave them out by default",
        ),
    ],
)
def test_a_plan_says_what_the_description_of_its_model_leaves_open(model: str, note: str) -> None:
    assert note in make_plan(Request(model=model, hardware="8xH200")).notes
