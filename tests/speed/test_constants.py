"""The data file: known names only, shares below the datasheet, every entry with its source."""

from __future__ import annotations

import pytest

from planner.hardware.resolving import resolve_hardware
from planner.models.resolving import resolve_model
from planner.speed.anatomy import anatomy
from planner.speed.constants import levels_of, rates
from planner.speed.cpu import cpu_constants
from planner.speed.measured import WHATEVER, is_familiar, measured, support, support_for

MEASURED = [each for each in measured() if each != WHATEVER]


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


def test_families_of_engines_do_not_share_a_vintage() -> None:
    ours, theirs = (levels_of(e, "cublas-bf16", "ada", "2024", "", "")["vintage"] for e in ("llama.cpp", "vllm"))
    assert (ours, theirs) == ("ggml 2024", "serving 2024")


def test_what_no_fit_has_seen_is_less_certain_than_what_it_has() -> None:
    """Llama-3.1-70B on H200 was fitted; a model of another shape and a GPU of the same class were not."""
    h200, gh200 = (resolve_hardware(name).accelerator for name in ("1xH200-141GB-SXM", "1xGH200-144GB"))
    llama, other = (anatomy(resolve_model(name).shape) for name in ("llama-3.1-70b", "23B"))
    assert h200 is not None and gh200 is not None
    assert is_familiar(llama, h200) and not is_familiar(other, h200) and not is_familiar(llama, gh200)
    named = "vllm", "fp8-w8a8"
    seen = support_for(*named, h200, llama)
    assert seen is not None
    for accelerator, model in ((h200, other), (gh200, llama)):
        unseen = support_for(*named, accelerator, model)
        assert unseen is not None
        for figure, interval in seen.intervals.items():
            assert unseen.intervals[figure].low <= interval.low and interval.high <= unseen.intervals[figure].high
            assert unseen.intervals[figure] != interval


def test_a_kernel_nobody_measured_on_such_an_engine_is_only_a_bound() -> None:
    nothing, something = support("vllm", "bitsandbytes-int8", "ada"), support("vllm", "cublas-bf16", "ada")
    assert nothing is not None and nothing.is_bound
    assert something is not None and not something.is_bound and not something.exact


def test_constants_of_another_family_of_engines_are_told_apart() -> None:
    near, far = support("sglang", "marlin-int4", "ampere"), support("vllm", "bitsandbytes-int8", "ampere")
    assert near is not None and far is not None
    assert far.foreign and not far.is_bound and "transformers" in far.note
    assert not near.foreign
