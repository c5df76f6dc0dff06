"""Steps on checkpoint directories: calibration text, perplexity by transformers, and what the server really holds."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from example_plan import example_plan

from executor.steps.calibrate import calibrate
from executor.steps.check_applied import check_applied
from executor.steps.evaluate import evaluate
from planner.errors import BadInput, ExecutionFailed
from planner.plan import Stage

applied_step = import_module("executor.steps.check_applied")
evaluate_step = import_module("executor.steps.evaluate")
CALIBRATE = {"source": None, "samples": 128, "text": "plain", "max_tokens": 512}


def with_stage(name: str, parameters: dict[str, Any], kind: str = "") -> Any:
    plan = example_plan()
    extra = Stage(name=name, kind=kind or name, parameters=parameters)  # type: ignore[arg-type]
    return plan.model_copy(update={"stages": (*plan.stages[:4], extra, *plan.stages[4:])})


def test_calibration_text_is_written_with_what_is_known_of_it(make_context, tmp_path: Path) -> None:
    said: list[str] = []
    context = make_context(
        "calibrate",
        {"fetch": {"directory": str(tmp_path)}},
        plan=with_stage("calibrate", CALIBRATE),
        report=lambda message, fraction: said.append(message),
    )
    made = calibrate(context)
    lines = Path(made["path"]).read_text(encoding="utf-8").splitlines()
    assert made["samples"] == len(lines) == 128
    assert set(json.loads(lines[0])) == {"text"}
    assert (made["source"], made["max_tokens"], made["dropped_for_overlap"]) == ("shipped", 512, 0)
    assert made["warnings"][-1].startswith("no calibration text was given: the shipped one (English")
    assert said[1:] == made["warnings"], "a warning is said when it can still be heeded"


def test_the_evaluation_text_is_refused_as_calibration_text(make_context, tmp_path: Path) -> None:
    from executor.evaluate.text import held_out_text

    plan = with_stage("calibrate", {**CALIBRATE, "source": str(held_out_text(None))})
    with pytest.raises(BadInput, match="share passages with the evaluation text"):
        calibrate(make_context("calibrate", {"fetch": {"directory": str(tmp_path)}}, plan=plan))


def test_a_checkpoint_directory_is_scored_by_transformers(
    make_context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, int]] = []

    def score(context: Any, model: Path, text: Path, window: int) -> dict[str, Any]:
        asked.append((model, window))
        return {
            "perplexity": 50.3,
            "standard_error": 0.9,
            "chunks": 68,
            "context_tokens": window,
            "held": {"Linear": 29},
        }

    monkeypatch.setattr(evaluate_step, "score", score)
    (tmp_path / "model-awq-int4").mkdir()
    before = evaluate(make_context("evaluate-before", {"convert": {"directory": str(tmp_path)}}))
    after = evaluate(
        make_context(
            "evaluate-after",
            {"evaluate-before": {**before, "perplexity": 50.0}, "quantize": {"path": str(tmp_path / "model-awq-int4")}},
        )
    )
    assert [model.name for model, _ in asked] == [tmp_path.name, "model-awq-int4"]
    assert (after["perplexity_before"], after["perplexity"]) == (50.0, 50.3)
    assert after["tolerable"] is True and after["held"] == {"Linear": 29}


def applied(make_context, tmp_path: Path, log: str, told: list[float] | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The step on a run whose checkpoints were scored, with a server that tells these log-probabilities."""

    class Engine:
        tells_prompt_logprobs = True

    async def tell(client: Any, model: str, ids: list[int]) -> list[float] | None:
        return told

    monkeypatch.setattr(applied_step, "engine_of", lambda plan: Engine())
    monkeypatch.setattr(applied_step, "prompt_logprobs", tell)
    (tmp_path / "server.log").write_text(log)
    plan = with_stage("check-applied", {})
    plan = plan.model_copy(update={"chosen": plan.chosen.model_copy(update={"format": "awq-int4", "engine": "vllm"})})
    scored = {"token_ids": [[1, 5, 7, 9]]}
    results = {
        "evaluate-before": {**scored, "logprobs": [[-1.0, -2.0, -3.0]]},
        "evaluate-after": {**scored, "logprobs": [[-1.2, -2.1, -3.3]]},
        "check-artifact": {"tensor_bytes": 100},
        "launch": {"url": "http://127.0.0.1:1", "log_path": str(tmp_path / "server.log"), "memory": {}},
    }
    return check_applied(make_context("check-applied", results, plan=plan))


