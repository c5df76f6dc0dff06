"""Predictions against measurements: the arithmetic, the verdict and the report."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from example_plan import example_candidate, example_plan, prediction

from executor.findings import compare, findings_of, measured_cost, relative_error
from executor.report.document import Finding, MemoryPart, Report
from executor.report.drawing import interval_marks, memory_segments, timeline
from executor.report.page import percent, quantity
from executor.steps.findings import findings
from executor.steps.report import report
from planner.ports import StepRecord
from planner.request import ServiceLevel
from planner.templates import template_directory

SPREAD = {"mean": 82.0, "p50": 80.0, "p95": 99.0, "p99": 104.0, "minimum": 61.0, "maximum": 105.0}
RESULTS = {
    "fetch": {"directory": "MODEL", "files": [], "total_bytes": 5_900_000},
    "check-artifact": {
        "bytes": 2_290_000,
        "tensor_bytes": 149,
        "types": {"Q4_K": 24, "Q6_K": 5, "F32": 9},
        "bytes_error": 0.0,
    },
    "evaluate-after": {
        "perplexity": 95.1,
        "standard_error": 1.5,
        "chunks": 52,
        "context_tokens": 512,
        "text": "heldout.txt",
        "text_sha256": "0" * 64,
        "perplexity_before": 94.4,
        "increase": 0.7,
        "increase_percent": 0.7415,
        "tolerable": True,
        "tolerance_source": "A.eval.ppl",
        "max_increase": 0.3,
        "max_increase_percent": 5,
    },
    "launch": {
        "memory": {
            "weights_gib": 0.0021,
            "kv_cache_gib": 0.00586,
            "compute_buffer_gib": 0.0081,
            "output_buffer_gib": 0.0001,
        },
        "resident_gib": 0.031,
        "command": ["llama-server", "--model", "model-q4_k_m.gguf"],
        "first_completion": "module provides",
    },
    "load-test": {
        "requests": 8,
        "errors": 0,
        "short_requests": 0,
        "wall_s": 1.6,
        "output_tokens_per_s": 400.0,
        "input_tokens_per_s": 160.0,
        "mean_input_tokens": 32.0,
        "mean_output_tokens": 8.0,
        "ttft_ms": SPREAD,
        "tpot_ms": {name: value / 20 for name, value in SPREAD.items()},
        "latency_ms": {name: value * 3 for name, value in SPREAD.items()},
        "cpu": {"server_cores": 1.4, "client_cores": 0.1, "other_cores": 0.43, "machine_cores": 2.0},
        "resident_gib": 0.033,
    },
}


def found() -> dict:
    return {finding.name: finding for finding in findings_of(example_plan(), RESULTS)}


def test_every_prediction_of_the_plan_has_a_finding_in_its_order() -> None:
    names = [p.name for p in example_plan().chosen.predictions]
    assert [finding.name for finding in findings_of(example_plan(), RESULTS)] == names


def test_inside_outside_and_unknown() -> None:
    by_name = found()
    assert by_name["ttft_ms"].inside is True
    assert by_name["output_tokens_per_s"].inside is False
    assert by_name["perplexity_increase_percent"].inside is None
    assert by_name["perplexity_increase_percent"].measured == 0.7415
    assert by_name["perplexity_increase_percent"].note == "not predicted: nothing is published for it"


@pytest.mark.parametrize(("measured", "inside"), [(60, True), (110, True), (59.9, False), (110.1, False)])
def test_the_bounds_belong_to_the_interval(measured: float, inside: bool) -> None:
    assert compare(prediction("ttft_ms", 80, 60, 110), measured, {}).inside is inside


def test_the_bytes_of_a_variant_are_those_of_its_stage_and_not_of_its_format() -> None:
    """A checkpoint by another tool or variant is laid out otherwise; every format has the finding, not GGUF alone."""
    by_class = {"quantized": 900.0, "scales_and_zeros": 90.0, "sixteen_bit": 10.0}
    plan = example_plan(parameters={"check-artifact": {"expected_bytes": None, "bytes_by_class": by_class}})
    bare = plan.chosen.model_copy(update={"predictions": ()})
    (told,) = findings_of(plan.model_copy(update={"chosen": bare}), {"check-artifact": {"tensor_bytes": 1011}})
    assert (told.name, told.predicted, told.measured, told.inside) == ("artifact_bytes", 1000.0, 1011, False)


def test_what_was_not_measured_is_said() -> None:
    nothing = compare(prediction("ttft_ms", 80, 60, 110), None, {})
    assert (nothing.inside, nothing.note) == (None, "not measured in this run")


def test_a_slow_run_names_the_programs_beside_it() -> None:
    assert found()["output_tokens_per_s"].note == "other programs used 0.4 of 2 cores during the load test"


def test_a_fast_run_does_not() -> None:
    fast = compare(prediction("ttft_ms", 80, 60, 110), 20, RESULTS["load-test"])
    assert fast.note == "the prediction's model is off here"


def test_failed_requests_are_a_cause() -> None:
    load = {**RESULTS["load-test"], "errors": 2, "cpu": {"other_cores": 0.0, "machine_cores": 2.0}}
    assert compare(prediction("ttft_ms", 80, 60, 110), 200, load).note == "2 of 8 requests failed"


def test_memory_outside_is_never_blamed_on_load() -> None:
    off = compare(prediction("kv_cache_gib", 1.0, 0.99, 1.01), 2.0, RESULTS["load-test"])
    assert off.note == "the prediction's model is off here"


def test_cost_is_recomputed_on_measured_throughput() -> None:
    # $0.10 an hour at 400 tokens a second: 0.1 / (400 * 3600) * 1e6 = $0.0694 (article B's formula)
    assert measured_cost(example_plan(), 400.0) == pytest.approx(0.06944, abs=1e-5)
    assert measured_cost(example_plan(chosen=example_candidate(cost=None)), 400.0) is None
    assert measured_cost(example_plan(), None) is None


def test_relative_error_is_signed_and_knows_its_limits() -> None:
    assert relative_error(80.0, 100.0) == pytest.approx(0.25)
    assert relative_error(80.0, 60.0) == pytest.approx(-0.25)
    assert relative_error(None, 1.0) is relative_error(1.0, None) is relative_error(0.0, 1.0) is None


def test_the_step_counts_what_held(make_context) -> None:
    result = findings(make_context("findings", RESULTS))
    assert (result["inside"], result["outside"], result["unknown"]) == (6, 2, 1)
    assert set(result["findings"][0]) == {"name", "unit", "predicted", "low", "high", "measured", "inside", "note"}


@pytest.fixture
def results(tmp_path: Path) -> dict:
    """Everything the report step needs, with one original file that is unchanged."""
    original = tmp_path / "original"
    original.mkdir()
    (original / "config.json").write_text("{}")
    load_test = tmp_path / "load-test.json"
    row = {"error": None, "input_tokens": 32, "output_tokens": 8, "cached_tokens": 0}
    times = [{"sent_s": s, "first_token_s": s + 0.1, "last_token_s": s + 0.4, "ended_s": s + 0.4} for s in (0, 0.4)]
    rows = [{**row, **time} for time in times]
    load_test.write_text(json.dumps({"exchanges": rows}))
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    made = {"path": str(load_test), "bytes": 10, "sha256": digest}
    return {
        **RESULTS,
        "keep-original": {"directory": str(original), "sha256": {"config.json": digest}},
        "load-test": {**RESULTS["load-test"], "artifacts": [made]},
        "findings": {"findings": [vars_of(finding) for finding in findings_of(example_plan(), RESULTS)]},
    }


def vars_of(finding) -> dict:
    return {name: getattr(finding, name) for name in finding.__slots__}


def test_the_report_is_data_that_can_be_read_back(make_context, results) -> None:
    steps = (StepRecord("fetch", "done", 10.0, 12.5, {}, None, None, seconds=2.5),)
    result = report(make_context("report", results, finished=steps))
    read = Report.model_validate_json(Path(result["json_path"]).read_text())
    assert read.schema_version == 1
    assert read.plan == example_plan()
    assert read.verdict.go and read.verdict.headline == "Go: every check passed. 6 of 8 predictions held."
    assert read.verdict.surprises == ("output_tokens_per_s", "usd_per_1m_output_tokens")
    assert [(step.name, step.seconds) for step in read.steps] == [("fetch", 2.5)]
    assert read.versions == {"quantplan": "0.1.0", "llama.cpp": "0.3.36 (built)", "torch": "2.13.0"}
    assert {part.label: part.measured_gib for part in read.memory}["output buffer"] == 0.0001


def test_the_report_knows_the_predictions_that_stages_carry(make_context, results) -> None:
    """A checkpoint's bytes are its stage's prediction, not the candidate's."""
    plan = example_plan()
    others = tuple(p for p in plan.chosen.predictions if p.name != "artifact_bytes")
    plan = plan.model_copy(update={"chosen": plan.chosen.model_copy(update={"predictions": others})})
    told = report(make_context("report", results, plan=plan))
    read = Report.model_validate_json(Path(told["json_path"]).read_text())
    written = next(finding for finding in read.findings if finding.name == "artifact_bytes")
    assert (written.predicted, written.measured, written.inside) == (148, 149, True)


