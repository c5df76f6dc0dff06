"""`quantplan artefacts` and `apply --artefacts`: a real model into a store of this machine, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from stores import BUCKET, KEY, SECRET, moto

pytest.importorskip("boto3", reason="pip install 'quantplan[objects]'")

from executor.local import DEMO_MODEL
from executor.objects.store import Store
from planner.cli.apply_command import command as apply
from planner.cli.artefacts_command import command as artefacts
from planner.cli.main import main
from planner.errors import BadInput, ExecutionFailed
from planner.planning import make_plan
from planner.request import Request


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto() as address:
        yield address


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = Store(f"s3://{BUCKET}/demo")
    store.client.create_bucket(Bucket=BUCKET)
    return store


def test_a_model_is_put_there_and_fetched(store: Store, tmp_path: Path) -> None:
    sent = CliRunner().invoke(artefacts, ["push", str(DEMO_MODEL), store.address])
    assert f"There: {store.address}, " in sent.output
    back = CliRunner().invoke(artefacts, ["pull", store.address, str(tmp_path / "back")])
    assert f"Here: {tmp_path / 'back'}, " in back.output
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == (DEMO_MODEL / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("store")
def test_a_store_that_is_not_there_is_said_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTPLAN_HOME", str(tmp_path / "home"))
    make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB")).write(tmp_path / "plan.json")
    outcome = CliRunner().invoke(apply, [str(tmp_path / "plan.json"), "--artefacts", "s3://no-such-bucket/x"])
    assert isinstance(outcome.exception, ExecutionFailed)
    assert "no bucket 'no-such-bucket' in the object store" in str(outcome.exception)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--namespace", "x"], "--namespace: only where Kubernetes does the work\nTo fix: add --on kubernetes"),
        (
            ["--on", "kubernetes", "--node-selector", "gpus"],
            "--node-selector 'gpus' is no label\nTo fix: write KEY=VALUE, as kubectl get nodes --show-labels",
        ),
        (
            ["--artefacts", "bucket/models"],
            "--artefacts 'bucket/models' is no address of an object store\nTo fix: write s3://BUCKET/PREFIX",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(given: list[str], says: str, tmp_path: Path) -> None:
    make_plan(Request(model=str(DEMO_MODEL), hardware="cpu:8GB")).write(tmp_path / "plan.json")
    outcome = CliRunner().invoke(apply, [str(tmp_path / "plan.json"), *given])
    assert isinstance(outcome.exception, BadInput) and str(outcome.exception) == says


def test_the_command_is_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["quantplan", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "artefacts" in capsys.readouterr().out
