"""Every address against its own OpenAPI document: no 5xx, no answer that the document does not promise.

A few cases each here; `make bench-service` tries thousands.
"""

import os
import sys
import tempfile

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from planner.service.app import create_app
from planner.service.settings import Settings

CHECKS = (not_a_server_error, content_type_conformance, response_schema_conformance)

home = tempfile.TemporaryDirectory()
app = create_app(Settings(database_url=f"sqlite:///{home.name}/service.db", trusted_hosts=("testserver",)))
if "QUANTPLAN_SCHEMA_CASES" not in os.environ:  # a real solver starts a process a case: for the benchmark
    app.state.parts.desk.command = (sys.executable, "-c", "import sys; sys.stdin.read(); print('{\"answer\": {}}')")
schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app).exclude(path_regex="/events$")  # that one never ends
ADDRESSES = sum(1 for _ in schema.get_all_operations())
CASES = int(os.environ.get("QUANTPLAN_SCHEMA_CASES", 8 * ADDRESSES)) // ADDRESSES


@schema.parametrize()
@settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_an_address_keeps_its_promises(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=list(CHECKS))
