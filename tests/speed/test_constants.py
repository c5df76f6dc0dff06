"""The data file: known names only, shares below the datasheet, every entry with its source."""

from __future__ import annotations

import pytest

from planner.catalog import load_yaml
from planner.speed.constants import FILE, rates, support
from planner.speed.cpu import cpu_constants

MEASURED = [(e["engine"], e["kernel"], e["gpu_class"]) for e in load_yaml(FILE)["support"]]


@pytest.mark.parametrize("combination", MEASURED, ids="-".join)
def test_no_kernel_is_faster_than_its_datasheet(combination: tuple[str, str, str]) -> None:
    """A share of bandwidth above 1 would hide an error in the bytes."""
    found = rates(*combination)
    assert 0 < found.bandwidth_efficiency <= 1
    assert 0 < found.compute_efficiency <= 1


@pytest.mark.parametrize("combination", MEASURED, ids="-".join)
def test_every_measured_combination_has_source_rows_and_interval(combination: tuple[str, str, str]) -> None:
    known = support(*combination)
    assert known is not None and known.exact
    for interval in known.intervals.values():
        assert interval.source
        assert interval.low < 1 < interval.high


def test_cpu_constants_are_milliseconds_of_a_millisecond_machine() -> None:
    constants = cpu_constants()
    assert constants.step_ms < 1 and constants.layer_ms < 0.2
    assert {"gguf-q4_k_m", "gguf-q8_0", "gguf-bf16"} <= set(constants.types)


def test_importing_the_door_stays_light() -> None:
    import subprocess
    import sys

    heavy = "('numpy', 'scipy', 'rich', 'httpx')"
    code = f"import planner.speed.predicting, sys; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
