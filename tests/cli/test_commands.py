"""The command line as programs and people meet it: exit codes, exact error words, JSON, plain text off a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest


def quantplan(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "planner.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "110"} | environment,
    )


def test_help_lists_every_command_and_the_exit_codes() -> None:
    done = quantplan("--help")
    assert done.returncode == 0
    for word in ("plan", "apply", "runs", "show", "detect", "demo", "rules", "no feasible plan"):
        assert word in done.stdout


def test_an_unknown_command_names_the_nearest() -> None:
    done = quantplan("pln", "llama-3.1-8b")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: there is no command 'pln'\nDid you mean: plan")
    assert done.stderr.endswith("To fix: `quantplan --help` lists the commands\n")


@pytest.mark.parametrize("command", ["plan", "apply", "runs", "show", "detect", "demo", "rules"])
def test_every_command_has_help_and_json(command: str) -> None:
    done = quantplan(command, "--help") if command != "rules" else quantplan("rules", "check", "--help")
    assert done.returncode == 0, done.stderr
    assert "--json" in done.stdout


def test_plan_for_people_has_no_escape_codes_off_a_terminal() -> None:
    done = quantplan("plan", "llama-3.1-70b", "--on", "1xA100-80GB")
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    for words in ("awq-int4", "vllm", "A.tree.3", "weights", "KV cache", "per 1M output tokens", "free"):
        assert words in done.stdout


def test_the_options_of_plan_are_listed_in_sections_and_none_is_left_out() -> None:
    shown = quantplan("plan", "--help").stdout
    titles = ("Where:", "What is asked of it:", "What it must reach:", "Insist on:", "Prices:", "The answer:")
    places = [shown.index(title) for title in titles]
    assert places == sorted(places)
    from planner.cli.plan_command import command

    for option in command.params:
        if isinstance(option, click.Option):
            assert f"  {option.opts[0]}" in shown, option.opts[0]


def test_a_plan_says_what_is_tried_on_each_trouble_in_order_and_with_all_also_why() -> None:
    asked = ("plan", "llama-3.1-8b", "--on", "1xL4")
    short, whole = quantplan(*asked).stdout, quantplan(*asked, "--all").stdout
    assert "kernel         bf16 → awq-int4 → gguf-q4_k_m, on llama.cpp" in short
    assert "[lossy-at-8-then-16]" in whole and "[lossy-at-8-then-16]" not in short


def test_weights_of_a_split_model_are_told_by_the_accelerator() -> None:
    done = quantplan("plan", "llama-3.1-70b", "--on", "2xL40S")
    assert "on each of 2 accelerators" in done.stdout


def test_plan_for_programs_is_one_json_document() -> None:
    done = quantplan("plan", "llama-3.1-8b", "--on", "1xH100-80GB", "--json")
    plan = json.loads(done.stdout)
    assert plan["chosen"]["format"] == "bf16"
    assert plan["digest"].startswith("sha256:")


def test_an_unfeasible_question_exits_with_3() -> None:
    done = quantplan("plan", "llama-3.1-70b", "--on", "1xH100-80GB", "--format", "bf16")
    assert done.returncode == 3
    assert "no feasible plan for" in done.stderr
    assert "To fix:" in done.stderr


def test_problems_are_json_too_when_json_is_asked_for() -> None:
    done = quantplan("plan", "llama-3.1-70b", "--on", "1xA1000-80GB", "--json")
    assert done.returncode == 2
    problem = json.loads(done.stdout)
    assert problem["error"] == "unknown accelerator '1xA1000-80GB'" or "unknown accelerator" in problem["error"]
    assert any("A100" in name for name in problem["nearest"])
    assert problem["fix"]


def test_an_unknown_model_names_the_nearest() -> None:
    done = quantplan("plan", "lama-3.1-70b", "--on", "1xA100-80GB", HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert "Did you mean: " in done.stderr
    assert "llama-3.1-70b" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--concurrency", "0", "--concurrency 0: input should be greater than 0"),
        ("--input-tokens", "-5", "--input-tokens -5: input should be greater than 0"),
        ("--utilisation", "0", "--utilisation 0.0: input should be greater than or equal to 0.001"),
        ("--utilisation", "1.5", "--utilisation 1.5: input should be less than or equal to 1"),
        ("--usd-per-hour", "-1", "--usd-per-hour -1.0: input should be greater than or equal to 0"),
        ("--usd-per-hour", "nan", "--usd-per-hour nan: input should be a finite number"),
        ("--tensor-parallel", "0", "--tensor-parallel 0: input should be greater than 0"),
    ],
)
def test_impossible_options_are_refused_by_name(option: str, value: str, words: str) -> None:
    done = quantplan("plan", "llama-3.1-8b", "--on", "1xH100-80GB", option, value)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_plan_is_written_whole(tmp_path: Path) -> None:
    done = quantplan("plan", "13B", "--on", "cpu:64GB", "--out", "plan.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]
    assert json.loads((tmp_path / "plan.json").read_text())["chosen"]["format"] == "gguf-q4_k_m"
