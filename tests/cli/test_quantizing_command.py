"""`quantplan predict quantizing`, and what a plan says of quantizing."""

from __future__ import annotations

import json

from click.testing import CliRunner

from planner.cli.predict_command import command
from planner.planning.pipeline import make_plan
from planner.request import Request


def said(*words):
    return CliRunner().invoke(command, ["quantizing", *words])


def test_the_answer_is_a_labelled_sum():
    answer = said("llama-3-8b", "--format", "fp8", "--on", "1xA100-80GB")
    assert answer.exit_code == 0
    lines = answer.output.splitlines()
    assert lines[0] == "llm-compressor: rounding without text, one layer on the GPU"
    assert "    one layer               0.406 GiB  the largest, in 16 bits" in lines
    assert "  time to quantize              1 min  (0.33 to 3)" in lines


def test_as_json_it_has_the_names_that_a_run_compares():
    answer = json.loads(said("llama-3-8b", "--format", "fp8", "--on", "1xA100-80GB", "--json").output)
    names = [answer[key]["name"] for key in ("host_gib", "gpu_gib", "disk_gib", "minutes")]
    assert names == ["quantizing_host_gib", "quantizing_gpu_gib", "quantizing_disk_gib", "quantizing_minutes"]
    assert answer["warnings"] == []


def test_16_bit_weights_need_no_quantizing():
    refused = said("llama-3-8b", "--format", "bf16", "--on", "1xA100-80GB").exception
    assert str(refused) == (
        "bf16 needs no quantizing\nTo fix: choose a quantized format, such as awq-int4 or gguf-q4_k_m"
    )


def test_a_plan_that_quantizes_carries_its_needs():
    plan = make_plan(Request(model="llama-3-8b", hardware="cpu:64GB:8cores"))
    assert plan.quantizing is not None
    assert plan.quantizing.tool == "llama.cpp"
    assert plan.quantizing.host_gib.value < 5
