"""What a newcomer does wrong in a folder of house rules, and what each is told: file, line, column, the fix."""

from pathlib import Path

import pytest

from rules.book import load_book
from rules.errors import RuleError

HOUSE = """\
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
SECOND = HOUSE[HOUSE.index("  - id:") :]
MISTAKES = {
    "a tab before a key": (
        "    then:", "\tthen:",
        "width.yaml:6:1: a tab stands where YAML takes only spaces\n"
        "To fix: replace it by spaces; an editor can show tabs, and do so for all",
    ),
    "a tab before a clause": (
        "      - workload.task", "\t- workload.task",
        "width.yaml:5:1: a tab stands where YAML takes only spaces\n"
        "To fix: replace it by spaces; an editor can show tabs, and do so for all",
    ),
    "a key out of line": (
        "    then:", "   then:",
        "width.yaml:6:4: not YAML: did not find expected '-' indicator\n"
        "To fix: line it up: the keys of one rule begin in one column, and so do the `- ` of one list",
    ),
    "a quote left open": (
        "because: Our", 'because: "Our',
        "width.yaml:7:14: a quote that opens here is never closed\nTo fix: close it, or leave it out",
    ),
    "a clause that is no list": (
        "      - workload.task", "      workload.task",
        "width.yaml:5:7: `when` cannot be `workload.task == code`\n"
        "To fix: it should be a list: each on a line of its own that begins with `- `",
    ),
    "a number as text": (
        "workload.task == code", 'model.params_b >= "7"',
        "width.yaml:5:27: model.params_b is a number; `7` is not\nTo fix: take the quotes off: `7`",
    ),
    "a number with its unit": (
        "workload.task == code", "gpu.memory_gib >= 80GB",
        "width.yaml:5:28: cannot read the clause `gpu.memory_gib >= 80GB`\n"
        "To fix: write the number alone, `80`: the fact's name says its unit",
    ),
    "a fact in another unit": (
        "workload.task == code", "gpu.memory_gb >= 80",
        "width.yaml:5:9: there is no fact gpu.memory_gb\nDid you mean: gpu.memory_gib, gpu.vendor?\n"
        "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
    ),
    "one sign for two": (
        "workload.task == code", "workload.task = code",
        "width.yaml:5:23: cannot read the clause `workload.task = code`\n"
        "To fix: compare with two signs: `workload.task == code`",
    ),
    "no source": (
        "    source: A.switch.1\n", "",
        "width.yaml:3:5: the key `source` is missing\nTo fix: add `source:` an id of sources.yaml",
    ),
    "no example": (
        HOUSE[HOUSE.index("    examples:") :], "",
        "width.yaml:3:5: the key `examples` is missing\nTo fix: add `examples:` situations it speaks in, and with "
        "`picked: false` one in which it stays silent",
    ),
    "one id twice": (
        SECOND, SECOND + SECOND,
        "width.yaml:12:9: another rule is called `code-at-8-bits`\n"
        "To fix: give it an id of its own, saying the outcome; the other stands in line 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_its_fix(tmp_path: Path, mistake: str) -> None:
    sound, broken, said = MISTAKES[mistake]
    assert sound in HOUSE
    (tmp_path / "width.yaml").write_text(HOUSE.replace(sound, broken, 1), encoding="utf-8")
    with pytest.raises(RuleError) as caught:
        load_book(tmp_path)
    assert str(caught.value) == said


def test_the_file_as_it_should_be_is_sound(tmp_path: Path) -> None:
    (tmp_path / "width.yaml").write_text(HOUSE, encoding="utf-8")
    assert "code-at-8-bits" in {rule.id for rule in load_book(tmp_path).chapter("width").rules}


def test_a_file_of_another_ending_is_named(tmp_path: Path) -> None:
    (tmp_path / "width.yml").write_text(HOUSE, encoding="utf-8")
    with pytest.raises(RuleError, match=r"no decision files\nTo fix: rename width\.yml to width\.yaml"):
        load_book(tmp_path)
