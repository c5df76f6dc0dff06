"""What a book makes of requests, and what another book would change."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.asking import read_requests
from planner.catalog import data_file
from planner.cli.rules_command import command
from planner.errors import BadInput
from planner.planning.reviewing import about_rule, changes, verdict
from planner.request import Request
from rules.book import load_book

SEVENTY = Request(model="llama-3.1-70b", hardware="1xA100-80GB")
NO_AWQ = """\
decision: vetoes
rules:
  - id: no-awq-here
    when: always
    then: {avoid: [awq-int4]}
    because: Our platform team signs off GPTQ only.
    source: B.when.gptq
    examples: [{it: any model}]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "vetoes.yaml").write_text(NO_AWQ, encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"model": "llama-3.1-70b", "hardware": "1xA100-80GB"}\n', encoding="utf-8")
    return file


def test_a_house_rule_changes_the_choice_and_its_reasons(house: Path) -> None:
    (change,) = changes([SEVENTY], load_book(), load_book(house))
    assert change.changes_the_choice
    assert (change.choice_before[:8], change.choice_after[:9]) == ("awq-int4", "gptq-int4")
    by_name = {decision.decision: decision for decision in change.decisions}
    assert "no-awq-here (avoid: ['awq-int4'])" in set(by_name["vetoes"].after) - set(by_name["vetoes"].before)
    assert list(changes([SEVENTY], load_book(), load_book())) == []


def test_a_refusal_still_tells_what_the_rules_said() -> None:
    found = verdict(Request(model="llama-3.1-405b", hardware="1xA100-80GB"), load_book())
    assert found.choice == "no feasible plan"
    assert "does not fit" in (found.refused or "") or "no feasible plan" in (found.refused or "")
    assert {"width", "vetoes"} <= {decision.decision for decision in found.decisions}


def test_one_rule_explained() -> None:
    decisions = verdict(SEVENTY, load_book()).decisions
    (silent,) = about_rule(decisions, "small-model-no-int4", load_book())
    assert [evidence.failed_clause for evidence in silent.passed_over] == ["model.params_b < 3"]
    with pytest.raises(BadInput, match="Did you mean: small-model-no-int4"):
        about_rule(decisions, "smal-model-no-int4", load_book())


def test_the_command_explains_and_names_the_house_rules(house: Path, asked: Path) -> None:
    done = CliRunner().invoke(command, ["explain", str(asked), "--rules", str(house), "--json"])
    found = json.loads(done.output)
    assert found["choice"].startswith("gptq-int4 on vllm")
    vetoes = next(decision for decision in found["decisions"] if decision["decision"] == "vetoes")
    assert {e["rule"]: e["house_rules"] for e in vetoes["answered_by"]}["no-awq-here"] == str(house)
    text = CliRunner().invoke(command, ["explain", str(asked), "--rule", "small-model-no-int4"]).output
    assert "needs model.params_b < 3; model.params_b = 70.5" in text


def test_the_command_compares_two_books(house: Path, asked: Path) -> None:
    done = CliRunner().invoke(command, ["diff", "built-in", str(house), "--requests", str(asked)])
    assert done.exit_code == 0
    assert "1 of 1 requests choose otherwise" in done.output
    assert "+ vetoes: no-awq-here (avoid: ['awq-int4'])" in done.output


def test_a_folder_that_is_not_there(asked: Path) -> None:
    done = CliRunner().invoke(command, ["diff", "built-in", "hose", "--requests", str(asked)])
    assert str(done.exception) == (
        "no such folder of rules: hose\nTo fix: name a folder with decision files, or built-in"
    )


def test_every_shipped_situation_is_a_request() -> None:
    requests = read_requests(data_file("situations.jsonl"))
    assert len(requests) >= 30
    assert len({request.model_dump_json() for request in requests}) == len(requests)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"model": "8B"}', "hardware: field required"),
        ('{"model": "8B", "hardware": "1xL4"}\nnot json', ":2: not JSON:"),
        (
            '{"model": "8B", "hardware": "1xL4", "price": {"utilisation": 0}}',
            "price.utilisation: input should be",
        ),
    ],
)
def test_a_bad_request_names_the_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_requests(file)
    assert says in str(caught.value)
    assert 'To fix: write {"model": "llama-3.1-8b", "hardware": "1xL4"}, one a line' in str(caught.value)
