"""Clauses: what they may say, what they mean, and what their author is told when they are wrong."""

import pytest

from rules.clauses import compile_clause
from rules.errors import BadClause
from rules.vocabulary import DecidedFacts, Facts, GpuFacts, HardwareFacts, ModelFacts, ToolFacts, WorkloadFacts

H100 = Facts(gpu=GpuFacts(compute_capability=9.0, has_fp8=True, architecture="Hopper", vendor="nvidia"))
MI300X = Facts(gpu=GpuFacts(compute_capability=None, has_fp8=True, architecture="CDNA 3", vendor="amd"))


@pytest.mark.parametrize(
    ("clause", "facts", "holds"),
    [
        ("workload.context_tokens >= 32768", Facts(workload=WorkloadFacts(context_tokens=32768)), True),
        ("workload.context_tokens >= 32768", Facts(workload=WorkloadFacts(context_tokens=32767)), False),
        ("32768 <= workload.context_tokens", Facts(workload=WorkloadFacts(context_tokens=32768)), True),
        ("model.is_moe", Facts(model=ModelFacts(is_moe=True)), True),
        ("not model.is_moe", Facts(model=ModelFacts(is_moe=True)), False),
        ("gpu.architecture == Hopper", H100, True),
        ('gpu.architecture == "CDNA 3"', MI300X, True),
        ("gpu.vendor != nvidia", MI300X, True),
        ("workload.task in [reasoning, code]", Facts(workload=WorkloadFacts(task="code")), True),
        ("workload.task not in [reasoning, code]", Facts(workload=WorkloadFacts(task="code")), False),
        ("0.9 <= hardware.memory_ratio < 2.0", Facts(hardware=HardwareFacts(memory_ratio=0.9)), True),
        ("0.9 <= hardware.memory_ratio < 2.0", Facts(hardware=HardwareFacts(memory_ratio=2.0)), False),
        ("hardware.memory_ratio > -1", Facts(), True),
        ("decided.width == 4-bit", Facts(decided=DecidedFacts(width="4-bit")), True),
        ("decided.format in [awq-int4, gguf-q4_k_m]", Facts(decided=DecidedFacts(format="gguf-q4_k_m")), True),
        ("tools.runtime == llama.cpp", Facts(tools=ToolFacts(runtime="llama.cpp")), True),
        ("hardware.kind == gpu", Facts(), True),
        ("workload.context_tokens > model.max_context_tokens", Facts(model=ModelFacts(max_context_tokens=4096)), True),
    ],
)
def test_a_clause_means_what_it_says(clause: str, facts: Facts, holds: bool) -> None:
    assert compile_clause(clause).holds(facts) is holds


@pytest.mark.parametrize(
    "clause",
    [
        "gpu.compute_capability < 8.0",
        "gpu.compute_capability >= 8.0",
        "gpu.compute_capability != 8.0",
        "gpu.compute_capability not in [8.0, 9.0]",
        "7.5 <= gpu.compute_capability < 10.0",
    ],
)
def test_what_does_not_apply_makes_every_comparison_false(clause: str) -> None:
    assert compile_clause(clause).holds(MI300X) is False


@pytest.mark.parametrize("clause", ["decided.fits_one_gpu", "not decided.fits_one_gpu"])
def test_an_unknown_truth_is_neither_true_nor_false(clause: str) -> None:
    assert not compile_clause(clause).holds(Facts(decided=DecidedFacts(fits_one_gpu=None)))


def test_presence_can_be_asked_for() -> None:
    assert compile_clause("gpu.compute_capability is None").holds(MI300X)
    assert compile_clause("gpu.compute_capability is not None").holds(H100)


def test_a_clause_knows_the_facts_it_reads() -> None:
    assert compile_clause("0.9 <= hardware.memory_ratio < 2.0").reads == ("hardware.memory_ratio",)


@pytest.mark.parametrize(
    ("clause", "column", "text"),
    [
        (
            "workload.contxt_tokens >= 32768",
            1,
            "there is no fact workload.contxt_tokens\n"
            "Did you mean: workload.context_tokens, workload.output_tokens?\n"
            "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
        ),
        (
            "8.9 <= gpu.capability",
            8,
            "there is no fact gpu.capability\n"
            "Did you mean: gpu.compute_capability?\n"
            "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
        ),
        (
            "not modle.is_moe",
            5,
            "there is no fact modle.is_moe\n"
            "Did you mean: model.is_moe?\n"
            "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
        ),
        (
            "model.is_moe >= 8",
            1,
            "model.is_moe is true or false, not compared\nTo fix: write `model.is_moe` or `not model.is_moe`",
        ),
        (
            "workload.context_tokens >= long",
            28,
            "workload.context_tokens is a number; `long` is not\nTo fix: give it a whole number",
        ),
        (
            "workload.context_tokens",
            1,
            "workload.context_tokens is a number, not true or false\nTo fix: compare it with a value",
        ),
        (
            "workload.task == reasonning",
            18,
            "workload.task is never `reasonning`\n"
            "Did you mean: reasoning?\n"
            "To fix: give it one of general, chat, reasoning, code, rag, batch, agents, embedding",
        ),
        (
            "decided.width > 4-bit",
            1,
            "decided.width is a word and has no order\nTo fix: use `==`, `!=`, `in` or `not in`",
        ),
        (
            "workload.task in reasoning",
            18,
            "`in` needs a list\nTo fix: write `workload.task in [one, two]`",
        ),
        (
            "model.is_moe and gpu.has_fp8",
            1,
            "a clause says one thing\nTo fix: write one clause a line; for `or` use `in [...]`, or two rules",
        ),
        (
            "len(model.family) > 3",
            1,
            "a clause cannot say `len(model.family)`\nTo fix: compare a declared fact with a value",
        ),
        (
            "__import__('os').system('true')",
            1,
            "a clause cannot say `__import__('os').system('true')`\nTo fix: compare a declared fact with a value",
        ),
        (
            "model.params_b * 2 > 3",
            1,
            "a clause cannot say `model.params_b * 2`\nTo fix: compare a declared fact with a value",
        ),
        (
            "hardware.kind is None",
            1,
            "hardware.kind always has a value\nTo fix: drop this clause",
        ),
        (
            "workload.context_tokens >=",
            26,
            "cannot read the clause `workload.context_tokens >=`\n"
            "To fix: write one comparison a line: `workload.context_tokens >= 32768`, `not model.is_moe`",
        ),
    ],
)
def test_a_wrong_clause_says_where_and_what_to_write(clause: str, column: int, text: str) -> None:
    with pytest.raises(BadClause) as caught:
        compile_clause(clause)
    assert caught.value.column == column
    assert str(caught.value).split(": ", 1)[1] == text


@pytest.mark.parametrize(
    "clause",
    [
        "1 < 2",
        "not " * 20000 + "model.is_moe",
        "(" * 5000,
        "a\0b",
        "true",
        "model",
        "model.__class__ == x",
        "[model.is_moe]",
        "lambda: 1",
    ],
)
def test_nothing_else_is_a_clause(clause: str) -> None:
    with pytest.raises(BadClause):
        compile_clause(clause)
