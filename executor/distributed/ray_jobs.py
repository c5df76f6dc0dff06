"""Ray's Jobs over its REST interface: no Ray is needed here, and none of its versions can clash with the cluster's."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from executor.distributed.jobs import Job, JobPhase, JobState, Needs, Node, Unreachable
from executor.distributed.settings import Known, ray_settings
from planner.errors import BadInput, ExecutionFailed

if TYPE_CHECKING:
    import httpx

GPU_TYPE = "accelerator_type:"
A_TRACE = 0.001  # of a resource that marks a node: enough to be placed there, and never used up
TAIL_LINES = 15
NOT_FOUND, SERVER_ERROR = 404, 500


class RayJobs:
    """Implements `executor.distributed.jobs.Jobs` for the Ray cluster whose dashboard is at `address`."""

    def __init__(self, address: str, request_s: float | None = None, known: Known | None = None) -> None:
        if not address.startswith(("http://", "https://")):
            named = "HEAD:8265" if "://" in address else address
            fix = f"name the dashboard, such as --address http://{named}"
            raise BadInput("Ray's jobs are submitted over HTTP", where=address, fix=fix)
        self._address = address.rstrip("/")
        self._request_s = request_s or ray_settings().patience.request_s
        self._known = known or ray_settings().known

    @property
    def address(self) -> str:
        return self._address

    def require_known(self) -> None:
        """ExecutionFailed when it is no Ray, or a version of it that this executor does not know."""
        told = self._json("GET", "/api/version")
        ray, jobs_api = str(told.get("ray_version", "")), str(told.get("version", ""))
        if not ray or not jobs_api:
            fix = "name the dashboard of a Ray cluster, such as --address http://HEAD:8265"
            raise ExecutionFailed("what answers there is not Ray", where=self._address, fix=fix)
        if jobs_api not in self._known.jobs_api or ray.split(".")[0] not in self._known.ray:
            known = f"{' or '.join(self._known.jobs_api)} of Ray {' or '.join(self._known.ray)}.x"
            raise ExecutionFailed(
                f"Ray {ray} with version {jobs_api} of its job interface; this executor knows version {known}",
                where=self._address,
                fix="use a cluster of a known version, or a quantplan that knows this one",
            )

    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are alive, each with all its resources."""
        told = self._json("GET", "/api/v0/nodes?limit=10000")
        listed = ((told.get("data") or {}).get("result") or {}).get("result") or []
        return tuple(_node(entry) for entry in listed if entry.get("state") == "ALIVE")

    def submit(self, job: Job) -> None:
        """Submit it, or leave it as it is when Ray has it. ExecutionFailed when Ray refuses it."""
        answer = self._ask("POST", "/api/jobs/", as_request(job))
        if answer.is_error and self.state(job.job_id).phase == "unknown":
            raise ExecutionFailed(
                f"Ray refused the job: {_last_line(answer.text)}",
                where=f"{self._address}, job {job.job_id}",
                fix="read the head's log (dashboard_JobHead.log); then apply again",
            )

    def state(self, job_id: str) -> JobState:
        """Where the job stands; "unknown" when the head has no such job (it may have lost its memory)."""
        answer = self._ask("GET", f"/api/jobs/{job_id}")
        if answer.status_code == NOT_FOUND:
            return JobState("unknown", "the head knows no such job")
        told = self._checked(answer)
        phase: JobPhase = PHASES.get(str(told.get("status")), "unknown")
        node = urlsplit(str(told.get("driver_agent_http_address") or "")).hostname or ""
        return JobState(phase, str(told.get("message") or ""), told.get("driver_exit_code"), node)

    def stop(self, job_id: str) -> None:
        """Ask it to end; nothing when it has ended, or was never there."""
        self._ask("POST", f"/api/jobs/{job_id}/stop")

    def log_tail(self, job_id: str) -> str:
        """The last lines of what the job wrote; empty where Ray cannot tell (its node is gone)."""
        answer = self._ask("GET", f"/api/jobs/{job_id}/logs")
        if answer.is_error:
            return ""
        return "\n".join(str(answer.json().get("logs", "")).splitlines()[-TAIL_LINES:])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        import httpx

        try:
            answer = httpx.request(method, self._address + path, json=body, timeout=self._request_s, trust_env=False)
        except httpx.HTTPError as error:
            raise Unreachable(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        if answer.status_code > SERVER_ERROR:
            raise Unreachable(f"it answered {answer.status_code}")
        return answer

    def _json(self, method: str, path: str) -> dict[str, Any]:
        return self._checked(self._ask(method, path))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        """The answer's content. Unreachable while the head says it is in trouble itself."""
        if answer.status_code == SERVER_ERROR:
            raise Unreachable(f"it answered 500: {_last_line(answer.text)}")
        try:
            content = answer.json() if answer.is_success else {}
        except ValueError:
            content = {}
        return content if isinstance(content, dict) else {}


PHASES: dict[str, JobPhase] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "STOPPED": "stopped",
}


def as_request(job: Job) -> dict[str, Any]:
    """The job as Ray's REST interface takes it. Ray hands the entry point to a shell, so each word is quoted."""
    return {
        "entrypoint": shlex.join(job.command),
        "submission_id": job.job_id,
        "entrypoint_num_cpus": job.needs.cores,
        "entrypoint_num_gpus": job.needs.gpus,
        "entrypoint_memory": job.needs.memory_bytes,
        "entrypoint_resources": dict.fromkeys(marks(job.needs), A_TRACE),
        "runtime_env": {"env_vars": dict(job.environment)},
        "metadata": dict(job.labels),
    }


def marks(needs: Needs) -> list[str]:
    """The resources that mark the nodes a job may go to: those with the GPU's type, or the one node it must be on."""
    types = [GPU_TYPE + needs.gpu] if needs.gpus and needs.gpu else []
    return [*types, *([f"node:{needs.beside}"] if needs.beside else [])]


def _node(entry: Mapping[str, Any]) -> Node:
    has: Mapping[str, float] = entry.get("resources_total") or {}
    types = tuple(name.removeprefix(GPU_TYPE) for name in has if name.startswith(GPU_TYPE))
    return Node(str(entry.get("node_ip")), has.get("CPU", 0), has.get("GPU", 0), has.get("memory", 0), types)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1][:300]