def test_a_changed_original_is_a_no_go(make_context, results) -> None:
    (Path(results["keep-original"]["directory"]) / "config.json").write_text("[]")
    result = report(make_context("report", results))
    assert result["go"] is False
    assert result["headline"] == "No-go: original failed. 6 of 8 predictions held."


def test_a_missed_target_is_a_no_go(make_context, results) -> None:
    plan = example_plan()
    level = ServiceLevel(ttft_ms=100, tpot_ms=4)
    request = plan.request.model_copy(update={"service_level": level})
    result = report(make_context("report", results, plan=plan.model_copy(update={"request": request})))
    assert result["headline"] == "No-go: target tpot failed. 6 of 8 predictions held."
    says = [check.says for check in Report.model_validate_json(Path(result["json_path"]).read_text()).verdict.checks]
    assert "82 ms on average; at most 100 ms asked" in says and "4.1 ms on average; at most 4 ms asked" in says


def test_what_was_not_checked_is_said_with_the_go(make_context, results) -> None:
    del results["evaluate-after"]
    assert report(make_context("report", results))["headline"] == "Go, with quality unchecked. 6 of 8 predictions held."


def test_quality_beyond_the_tolerance_is_a_no_go(make_context, results) -> None:
    results["evaluate-after"] = {**RESULTS["evaluate-after"], "tolerable": False}
    assert report(make_context("report", results))["headline"].startswith("No-go: quality failed.")


