"""MIG slices, against the memory that NVIDIA's MIG User Guide gives them."""

from __future__ import annotations

import pytest

from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware


@pytest.mark.parametrize(
    ("spelling", "gib"),
    [
        ("A100-80GB:1g.10gb", 9.5),
        ("A100-80GB:2g.20gb", 19.5),
        ("A100-80GB:3g.40gb", 39.25),
        ("A100-40GB:3g.20gb", 19.62),
        ("H100-80GB:1g.20gb", 19.5),
        ("H100-80GB: MIG 4g.40gb", 39.25),
    ],
)
def test_a_slice_has_its_eighths_of_the_memory(spelling: str, gib: float) -> None:
    gpu = resolve_hardware(f"1x{spelling}").accelerator
    assert gpu is not None
    assert gpu.memory_gib == pytest.approx(gib, rel=0.02)


def test_a_slice_has_its_sevenths_of_the_cores_and_a_name_of_its_own() -> None:
    whole, part = resolve_hardware("H100-80GB").accelerator, resolve_hardware("2xH100-80GB:3g.40gb")
    assert whole is not None and part.accelerator is not None
    assert part.label == "2xH100-80GB-SXM:3g.40gb"
    assert part.accelerator.fp16_tflops == pytest.approx(whole.fp16_tflops * 3 / 7)
    assert part.accelerator.bandwidth_gb_s == pytest.approx(whole.bandwidth_gb_s / 2)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput) as refused:
        resolve_hardware("H100-80GB:9g.10gb")
    assert str(refused.value) == (
        "H100-80GB-SXM has no MIG profile 9g.10gb\n"
        "Did you mean: 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb?\n"
        "To fix: write one of its profiles after a colon, for example H100-80GB:3g.40gb"
    )


def test_a_card_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(BadInput, match=r"RTX-4090 has no MIG profile 1g\.3gb"):
        resolve_hardware("RTX4090:1g.3gb")
