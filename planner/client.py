"""A thin typed client of the service. Needs httpx (`pip install 'quantplan[executor]'` brings it)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from planner.errors import QuantplanError
from planner.plan import Plan
from planner.request import Frozen, Request

if TYPE_CHECKING:
    import httpx

    from planner.clusters.cluster import Cluster
    from planner.fleet.fleet import Fleet

TIMEOUT_S = 60.0
NO_HEADERS: dict[str, str] = {}


class ServiceProblem(QuantplanError):
    """What the service answered instead: its words, with `status` and `kind` (`bad-input`, `no-feasible-plan` ...)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.kind = status, str(problem.get("type", "")).rpartition("/")[2]
        what, where = str(problem.get("detail", f"the service answered {status}")), str(problem.get("where", ""))
        super().__init__(what, where=where, nearest=problem.get("nearest", ()), fix=str(problem.get("fix", "")))


class Client:
    """Asks one service. Use as a context manager, or call `close`. Raises ServiceProblem where it says no."""

    def __init__(self, address: str = "http://127.0.0.1:8642", *, token: str | None = None, http: Any = None) -> None:
        self._http: httpx.Client = http or _http(address)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def plan(self, request: Request) -> Plan:
        """Decide how to serve a model."""
        return Plan.model_validate(self._json("POST", "/v1/plans", json=request.model_dump(mode="json")))

    def plan_of(self, digest: str) -> Plan:
        """One plan made before."""
        return Plan.model_validate(self._json("GET", f"/v1/plans/{digest}"))

    def fits(self, *, on: str | None = None, model: str | None = None, **question: Any) -> dict[str, Any]:
        """What fits on hardware, or what hardware a model fits on."""
        given = {"on": on, "model": model, **question}
        return self._json("GET", "/v1/fits", params={k: v for k, v in given.items() if v is not None})

    def models(self, q: str = "") -> Iterator[dict[str, Any]]:
        """Every model of the catalogue whose name contains `q`."""
        return self._pages("/v1/models", q=q)

    def gpus(self, q: str = "") -> Iterator[dict[str, Any]]:
        """Every accelerator of the catalogue whose name contains `q`."""
        return self._pages("/v1/gpus", q=q)

    def prices(self, q: str = "") -> Iterator[dict[str, Any]]:
        """Every dated price whose accelerator's name contains `q`."""
        return self._pages("/v1/prices", q=q)

    def costs(self, *digests: str, **terms: Any) -> dict[str, Any]:
        """What plans cost, compared. USD."""
        return self._json("GET", "/v1/costs", params={"plan": list(digests), **terms})

    def fleet(self, cluster: Cluster, fleet: Fleet, *, time_limit_s: float = 5.0) -> dict[str, Any]:
        """Models placed on a cluster: copies, nodes, cost, the solver's gap, what is short. USD."""
        content = {"cluster": _plain(cluster), "fleet": _plain(fleet), "time_limit_s": time_limit_s}
        return self._json("POST", "/v1/fleets", json=content)

    def layouts(self, cluster: Cluster, model: str, *, nodes: int = 2, **question: Any) -> dict[str, Any]:
        """One model over several nodes of a cluster in every way."""
        content = {"cluster": _plain(cluster), "model": model, "nodes": nodes, **question}
        return self._json("POST", "/v1/layouts", json=content)

    def accuracy(self) -> list[dict[str, Any]]:
        """How right predictions were, by engine, hardware, format and figure; empty where nothing was measured."""
        found: list[dict[str, Any]] = self._json("GET", "/v1/accuracy")["items"]
        return found

    def start(self, plan: Plan | str, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Carry out a plan; the same key never starts a second run."""
        digest = plan if isinstance(plan, str) else plan.digest
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._json("POST", "/v1/runs", json={"plan": digest}, headers=headers)

    def run(self, run_id: str) -> dict[str, Any]:
        """One run as it stands."""
        return self._json("GET", f"/v1/runs/{run_id}")

    def stop(self, run_id: str) -> dict[str, Any]:
        """Ask a run to stop."""
        return self._json("POST", f"/v1/runs/{run_id}/stop")

    def follow(self, run_id: str, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """The events of a run as they happen, until it ends."""
        headers = {**self._headers, "Last-Event-ID": str(after)}
        with self._http.stream("GET", f"/v1/runs/{run_id}/events", headers=headers, timeout=None) as answer:
            if answer.status_code != OK:
                answer.read()
                raise _problem(answer)
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "progress":
                    yield json.loads(line.removeprefix("data: "))

    def _pages(self, address: str, **params: Any) -> Iterator[dict[str, Any]]:
        following: str | None = address
        while following:
            part = self._json("GET", following, params=params if following == address else None)
            yield from part["items"]
            following = part["next"]

    def _json(self, method: str, address: str, *, headers: dict[str, str] = NO_HEADERS, **given: Any) -> dict[str, Any]:
        answer = self._http.request(method, address, headers={**self._headers, **headers}, **given)
        if answer.status_code >= FIRST_ERROR:
            raise _problem(answer)
        found: dict[str, Any] = answer.json()
        return found


def _plain(message: Frozen) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude_unset=True)


OK, FIRST_ERROR = 200, 400


def _http(address: str) -> httpx.Client:
    import httpx

    return httpx.Client(base_url=address, timeout=TIMEOUT_S)


def _problem(answer: httpx.Response) -> ServiceProblem:
    try:
        told = answer.json()
    except ValueError:
        told = {}
    return ServiceProblem(answer.status_code, told if isinstance(told, dict) else {})
