"""A ledger behind the service's API."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from planner.client import ServiceProblem
from planner.errors import ExecutorMissing, QuantplanError
from planner.ledger.report import Entry, Receipt, Report

ADDRESS, TOKEN = "QUANTPLAN_LEDGER", "QUANTPLAN_LEDGER_TOKEN"
TIMEOUT_S = 30.0


class LedgerSilent(QuantplanError):
    """The ledger does not answer; everything is kept here for the next time."""

    exit_code = 4


class RemoteLedger:
    """Implements `planner.ledger.syncing.Ledger`. The token comes from QUANTPLAN_LEDGER_TOKEN, never from a command."""

    def __init__(self, address: str, http: Any = None) -> None:
        try:
            import httpx
        except ImportError:
            fix = "pip install 'quantplan[executor]'"
            raise ExecutorMissing("asking a ledger needs httpx, which is not installed", fix=fix) from None
        token = os.environ.get(TOKEN)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http or httpx.Client(base_url=address, timeout=TIMEOUT_S)
        self._address = address

    def report(self, report: Report) -> Receipt:
        """The service's receipt. ServiceProblem where it refuses, LedgerSilent where it is not there."""
        return Receipt.model_validate(self._ask("POST", json=report.model_dump(mode="json")))

    def entries(self, after: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` lines that follow the line of this number."""
        told = self._ask("GET", params={"after": after, "limit": limit})
        return [Entry.model_validate(entry) for entry in told["items"]]

    def _ask(self, method: str, **given: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = self._http.request(method, "/v1/measurements", headers=self._headers, **given)
        except httpx.HTTPError as error:
            raise LedgerSilent(
                f"the ledger does not answer ({type(error).__name__}); nothing is lost",
                where=self._address,
                fix="run the same command again once it does: what was measured is kept here until then",
            ) from None
        told = _content(answer)
        if answer.is_error:
            raise ServiceProblem(answer.status_code, told)
        return told


def _content(answer: Any) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
