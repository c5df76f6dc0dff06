"""A hundred hostile inputs of each class at every door they could come through: refused in order, or harmless."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlencode

import openpyxl
import pytest
from fastapi.testclient import TestClient

from planner.costs.comparison import Comparison, compare
from planner.costs.pricing import Pricing
from planner.costs.report.page import markdown, page
from planner.costs.report.plain import as_csv
from planner.costs.report.workbook import workbook
from planner.costs.terms import terms_from
from planner.fits.writing import as_csv as fits_csv
from planner.plan import Plan
from planner.writing import begins_like_a_formula
from tests.service import hostile
from tests.service.conftest import MakeClient

ANSWERED = (200, 201, 409, 422)
SECRETS = ("root:x:", "PATH=", "BEGIN OPENSSH", "[fonts]")
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(make_module_client: MakeClient) -> TestClient:
    return make_module_client()


def asked(client: TestClient, cases: Iterable[tuple[str, str]]) -> list[tuple[str, str, int, str]]:
    """What each question got: its field and value, the status, the text; and every answer is sound JSON."""
    seen = []
    for field, raw in cases:
        answer = client.post("/v1/plans", content=hostile.question(field, raw), headers=JSON)
        json.loads(answer.text, parse_constant=_no_constant)
        assert answer.status_code in ANSWERED, (field, raw[:80], answer.text[:300])
        if answer.status_code >= 400:
            told = answer.json()
            assert told["detail"] and told["fix"] and len(answer.text) < 4000, (field, raw[:80])
        seen.append((field, raw, answer.status_code, answer.text))
    return seen


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_huge_numbers_are_refused_or_planned_for(client: TestClient) -> None:
    asked(client, hostile.rotated(hostile.NUMBERS, hostile.huge_numbers()))


def test_negative_numbers_are_refused(client: TestClient) -> None:
    seen = asked(client, hostile.rotated(hostile.NUMBERS, hostile.negative_numbers()))
    assert {status for *_, status, _ in seen} == {422}


def test_what_is_no_number_is_refused(client: TestClient) -> None:
    seen = asked(client, hostile.rotated(hostile.NUMBERS, hostile.no_numbers()))
    assert {status for *_, status, _ in seen} == {422}


def test_unicode_is_refused_or_answered_in_order(client: TestClient) -> None:
    asked(client, hostile.rotated(hostile.TEXTS, map(json.dumps, hostile.unicode_texts())))


def test_no_path_is_read(client: TestClient) -> None:
    for text in hostile.paths():
        for field in ("model", "hardware", "price.file", "calibration"):
            ((_, _, status, told),) = asked(client, [(field, json.dumps(text))])
            assert status == 422
            assert not any(secret in told for secret in SECRETS)


def test_no_path_is_served(client: TestClient) -> None:
    for text in hostile.paths():
        for door in ("/static/", "/runs/", "/v1/runs/", "/v1/plans/", "/v1/rules/", "/v1/models/", "/v1/costs/report."):
            answer = client.get(door + quote(text, safe="/"))
            assert answer.status_code in (307, 400, 404, 405, 422), (door, text)
            assert not any(secret in answer.text for secret in SECRETS)


PAGES: dict[str, Callable[[str], dict[str, str]]] = {
    "/": lambda text: {"model": text, "on": text, "task": text},
    "/fits": lambda text: {"on": text, "model": text, "family": text},
    "/cost": lambda text: {"kind": text, "api_price": text, "purchase_usd": text},
    "/gpus": lambda text: {"q": text},
    "/compare": lambda text: {"plan": text},
}


@pytest.mark.parametrize("address", PAGES)
def test_templates_and_scripts_are_shown_as_text(client: TestClient, address: str) -> None:
    for text in hostile.templates():
        answer = client.get(f"{address}?{urlencode(PAGES[address](text))}", headers={"accept": "text/html"})
        assert answer.status_code in ANSWERED, text
        written = re.sub(r"<link [^>]*>|<script src=[^>]*></script>", "", answer.text)
        assert not re.search(r"<script|<img src=x|<svg/onload|onfocus=alert\(1\) autofocus x=\"", written), text
        assert "49" not in re.findall(r'value="([^"]*)"', answer.text), text


@pytest.fixture(scope="module")
def plan(client: TestClient) -> Plan:
    return Plan.model_validate(client.post("/v1/plans", json={"model": "llama-3.1-8b", "hardware": "1xL4"}).json())


def compared(plan: Plan, name: str) -> Comparison:
    """A cost comparison whose model and provider are called so."""
    named = plan.model_copy(update={"model": plan.model.model_copy(update={"name": name})})
    return compare([named], [], Pricing(usd_per_hour=1.0), terms_from(named.request.workload, requests_per_s=1.0))


def test_no_csv_of_costs_calculates_a_name(plan: Plan) -> None:
    for text in hostile.formulas():
        assert begins_like_a_formula(text)
        rows = list(csv.reader(io.StringIO(as_csv(compared(plan, text)))))
        assert not [cell for row in rows for cell in row if begins_like_a_formula(cell)], text


def test_no_csv_of_fits_calculates_a_name() -> None:
    from dataclasses import replace

    from planner.fits.on_hardware import best_fits
    from planner.fits.question import Question
    from planner.hardware.resolving import resolve_hardware
    from planner.models.resolving import resolve_model

    (fit, *_) = best_fits(resolve_hardware("1xL4"), [resolve_model("llama-3.1-8b")], Question()).fits
    table = fits_csv([replace(fit, model=text) for text in hostile.formulas()])
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == hostile.COUNT
    assert not [row["model"] for row in rows if begins_like_a_formula(row["model"])]


def test_no_workbook_calculates_a_name(plan: Plan) -> None:
    """Formulas of the workbook are its own, whatever a model is called: the same ones with every name."""
    own = _formulas(workbook(compared(plan, "an ordinary name")))
    assert own
    for text in hostile.formulas():
        assert _formulas(workbook(compared(plan, text))) == own, text


def _formulas(content: bytes) -> set[str]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {
        f"{sheet.title}!{c.coordinate}{c.value}" for sheet in book for row in sheet for c in row if c.data_type == "f"
    }


def test_no_report_writes_markup_of_a_name(plan: Plan) -> None:
    for text in hostile.templates():
        assert not re.search(r"<script|<img src=x|<svg/onload", page(compared(plan, text))), text
        assert "{{" not in text or text.splitlines()[0] in markdown(compared(plan, text)).replace("\\", "")
