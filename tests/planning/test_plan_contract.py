"""The plan file: sealed, versioned, refused when altered; the exact words are part of the contract."""

import json
from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.figures import cache_room
from planner.plan import Plan, load_plan
from planner.planning import make_plan
from planner.request import Request, Workload


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB"))


@pytest.fixture
def file(plan: Plan, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    plan.write(path)
    return path


def test_a_written_plan_reads_back_as_the_same_plan(plan: Plan, file: Path) -> None:
    assert load_plan(file) == plan
    assert not list(file.parent.glob("*.partial"))


def test_an_altered_plan_is_refused(file: Path) -> None:
    content = json.loads(file.read_text())
    content["chosen"]["tensor_parallel"] = 2
    file.write_text(json.dumps(content))
    with pytest.raises(BadInput) as caught:
        load_plan(file)
    assert str(caught.value) == (
        f"{file}: the plan was altered after it was made (its digest does not match)\n"
        "To fix: plan again with the options you want instead of editing the file"
    )


def test_a_plan_of_another_version_is_refused(file: Path) -> None:
    content = json.loads(file.read_text()) | {"schema_version": 99}
    file.write_text(json.dumps(content))
    with pytest.raises(BadInput) as caught:
        load_plan(file)
    assert str(caught.value) == (
        f"{file}: plan of schema version 99; this quantplan reads version 2\n"
        "To fix: plan again with this version: `quantplan plan --out FILE`"
    )


def test_a_plan_with_an_unknown_key_is_refused(file: Path) -> None:
    content = json.loads(file.read_text()) | {"shell": "rm -rf"}
    file.write_text(json.dumps(content))
    with pytest.raises(BadInput, match="not a valid plan: shell: Extra inputs are not permitted"):
        load_plan(file)


def test_a_missing_plan_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_plan(tmp_path / "none.json")
    assert str(caught.value) == (
        f"{tmp_path / 'none.json'}: no such plan file\nTo fix: make one: quantplan plan MODEL --on HARDWARE --out FILE"
    )


def test_half_a_plan_file_is_not_a_plan(file: Path) -> None:
    file.write_text(file.read_text()[:500])
    with pytest.raises(BadInput, match="not a plan"):
        load_plan(file)


def test_the_same_question_makes_the_same_plan_but_for_its_time(plan: Plan) -> None:
    again = make_plan(plan.request)
    assert again.model_dump(exclude={"created_at", "digest"}) == plan.model_dump(exclude={"created_at", "digest"})


def test_a_server_that_could_hold_longer_requests_says_that_it_refuses_them() -> None:
    request = Request(model="llama-3.1-8b", hardware="1xL40S", workload=Workload(context_tokens=1300))
    memory = make_plan(request).chosen.memory
    assert "Requests of more than 1,300 tokens are refused; --context-tokens lets longer ones in." in cache_room(
        memory, 1300
    )
    assert "refused" not in cache_room(make_plan(Request(model="llama-3.1-8b", hardware="1xL40S")).chosen.memory, 1300)


def test_the_digest_does_not_see_a_field_that_has_its_default(plan: Plan, file: Path) -> None:
    """So a plan of today is still whole for a later version that knows more fields, or wrote more of them."""
    content = json.loads(file.read_text())
    assert content["chosen"]["pipeline_parallel"] == 1
    del content["chosen"]["pipeline_parallel"]
    file.write_text(json.dumps(content))
    assert load_plan(file).digest == plan.digest


def test_a_plan_of_the_first_schema_says_what_to_do(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 1}))
    with pytest.raises(BadInput, match="plan of schema version 1; this quantplan reads version 2"):
        load_plan(file)


def test_every_rung_leads_somewhere(file: Path) -> None:
    content = json.loads(file.read_text())
    del content["ways"][next(iter(content["ways"]))]
    file.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"not a valid plan: .*no way for the rung"):
        load_plan(file)


def test_the_ways_share_what_is_the_plans_own(plan: Plan) -> None:
    fewer = next(way for says, way in plan.ways.items() if says == "4 requests at once, requests of up to 1,300 tokens")
    assert {"fetch", "findings", "report"} <= {stage for stage in fewer.stages if isinstance(stage, str)}
    assert "weights_gib" in fewer.predictions and not fewer.candidate.predictions
    assert len(plan.as_json()) < 75_000


def test_rules_that_stayed_silent_are_kept_only_where_one_was_to_speak(plan: Plan) -> None:
    by_name = {decision.decision: decision for decision in plan.decisions}
    assert by_name["width"].passed_over and not by_name["advice"].passed_over and not by_name["vetoes"].passed_over
