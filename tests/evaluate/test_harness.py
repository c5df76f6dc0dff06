"""lm-evaluation-harness: its command, its results, names of the articles, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from executor.evaluate.harness import SHIPPED_TASKS, Tasks, harness_command, run_tasks, scores
from executor.processes import Processes
from planner.errors import BadInput, ExecutionFailed

# From results_*.json of lm_eval 0.4.13.
RESULTS = {
    "results": {
        "quantplan_choice": {
            **{"alias": "quantplan_choice", "acc,none": 0.4375, "acc_stderr,none": 0.128},
            **{"acc_norm,none": 0.5, "acc_norm_stderr,none": 0.129},
        },
        "humaneval": {"pass@1,create_test": 0.25, "pass@1_stderr,create_test": "N/A"},
    },
    "n-samples": {"quantplan_choice": {"original": 16, "effective": 16}},
}
ADDRESS = {"url": "http://127.0.0.1:1", "model": "m", "tokenizer": Path("/t"), "results": Path("/r")}


def test_the_articles_names_are_the_harnesss() -> None:
    tasks = Tasks(("MMLU", "C-Eval", "HumanEval", "arc_easy"), run_generated_code=True)
    assert tasks.known_names == ("mmlu", "ceval-valid", "humaneval", "arc_easy")


def test_the_command_asks_the_running_server() -> None:
    command = harness_command(Tasks(("quantplan_choice",), limit=5), Path("/py"), **ADDRESS)
    words = [str(word) for word in command]
    assert words[:6] == ["/py", "-m", "lm_eval", "run", "--model", "local-completions"]
    assert words[words.index("--model_args") + 1].startswith("base_url=http://127.0.0.1:1/v1/completions,model=m,")
    assert words[words.index("--include_path") + 1] == str(SHIPPED_TASKS)
    assert words[words.index("--limit") + 1] == "5"
    assert "--confirm_run_unsafe_code" not in words


def test_a_task_that_runs_what_the_model_writes_needs_leave() -> None:
    with pytest.raises(BadInput) as refused:
        Tasks(("HumanEval",))
    assert str(refused.value) == (
        "humaneval runs code that the model writes\n"
        "To fix: run it in a sandbox you trust, and say so: --run-generated-code"
    )
    command = harness_command(Tasks(("humaneval",), run_generated_code=True), Path("/py"), **ADDRESS)
    assert "--confirm_run_unsafe_code" in command


def test_a_name_that_would_be_read_as_arguments_is_refused() -> None:
    """A hostile name that would switch remote code on: the argument is here only to be refused, and nothing is run."""
    with pytest.raises(BadInput, match="cannot be told to lm-evaluation-harness"):
        harness_command(Tasks(("mmlu",)), Path("/py"), **{**ADDRESS, "model": "m,trust_remote_code=True"})


def test_the_main_figure_of_each_task_is_read() -> None:
    choice, code = scores(RESULTS, ("quantplan_choice", "humaneval"))
    assert (choice.metric, choice.value, choice.standard_error, choice.samples) == ("acc_norm", 0.5, 0.129, 16)
    assert (code.metric, code.value, code.standard_error, code.samples) == ("pass@1", 0.25, None, None)


def test_a_task_without_a_figure_is_an_error() -> None:
    with pytest.raises(ExecutionFailed, match="gave no figure for mmlu"):
        scores(RESULTS, ("mmlu",))


def test_results_of_an_earlier_run_are_not_taken_for_new(tmp_path: Path) -> None:
    old = tmp_path / "lm-eval" / "results_old.json"
    old.parent.mkdir()
    old.write_text(json.dumps(RESULTS))
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\n")
    fake.chmod(0o755)
    with Processes() as processes, pytest.raises(ExecutionFailed, match="wrote no results"):
        run_tasks(
            Tasks(("quantplan_choice",)),
            fake,
            processes,
            url="http://u",
            model="m",
            tokenizer=tmp_path,
            folder=tmp_path,
        )


def test_the_shipped_questions_have_one_right_answer_each() -> None:
    rows = [json.loads(line) for line in (SHIPPED_TASKS / "choice.jsonl").read_text().splitlines()]
    assert len(rows) >= 16
    for row in rows:
        assert len(set(row["choices"])) == len(row["choices"]) == 4
        assert 0 <= row["answer"] < 4
    assert len({row["question"] for row in rows}) == len(rows)
    assert len({row["answer"] for row in rows}) > 1