def test_a_server_that_speaks_as_the_checkpoint_does_is_applied(
    make_context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = applied(make_context, tmp_path, "no layers told", [-1.21, -2.11, -3.29], monkeypatch)
    assert found["verdict"] == "applied"
    assert found["fingerprint"]["to_quantized"] == pytest.approx(0.01)
    assert found["fingerprint"]["effect"] == pytest.approx(0.2)


def test_a_server_that_speaks_as_the_original_does_fails_the_run(
    make_context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExecutionFailed, match="awq-int4 is not applied in the engine, although it started and answers"):
        applied(make_context, tmp_path, "no layers told", [-1.0, -2.01, -3.0], monkeypatch)


def test_layers_in_16_bits_fail_the_run_although_every_answer_is_fine(
    make_context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = {
        "name": "layers.0.qkv_proj",
        "method": "Int8OnlineLinearMethod",
        "kernel": "",
        "weights": 4,
        "dtypes": {"bfloat16": 8},
    }
    with pytest.raises(ExecutionFailed, match="1 of 1 linear layers are held in 16 bits"):
        applied(make_context, tmp_path, f"quantplan-layers: {json.dumps([layer])}", None, monkeypatch)


def test_a_taken_over_checkpoint_depends_on_every_file_made_before_it(make_context, tmp_path: Path) -> None:
    """Another calibration text makes another checkpoint; a note that names places does not."""
    from executor.sharing import key_of

    tools = {"torch_quantize": lambda: SimpleNamespace(versions={"llmcompressor": "0.14.0.1"})}
    parameters = {"format": "awq-int4", "tool": "llm-compressor", "variant": "", "group_size": 128}
    plan = with_stage("quantize-torch", parameters, kind="quantize")

    def key(text_sha: str, note_sha: str) -> str:
        made = {"path": "/run/calibration.jsonl", "artifacts": [{"path": "/run/calibration.jsonl", "sha256": text_sha}]}
        note = {"artifacts": [{"path": "/run/notes.json", "sha256": note_sha}]}
        context = make_context("quantize-torch", {"calibrate": made, "report": note}, plan=plan)
        return key_of(replace(context, toolchains=SimpleNamespace(**tools)))

    assert key("a", "n") == key("a", "m") != key("b", "n")


def test_the_report_says_what_was_calibrated_with_and_what_the_engine_holds() -> None:
    from executor.report.verdict import judge
    from planner.request import ServiceLevel

    calibrated = {"samples": 128, "source": "queries.jsonl", "warnings": ["only 20 calibration samples"]}
    held = {"verdict": "applied", "says": ["28 of 28 linear layers are held quantized"]}
    stored = {"schemes": {"I32, 4 bits, a scale for every 128": 28}, "bytes_error": 0.0}
    verdict = judge((), None, {}, stored, (), ServiceLevel(), calibrated=calibrated, applied=held)
    said = {check.name: (check.held, check.says) for check in verdict.checks}
    assert said["calibration"] == (None, "128 samples of queries.jsonl; only 20 calibration samples")
    assert said["scheme in the engine"] == (True, "28 of 28 linear layers are held quantized")
    assert said["scheme"] == (
        True,
        "every tensor is stored as planned: 28 x I32, 4 bits, a scale for every 128; to the byte",
    )


def test_what_llama_cpp_read_is_held_against_the_file(make_context, tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(
        "llama_model_loader: - type  f32:    9 tensors\nllama_model_loader: - type q4_K:   24 tensors\n"
    )
    results = {
        "check-artifact": {"tensor_bytes": 100, "types": {"F32": 9, "Q4_K": 24}},
        "launch": {
            "url": "http://127.0.0.1:1",
            "log_path": str(tmp_path / "server.log"),
            "memory": {"weights_gib": 1e-7},
        },
    }
    found = check_applied(make_context("check-applied", results, plan=with_stage("check-applied", {})))
    assert found["verdict"] == "applied"
    assert found["says"][0] == "the engine read 9 x F32, 24 x Q4_K"
