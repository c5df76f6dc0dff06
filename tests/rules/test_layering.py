"""House rules: what a folder adds to the built-in book, takes out of it, and where a mistake in it is reported."""

from pathlib import Path

import pytest

from rules.book import BUILT_IN, load_book
from rules.checking import check_book
from rules.errors import BadShape
from rules.vocabulary import Facts, GpuFacts, ModelFacts, WorkloadFacts

CODE_AT_8_BITS = """\
decision: width
rules:
  - id: code-at-8-bits
    when:
      - workload.task == code
    then: {width: 8-bit}
    because: Our code models lost too much at 4 bits.
    source: A.switch.1
    examples:
      - {it: a code model, given: {workload: {task: code}}}
      - {it: chat, given: {workload: {task: chat}}, picked: false}
"""
SMALL_MODELS_MAY = """\
decision: vetoes
without: [small-model-no-int4]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "width.yaml").write_text(CODE_AT_8_BITS, encoding="utf-8")
    return tmp_path


def test_house_rules_are_asked_before_those_of_the_book(house: Path) -> None:
    roomy = Facts(workload=WorkloadFacts(task="code"))
    assert load_book().decide("width", roomy).outcome.width == "16-bit"
    spoken = load_book(house).decide("width", roomy).spoke[0]
    assert (spoken.rule, spoken.outcome.width, spoken.book) == ("code-at-8-bits", "8-bit", house)


def test_where_no_house_rule_holds_the_book_answers_as_before(house: Path) -> None:
    answer = load_book(house).decide("width", Facts())
    assert answer.spoke[0].book == BUILT_IN
    assert answer.spoke[0].rule == load_book().decide("width", Facts()).spoke[0].rule
    assert load_book(house).chapters["format"] is load_book().chapters["format"]


def test_a_rule_of_the_same_id_takes_the_place_of_the_books(house: Path) -> None:
    ids = [rule.id for rule in load_book().chapters["width"].rules]
    text = CODE_AT_8_BITS.replace("code-at-8-bits", ids[2])
    (house / "width.yaml").write_text(text, encoding="utf-8")
    replaced = load_book(house).chapters["width"].rules
    assert [rule.id for rule in replaced] == ids
    assert [rule.book for rule in replaced].index(house) == 2


def test_without_takes_a_rule_out(tmp_path: Path) -> None:
    (tmp_path / "vetoes.yaml").write_text(SMALL_MODELS_MAY, encoding="utf-8")
    small = Facts(model=ModelFacts(params_b=1.2), gpu=GpuFacts())
    vetoed = {spoken.rule for spoken in load_book().decide("vetoes", small).spoke}
    assert vetoed - {spoken.rule for spoken in load_book(tmp_path).decide("vetoes", small).spoke} == {
        "small-model-no-int4"
    }


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (
            "without: [small-model-no-int4]",
            "without: [small-model-no-int8]",
            "vetoes.yaml:2:11: the book beneath has no rule `small-model-no-int8` here\n"
            "Did you mean: small-model-no-int4, blackwell-no-int8?\n"
            "To fix: name a rule that `quantplan rules show vetoes` lists",
        ),
        (
            "without: [small-model-no-int4]",
            "rules: []",
            "vetoes.yaml:2:8: there are no rules\nTo fix: add a rule, or take one out by `without`",
        ),
        (
            "without: [small-model-no-int4]",
            "question: Q?\npick: every\nwithout: [small-model-no-int4]",
            "vetoes.yaml:4:10: a whole decision has nothing to leave out\n"
            "To fix: drop `without`, or drop `question` and `pick` to add to the book beneath",
        ),
        (
            "without: [small-model-no-int4]",
            "question: Q?\nwithout: [small-model-no-int4]",
            "vetoes.yaml:1:1: the key `pick` is missing\nTo fix: add `pick:`",
        ),
    ],
)
def test_the_exact_words(tmp_path: Path, before: str, after: str, says: str) -> None:
    (tmp_path / "vetoes.yaml").write_text(SMALL_MODELS_MAY.replace(before, after), encoding="utf-8")
    with pytest.raises(BadShape) as caught:
        load_book(tmp_path)
    assert str(caught.value) == says


def test_two_house_files_cannot_both_be_asked_first(house: Path) -> None:
    (house / "width2.yaml").write_text(CODE_AT_8_BITS.replace("code-at", "all-code-at"), encoding="utf-8")
    with pytest.raises(BadShape, match=r"width2.yaml:1:1: the decision `width` is made in width.yaml already"):
        load_book(house)


def test_the_check_counts_the_house_rules_and_tells_which_built_in_examples_change(house: Path) -> None:
    check = check_book(house)
    assert (check.passed, check.decisions, check.rules, check.examples) == (True, 1, 1, 2)
    (house / "width.yaml").write_text(CODE_AT_8_BITS.replace("\n      - workload.task == code", " always"))
    changed = [str(finding.error) for finding in check_book(house).findings if finding.kind == "changed"]
    assert any("code-at-8-bits speaks instead of" in text for text in changed)
    assert all(
        "To fix: nothing, if the house rules mean it; else give them one more clause" in text for text in changed
    )


def test_rules_that_speak_together_must_not_disagree(tmp_path: Path) -> None:
    text = CODE_AT_8_BITS.replace("decision: width", "decision: calibration").replace("width: 8-bit", "samples: 128")
    to_awq = "given: {workload: {task: code}, decided: {format: awq-int4, tool: llm-compressor}}"
    text = text.replace("given: {workload: {task: code}}", to_awq)
    (tmp_path / "calibration.yaml").write_text(text, encoding="utf-8")
    found = [str(finding.error) for finding in check_book(tmp_path).findings if finding.kind == "contradiction"]
    assert found == [
        "calibration.yaml:10:9: `a code model`: code-at-8-bits and awq-usual-settings disagree on `samples`\n"
        "To fix: give one of them a clause that the other does not fulfil"
    ]
    assert not check_book(tmp_path).passed
