"""Asking the book: who speaks, who is passed over and why, and what vetoes do."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from rules.book import load_book
from rules.errors import UnknownDecision
from rules.vocabulary import DecidedFacts, Facts, HardwareFacts, ModelFacts, ToolFacts, WorkloadFacts

THREE = """\
decision: format
question: Which scheme?
pick: first
rules:
  - id: experts-gptq
    when:
      - model.is_moe
      - workload.may_calibrate
    then: {format: gptq-int4, group_size: 128, tool: gptqmodel}
    because: Experts are safer with GPTQ.
    source: A.pitfall.4
    examples: [{it: experts, given: {model: {is_moe: true}}}]
  - id: awq
    when: always
    then: {format: awq-int4, group_size: 128}
    because: AWQ is the default.
    note: The article says more.
    source: [A.tree.3, A.scheme.awq]
    examples: [{it: any, given: {}}]
  - id: nf4
    when: always
    then: {format: nf4}
    because: NF4 needs no data.
    source: A.scheme.nf4
    examples: [{it: AWQ ruled out, given: {}, avoiding: [awq-int4]}]
"""


@pytest.fixture
def three(write_book: Callable[[str], Path]) -> Path:
    return write_book(THREE)


def test_the_first_rule_that_holds_speaks(three: Path) -> None:
    answer = load_book(three).decide("format", Facts())
    assert answer.question == "Which scheme?"
    assert [spoken.rule for spoken in answer.spoke] == ["awq"]
    assert answer.outcome.model_dump() == {"format": "awq-int4", "group_size": 128, "tool": "none"}
    assert answer.spoke[0].source == "A.tree.3, A.scheme.awq"
    assert answer.spoke[0].note == "The article says more."


def test_those_asked_before_say_which_clause_failed_and_what_they_saw(three: Path) -> None:
    facts = Facts(model=ModelFacts(is_moe=True), workload=WorkloadFacts(may_calibrate=False))
    (before,) = load_book(three).decide("format", facts).passed_over
    assert before.rule == "experts-gptq"
    assert before.failed_clause == "workload.may_calibrate"
    assert before.saw == {"model.is_moe": True, "workload.may_calibrate": False}
    assert not before.vetoed


def test_a_vetoed_outcome_is_skipped_and_shown(three: Path) -> None:
    answer = load_book(three).decide("format", Facts(), avoiding={"awq-int4"})
    assert answer.outcome.format == "nf4"
    assert [(spoken.rule, spoken.vetoed) for spoken in answer.passed_over] == [("experts-gptq", False), ("awq", True)]


def test_nobody_speaks_when_everything_is_vetoed(three: Path) -> None:
    answer = load_book(three).decide("format", Facts(), avoiding={"awq-int4", "nf4"})
    assert answer.outcome is None
    assert answer.spoke == ()
    assert len(answer.passed_over) == 3


def test_every_lets_all_speak() -> None:
    facts = Facts(model=ModelFacts(params_b=1.2), workload=WorkloadFacts(may_calibrate=False))
    answer = load_book().decide("vetoes", facts)
    spoke = {spoken.rule for spoken in answer.spoke}
    assert {"small-model-no-int4", "no-calibration-no-awq", "no-rounding-to-nearest"} <= spoke
    assert len(answer.spoke) + len(answer.passed_over) == len(load_book().chapter("vetoes").rules)
    assert "small-model-no-int4" in {spoken.rule for spoken in answer.spoke}


def test_an_outcome_may_be_a_fact_of_the_situation() -> None:
    facts = Facts(decided=DecidedFacts(width="4-bit"), model=ModelFacts(stored_format="mxfp4"))
    spoken = load_book().decide("format", facts).spoke[0]
    assert spoken.outcome.format == "mxfp4"
    assert spoken.saw["model.stored_format"] == "mxfp4"
    assert load_book().decide("engine", Facts(tools=ToolFacts(runtime="sglang"))).outcome.engine == "sglang"


def test_a_veto_reaches_an_outcome_taken_from_a_fact() -> None:
    facts = Facts(decided=DecidedFacts(width="4-bit"), model=ModelFacts(stored_format="mxfp4"))
    answer = load_book().decide("format", facts, avoiding={"mxfp4"})
    assert "stored-4-bit-as-it-is" in {spoken.rule for spoken in answer.passed_over if spoken.vetoed}


def test_an_unknown_decision_names_the_nearest() -> None:
    with pytest.raises(UnknownDecision, match="the book has no decision `witdh`"):
        load_book().decide("witdh", Facts())


def test_answers_are_frozen_and_the_built_in_book_is_read_once() -> None:
    answer = load_book().decide("width", Facts(hardware=HardwareFacts(memory_ratio=0.5)))
    with pytest.raises(FrozenInstanceError):
        answer.decision = "another"  # type: ignore[misc]
    assert load_book() is load_book()
