"""`quantplan rules`: what people and programs see."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli.rules_command import command
from rules.errors import UnknownDecision

BROKEN = """\
decision: kv_cache
question: How is the KV cache stored?
pick: first
rules:
  - id: always-fp8
    when:
      - gpu.has_fp9
    then: {kv_cache: fp8}
    because: FP8 halves it.
    source: A.roadmap.4
    examples: [{it: any, given: {}}]
"""


def rules(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_check_passes_on_the_built_in_book() -> None:
    done = rules("check")
    assert done.exit_code == 0
    assert "every threshold is pinned from both sides" in done.output


def test_check_says_where_and_exits_with_2(write_book: Callable[[str], Path]) -> None:
    done = rules("check", "--rules", str(write_book(BROKEN)))
    assert done.exit_code == 2
    assert (
        "error: kv_cache.yaml:7:9: there is no fact gpu.has_fp9\n"
        "Did you mean: gpu.has_fp8, gpu.has_fp4?\n"
        "To fix: use a fact of rules/vocabulary.py, or declare a new one there\n"
    ) in done.output
    assert "1 decision, 0 rules, 0 examples: 1 error, 0 warnings." in done.output


def test_check_for_programs(write_book: Callable[[str], Path]) -> None:
    done = rules("check", "--json", "--rules", str(write_book(BROKEN)))
    found = json.loads(done.output)
    assert done.exit_code == 2
    assert found["passed"] is False
    assert found["findings"] == [
        {
            "kind": "broken",
            "file": "kv_cache.yaml",
            "line": 7,
            "column": 9,
            "message": "there is no fact gpu.has_fp9",
            "nearest": ["gpu.has_fp8", "gpu.has_fp4"],
            "fix": "use a fact of rules/vocabulary.py, or declare a new one there",
        }
    ]


def test_show_prints_question_rules_and_sources() -> None:
    done = rules("show", "width")
    assert done.exit_code == 0
    for words in (
        "How many bits should a weight have?",
        "Asked in order; the first rule that holds speaks.",
        "plenty-of-memory-16-bit",
        "hardware.memory_ratio >= 2",
        "width: 16-bit",
        "A.tree.1",
        "MaGe Linux Operations",
    ):
        assert words in done.output


def test_show_for_programs_is_the_whole_book() -> None:
    book = json.loads(rules("show", "--json").output)
    assert [decision["decision"] for decision in book["decisions"]] == [
        "vetoes", "width", "format", "engine", "kv_cache",
        "parallelism", "evaluate_also", "fallback", "ladder", "remedy", "calibration", "advice",
    ]  # fmt: skip
    stored = next(r for d in book["decisions"] for r in d["rules"] if r["id"] == "stored-4-bit-as-it-is")
    assert stored["then"] == {"format": "model.stored_format"}
    assert book["sources"]["A.tree.1"]["kind"] == "article"


def test_show_names_the_nearest_decision() -> None:
    with pytest.raises(UnknownDecision, match="Did you mean: width"):
        CliRunner().invoke(command, ["show", "widht"], catch_exceptions=False)
