"""`rules test`, and the schema that editors check decision files with."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from planner.cli.rules_command import command
from rules.book import BUILT_IN, load_book
from rules.errors import RuleError
from rules.json_schema import decision_schema
from rules.testing import asked_examples

DECISIONS = sorted((BUILT_IN / "decisions").glob("*.yaml"))


def test_all_examples_of_the_book_come_out() -> None:
    asked = list(asked_examples(load_book()))
    assert len(asked) == sum(len(r.examples) for c in load_book().chapters.values() for r in c.rules)
    assert [example for example in asked if not example.passed] == []


def test_a_rule_or_a_decision_may_be_named() -> None:
    of_one = list(asked_examples(load_book(), ["small-model-no-int4"]))
    assert {example.rule for example in of_one} == {"small-model-no-int4"}
    assert [example.should_speak for example in of_one] == [True, True, False, False]
    assert {example.decision for example in asked_examples(load_book(), ["width"])} == {"width"}
    with pytest.raises(RuleError) as caught:
        list(asked_examples(load_book(), ["widht"]))
    assert str(caught.value).startswith("there is no rule or decision `widht`\nDid you mean: width")


def test_a_failing_example_says_what_spoke_instead(tmp_path: Path) -> None:
    text = (BUILT_IN / "decisions" / "parallelism.yaml").read_text(encoding="utf-8")
    wrong = text.replace("picked: false", "picked: true", 1)
    (tmp_path / "parallelism.yaml").write_text(wrong, encoding="utf-8")
    done = CliRunner().invoke(command, ["test", "parallelism", "--rules", str(tmp_path)])
    assert done.exit_code == 2
    assert "expected: speaks;" in done.output
    assert "1 do not come out as they say." in done.output
    plain = CliRunner().invoke(command, ["test", "parallelism", "--rules", str(tmp_path), "--json"])
    assert [example["passed"] for example in json.loads(plain.output)].count(False) == 1


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_the_schema_accepts_every_built_in_file(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), decision_schema())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"decision": "widht"}, "'widht' is not one of"),
        ({"picks": "first"}, "'picks' was unexpected"),
        ({"rules": [{"id": "Not An Id"}]}, "is a required property"),
    ],
)
def test_the_schema_refuses_what_the_book_refuses(change: dict[str, object], says: str) -> None:
    sound = yaml.safe_load((BUILT_IN / "decisions" / "width.yaml").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError, match=says):
        jsonschema.validate({**sound, **change}, decision_schema())


def test_the_schema_knows_what_each_decision_concludes() -> None:
    sound = yaml.safe_load((BUILT_IN / "decisions" / "width.yaml").read_text(encoding="utf-8"))
    sound["rules"][0]["then"] = {"format": "bf16"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sound, decision_schema())
