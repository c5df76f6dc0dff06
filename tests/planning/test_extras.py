"""Drafts, adapters and experts in parallel beside the plain model: in the plan's memory and in its arguments."""

from __future__ import annotations

import json

import pytest

from planner.errors import BadInput
from planner.memory.drafts import with_draft
from planner.models.catalogue import find
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Extras, Request
from planner.unfeasible import NoFeasiblePlan
from planner.units import GIB


def planned(model: str = "llama-3.1-8b", on: str = "1xL40S", **extras: object) -> Plan:
    return make_plan(Request(model=model, hardware=on, engine="vllm", extras=Extras.model_validate(extras)))


def test_an_eagle_head_is_as_large_as_published():
    """yuhuili/EAGLE3-LLaMA3.1-Instruct-8B: 850 MB in 16 bits."""
    model = find("llama-3.1-8b")
    assert model is not None
    drafted = with_draft(model.shape, "eagle")
    assert 2 * (drafted.parameters - model.shape.parameters) / 1e6 == pytest.approx(850, abs=2)


def test_a_draft_takes_memory_and_a_layer_of_cache():
    head = "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"
    plain, drafted = planned(), planned(draft="eagle", draft_model=head, draft_tokens=4)

    assert drafted.chosen.memory.gib("draft") == pytest.approx(850e6 / GIB, rel=0.01)
    assert drafted.chosen.memory.kv_bytes_per_token == plain.chosen.memory.kv_bytes_per_token * 33 / 32
    assert drafted.chosen.memory.free_gib < plain.chosen.memory.free_gib - 0.79
    arguments = drafted.chosen.engine_arguments
    config = json.loads(arguments[arguments.index("--speculative-config") + 1])
    assert config == {"method": "eagle3", "model": head, "num_speculative_tokens": 4}
    assert any("quantplan simulate PLAN --speculate eagle --draft-tokens 4" in note for note in drafted.notes)


def test_adapters_reserve_their_low_rank_halves():
    """Four of rank 32 on Llama 3.1 8B: 41.9 M parameters each at rank 16 (PEFT, all linear layers), in 16 bits."""
    adapters = planned(max_loras=4, max_lora_rank=32).chosen

    assert adapters.memory.gib("LoRA adapters") == pytest.approx(4 * 2 * 41.94e6 * 2 / GIB, rel=0.001)
    assert adapters.engine_arguments[-5:] == ("--enable-lora", "--max-loras", "4", "--max-lora-rank", "32")


def test_experts_in_parallel_are_an_argument_of_a_moe():
    chosen = planned("qwen3-30b-a3b", "2xL40S", expert_parallel=True).chosen
    assert "--enable-expert-parallel" in chosen.engine_arguments


@pytest.mark.parametrize(
    ("extras", "message"),
    [
        ({"draft": "eagle"}, "--draft eagle without --draft-model"),
        ({"draft_model": "x"}, "--draft-model without --draft eagle"),
        ({"expert_parallel": True}, "--expert-parallel: llama-3.1-8b has no experts"),
    ],
)
def test_extras_that_make_no_sense_are_refused(extras, message):
    with pytest.raises(BadInput, match=message):
        planned(**extras)


def test_other_engines_are_not_planned_with_extras():
    request = Request(model="llama-3.1-8b", hardware="1xL40S", engine="sglang", extras=Extras(max_loras=1))
    with pytest.raises(NoFeasiblePlan, match="planned under vllm only, not under sglang"):
        make_plan(request)
