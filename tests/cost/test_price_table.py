"""The price table: every line dated and sourced, one default a name, and the article's prices to the cent."""

import re
from collections import Counter

import pytest

from planner.errors import BadInput
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Cpu
from planner.hardware.resolving import resolve_hardware
from planner.prices import find_host_price, find_price, price_lines, price_of

PROVIDERS = (
    "AWS, Crusoe, Hyperstack, Lambda, Modal, Nebius, Replicate, RunPod, RunPod community, RunPod serverless, "
    "SemiAnalysis index, Spheron, TensorWave, Vast.ai, Verda, Vultr, packet.ai"
)


def test_every_line_is_dated_sourced_and_positive() -> None:
    for line in price_lines():
        assert re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", line.as_of), line
        assert line.source, line
        assert 0 < line.usd_per_hour < 100, line


def test_every_name_is_in_the_catalogue_and_has_one_default() -> None:
    names = {gpu.name for gpu in known_accelerators()}
    lines = [line for line in price_lines() if line.name != "cpu"]
    assert {line.name for line in lines} <= names
    assert set(Counter(line.name for line in lines if line.is_default).values()) == {1}
    assert {line.name for line in lines if line.is_default} == {line.name for line in lines}


def test_a_default_is_on_demand_wherever_that_is_offered() -> None:
    on_demand = {line.name for line in price_lines() if line.price_type == "on-demand"}
    for line in price_lines():
        if line.is_default and line.name in on_demand:
            assert line.price_type == "on-demand", line


@pytest.mark.parametrize(
    ("hardware", "usd_per_hour"), [("2xA100-80GB-SXM", 3.28), ("1xH100-80GB-SXM", 2.98), ("1xA100-80GB-PCIe", 1.04)]
)
def test_the_articles_prices_are_the_defaults(hardware: str, usd_per_hour: float) -> None:
    """Spheron, 07 Apr 2026 (article B, cost table)."""
    rented = resolve_hardware(hardware)
    line = price_of(rented)
    assert line is not None
    assert round(line.usd_per_hour * rented.count, 2) == usd_per_hour
    assert (line.provider, line.as_of) == ("Spheron", "2026-04-07")


def test_a_named_provider_gives_its_on_demand_line() -> None:
    line = find_price("H100-80GB-SXM", provider="nebius")
    assert line is not None
    assert (line.provider, line.price_type, line.usd_per_hour) == ("Nebius", "on-demand", 2.95)


def test_a_provider_without_on_demand_gives_what_it_has() -> None:
    line = find_price("L40S", provider="Modal")
    assert line is not None
    assert line.price_type == "serverless"


def test_an_accelerator_nobody_prices_has_none() -> None:
    assert find_price("MI250X") is None
    assert find_price("Card-X", provider="Lambda") is None
    assert find_price("cpu") is None


def test_a_provider_who_does_not_rent_it_is_refused_with_those_who_do() -> None:
    with pytest.raises(BadInput) as refused:
        find_price("L40S", provider="Lambda")
    assert str(refused.value) == (
        "no price of Lambda for L40S\nTo fix: name one of: AWS, Modal, Nebius, Replicate, RunPod community, "
        "RunPod serverless, or give USD per hour"
    )


def test_an_unknown_provider_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput) as refused:
        find_price("L40S", provider="Sheron")
    assert str(refused.value) == (
        "no prices of provider 'Sheron'\nDid you mean: Spheron?\n"
        f"To fix: name one of: {PROVIDERS}, or give USD per hour"
    )


@pytest.mark.parametrize(
    ("cores", "memory_gib", "rented", "usd_per_hour"),
    [
        (2, 7.5, "cpu-e2_2vcpu-8gb", 0.0496),
        (2, 23.5, "cpu-d3_8vcpu-32gb", 0.1984),
        (48, 64, "cpu-d3_48vcpu-192gb", 1.1904),
    ],
)
def test_a_cpu_host_costs_the_cheapest_machine_that_holds_it(
    cores: int, memory_gib: float, rented: str, usd_per_hour: float
) -> None:
    line = find_host_price(Cpu("any", cores, memory_gib))
    assert line is not None
    assert (line.note, line.usd_per_hour) == (rented, usd_per_hour)


def test_a_cpu_host_larger_than_any_rented_has_no_price() -> None:
    assert find_host_price(Cpu("any", 512, 64)) is None
    assert price_of(resolve_hardware("cpu:64GB")) is not None


def test_a_provider_too_small_for_the_host_is_refused() -> None:
    with pytest.raises(BadInput, match="no price of Lambda for a CPU host of this size"):
        find_host_price(Cpu("any", 16, 64), provider="Lambda")


def test_a_reserved_price_says_how_long_it_binds() -> None:
    line = find_price("H100-80GB-SXM", kind="reserved")
    assert line is not None
    assert line.label == "SemiAnalysis index, reserved for 12 months, 2026-03"