class Page(HTMLParser):
    """The tags of a page and what they would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]


def test_the_page_is_self_contained_and_has_every_part(make_context, results) -> None:
    page = Path(report(make_context("report", results))["report_path"]).read_text()
    parsed = Page(page)
    assert parsed.loads == []
    assert "script" not in parsed.tags and "link" not in parsed.tags
    assert "@import" not in page and "url(" not in page
    for said in ("GO", "Predicted against measured", "A.tree.6", "95.100", "module provides", "sha256:"):
        assert said in page
    assert page.count('class="interval"') == 8


def test_hostile_names_are_escaped(make_context, results) -> None:
    evil = "<script>alert(1)</script>"
    plan = example_plan()
    model = plan.model.model_copy(update={"name": evil, "assumptions": (f"<img src=x onerror={evil}>",)})
    results["launch"] = {**results["launch"], "first_completion": '"><svg onload=alert(1)>', "command": [evil]}
    page = Path(report(make_context("report", results, plan=plan.model_copy(update={"model": model})))["report_path"])
    text = page.read_text()
    assert "&lt;script&gt;" in text
    parsed = Page(text)
    assert "script" not in parsed.tags and "img" not in parsed.tags
    assert "onload" not in "".join(part for part in text.split("<") if part.startswith("svg"))


def test_a_run_without_load_quality_or_price_still_reports(make_context, results) -> None:
    bare = {name: results[name] for name in ("keep-original", "fetch")}
    bare["findings"] = {"findings": []}
    plan = example_plan(chosen=example_candidate(cost=None))
    page = Path(report(make_context("report", bare, plan=plan))["report_path"]).read_text()
    assert "No price is known for this hardware" in page
    assert "no load was sent" in page


def test_errors_are_signed_percents() -> None:
    assert [percent(share) for share in (0.0, -0.0034, 0.343, 22.239, None)] == [
        "+0.0 %",
        "-0.3 %",
        "+34.3 %",
        "+2,224 %",
        "-",
    ]


def test_templates_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (template_directory() / "report.html.j2").is_file()
    wheel = tmp_path / "site-packages" / "planner"
    (wheel / "templates").mkdir(parents=True)
    monkeypatch.setattr("planner.templates.__file__", str(wheel / "templates.py"))
    assert template_directory() == wheel / "templates"


def finding(**changes: float | None) -> Finding:
    fields = {"predicted": 80.0, "low": 60.0, "high": 110.0, "measured": 160.0, **changes}
    text = {"name": "ttft_ms", "unit": "ms", "note": "", "measured_by": "", "source": ""}
    return Finding(**fields, **text, relative_error=None, inside=False)


def test_the_drawing_keeps_order_and_stays_inside() -> None:
    marks = interval_marks(finding())
    assert marks is not None and marks.measured is not None
    assert 0 < marks.low < marks.predicted < marks.high < marks.measured < 1
    assert interval_marks(finding(low=None)) is None
    flat = interval_marks(finding(predicted=1.0, low=1.0, high=1.0, measured=1.0))
    assert flat is not None and flat.low == flat.high == flat.measured


def test_both_memory_bars_share_one_scale() -> None:
    parts = [
        MemoryPart(label="weights", predicted_gib=1.0, measured_gib=1.0),
        MemoryPart(label="KV cache", predicted_gib=1.0, measured_gib=3.0),
    ]
    predicted, measured = (memory_segments(parts, which) for which in ("predicted_gib", "measured_gib"))
    assert [s.width for s in predicted] == [0.25, 0.25]
    assert [s.start for s in measured] == [0.0, 0.25] and measured[-1].width == 0.75


def test_the_timeline_needs_as_many_rows_as_were_in_flight() -> None:
    rows = [(0.0, 2.0), (0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    lanes = timeline([{"sent_s": a, "first_token_s": a + 0.1, "ended_s": b, "error": None} for a, b in rows])
    assert [lane.row for lane in lanes] == [0, 1, 1, 0]
    assert timeline([]) == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00586, "GiB", "6 MiB"),
        (40.2, "GiB", "40.2 GiB"),
        (2_251_000, "bytes", "2.15 MiB"),
        (0.0694, "USD", "$0.0694"),
        (82.04, "ms", "82 ms"),
        (None, "ms", "-"),
    ],
)
def test_quantities_read_as_people_write_them(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
