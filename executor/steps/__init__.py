"""The steps of a run: one function a kind of stage, idempotent, writing only in its workspace."""

from __future__ import annotations

from executor.steps.calibrate import calibrate
from executor.steps.check_applied import check_applied
from executor.steps.check_artifact import check_artifact
from executor.steps.convert import convert
from executor.steps.evaluate import evaluate
from executor.steps.fetch import fetch
from executor.steps.findings import findings
from executor.steps.keep_original import keep_original
from executor.steps.launch import launch
from executor.steps.load_test import load_test
from executor.steps.quantize import quantize
from executor.steps.ramp import ramp
from executor.steps.report import report
from executor.steps.spec import StepSpec
from executor.steps.supported import require_supported
from planner.plan import StageKind

__all__ = ["STEPS", "StepSpec", "require_supported"]

STEPS: dict[StageKind, StepSpec] = {
    "fetch": StepSpec(fetch),
    "keep-original": StepSpec(keep_original),
    "convert": StepSpec(convert, shared=True),
    "calibrate": StepSpec(calibrate),
    "quantize": StepSpec(quantize, shared=True),
    "check-artifact": StepSpec(check_artifact),
    "evaluate": StepSpec(evaluate),
    "launch": StepSpec(launch, ephemeral=True),
    "check-applied": StepSpec(check_applied, needs=("launch",)),
    "load-test": StepSpec(load_test, needs=("launch",)),
    "ramp": StepSpec(ramp, needs=("launch",)),
    "findings": StepSpec(findings),
    "report": StepSpec(report),
}
