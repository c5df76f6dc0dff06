"""The register of servers that were left running: what is in service changes wholly or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor.deployments import deployment as register
from executor.deployments.deployment import Deployment, all_deployments, put_in_service, write
from executor.journal import Journal
from executor.process import process_created_at


def server(name: str, role: str = "kept") -> Deployment:
    """One that runs: this very process stands for it."""
    pid = os.getpid()
    return Deployment(
        deployment_id=name, run_id=name, service="a-model", role=role, state="running", way="", url="http://here",
        port=1, pid=pid, created_at=process_created_at(pid), started_at=1.0, log_path="log", format="fp8",
        engine="vllm", model="/m", original="/o",
    )  # fmt: skip


def roles(journal: Journal) -> dict[str, str]:
    return {deployment.deployment_id: deployment.role for deployment in all_deployments(journal)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_the_new_one_is_live_and_the_old_one_kept(path: Path) -> None:
    journal = Journal(path)
    write(journal, server("old", role="live"))
    write(journal, server("new"))
    assert put_in_service(journal, server("new")).role == "live"
    assert roles(journal) == {"old": "kept", "new": "live"}


def test_broken_off_halfway_nothing_has_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    write(journal, server("old", role="live"))
    write(journal, server("new"))
    put = register._put

    def killed(do: object, deployment: Deployment) -> None:
        if deployment.role == "live":
            raise KeyboardInterrupt
        put(do, deployment)  # type: ignore[arg-type]

    monkeypatch.setattr(register, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        put_in_service(journal, server("new"))
    assert roles(journal) == {"old": "live", "new": "kept"}


def test_of_many_that_are_promoted_at_once_one_is_live(path: Path) -> None:
    journal, names = Journal(path), [f"server-{number}" for number in range(4)]
    for name in names:
        write(journal, server(name))
    script = (
        "import sys; from pathlib import Path; from executor.journal import Journal\n"
        "from executor.deployments.deployment import all_deployments, put_in_service\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for _ in range(5):\n"
        "    put_in_service(journal, next(d for d in all_deployments(journal) if d.deployment_id == sys.argv[2]))\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", script, path, name], stderr=subprocess.PIPE) for name in names]
    assert [process.communicate()[1] for process in started] == [b""] * len(names)
    assert sorted(roles(journal).values()) == ["kept", "kept", "kept", "live"]
