"""`quantplan render` knows where the model lies: what the run made, else what the plan names."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from executor.journal import Journal
from executor.ladder.diagnosing import Diagnosis
from executor.ladder.ledger import write_fall
from executor.local import DEMO_MODEL, run_id_of
from executor.workspace import journal_path
from planner.cli.render_command import command
from planner.launching.locating import made_name, making_stage
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUANTPLAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def planned(path: Path, model: str = str(DEMO_MODEL), hardware: str = "cpu:8GB", **wishes: str) -> Plan:
    plan = make_plan(Request.model_validate({"model": model, "hardware": hardware, **wishes}))
    plan.write(path)
    return plan


def applied(home: Path, plan: Plan, rung: int | None = None) -> str:
    """The plan, as if its run had made its model (after falling back by that rung)."""
    run_id, journal = run_id_of(plan), Journal(journal_path(home))
    journal.begin_run(run_id, plan)
    if rung is not None:
        write_fall(journal, run_id, "evaluate-after", Diagnosis("quality", "it lost too much", "3 %"), rung)
    standing = plan if rung is None else plan.on_rung(plan.ladder[rung])
    stage = making_stage(standing)
    assert stage is not None
    journal.begin_step(run_id, stage.name, 1, home / "log")
    journal.end_step(run_id, stage.name, 1, {"path": str(home / "runs" / run_id / made_name(stage))})
    journal.end_run(run_id, "done")
    journal.close()
    return run_id


def rendered(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_a_model_that_is_served_as_it_is_is_the_one_the_plan_names(tmp_path: Path, home: Path) -> None:
    planned(tmp_path / "p.json", "llama-3.1-8b", "1xH100-80GB")
    assert "vllm serve meta-llama/Llama-3.1-8B-Instruct" in rendered(tmp_path / "p.json").output.replace(" \\\n  ", " ")


def test_a_model_that_is_made_lies_where_the_plans_own_run_made_it(tmp_path: Path, home: Path) -> None:
    plan = planned(tmp_path / "p.json")
    with pytest.raises(
        Exception, match=r"makes a gguf-q4_k_m model first, and it was not applied here\nTo fix: apply it"
    ):
        raise rendered(tmp_path / "p.json").exception or AssertionError
    run_id = applied(home, plan)
    for named in (tmp_path / "p.json", run_id, run_id[:5]):
        assert f"--model {home}/runs/{run_id}/model-q4_k_m.gguf" in rendered(named).output
    assert "--model /models/mine.gguf" in rendered(run_id, "--model", "/models/mine.gguf").output


def test_another_plan_may_serve_what_a_run_made_if_it_is_the_same(tmp_path: Path, home: Path) -> None:
    run_id = applied(home, planned(tmp_path / "here.json"))
    planned(tmp_path / "there.json", hardware="cpu:64GB")
    planned(tmp_path / "other.json", format="gguf-q8_0")
    assert f"{run_id}/model-q4_k_m.gguf" in rendered(tmp_path / "there.json", "--run", run_id).output
    assert str(rendered(tmp_path / "other.json", "--run", run_id).exception) == (
        f"run {run_id}: the run made pydocs-3m in gguf-q4_k_m, and the plan serves pydocs-3m in gguf-q8_0\n"
        "To fix: name a run that made the same (quantplan runs), or leave --run out"
    )


def test_a_run_that_fell_back_is_rendered_as_it_was_carried_out(tmp_path: Path, home: Path) -> None:
    plan = planned(tmp_path / "p.json")
    rung = next(n for n, rung in enumerate(plan.ladder) if rung.says == "gguf-q8_0")
    run_id = applied(home, plan, rung)
    script = rendered(run_id).output
    assert f"--model {home}/runs/{run_id}/model-q8_0.gguf" in script and "gguf-q8_0" in script


def test_a_size_names_no_model(tmp_path: Path, home: Path) -> None:
    planned(tmp_path / "p.json", "13B", "1xH100-80GB")
    assert str(rendered(tmp_path / "p.json").exception) == (
        f"{tmp_path}/p.json: the plan is for a size (13B), which names no model\n"
        "To fix: say where the model lies: --model /models/NAME"
    )


def test_the_kubernetes_server_reads_what_its_job_writes(tmp_path: Path, home: Path) -> None:
    plan = planned(tmp_path / "p.json", "llama-3.1-70b", "1xA100-80GB")
    text = rendered(tmp_path / "p.json", "--for", "kubernetes").output
    assert f"runs/{run_id_of(plan)}/model-awq-int4" in text
