"""The plan file: sealed, versioned, refused when altered; the exact words are part of the contract."""

import json
from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.figures import cache_room
from planner.plan import Plan, load_plan
from planner.planning import make_plan
from planner.request import Request


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
    memory = make_plan(Request(model="llama-3.1-8b", hardware="1xL40S")).chosen.memory
    assert "Requests of more than 1,300 tokens are refused; --context-tokens lets longer ones in." in cache_room(
        memory, 1300
    )
    assert "refused" not in cache_room(memory, memory.max_context_tokens)
