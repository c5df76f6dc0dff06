"""Energy and money, against figures worked out by hand and a published one."""

import pytest

from planner.energy.electricity import (
    electricity_usd_per_1m_tokens,
    electricity_usd_per_hour,
    joules_per_token,
)
from planner.errors import BadInput


def test_a_published_run_gives_its_published_joules():
    """ML.ENERGY v3: Qwen3-14B on one B200 at batch 8: 320 W, 234.06 tokens/s, 1.3663 J a token."""
    assert joules_per_token(319.79, 234.0605) == pytest.approx(1.3663, rel=1e-3)


def test_a_million_tokens_at_one_joule_take_0_278_kwh():
    assert electricity_usd_per_1m_tokens(watts=500, tokens_per_s=500, usd_per_kwh=1.0) == pytest.approx(
        0.27778, rel=1e-4
    )


def test_the_building_draws_more_than_its_machines():
    alone = electricity_usd_per_1m_tokens(700, 1000, 0.10)
    assert electricity_usd_per_1m_tokens(700, 1000, 0.10, 1.5) == pytest.approx(1.5 * alone)


def test_an_hour_of_a_kilowatt():
    assert electricity_usd_per_hour(watts=1000, usd_per_kwh=0.12) == pytest.approx(0.12)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((700, 0, 0.1, 1.0), "0 tokens/s: energy per token needs a throughput above zero"),
        ((700, 10, -0.1, 1.0), "-0.1 USD per kWh: a price of electricity is not negative"),
        (
            (700, 10, 0.1, 0.9),
            "power usage effectiveness 0.9: a building draws no less than its machines\n"
            "To fix: give 1 or more (1: the accelerators alone)",
        ),
    ],
)
def test_impossible_input_is_refused(given, says):
    with pytest.raises(BadInput) as refusal:
        electricity_usd_per_1m_tokens(*given)
    assert str(refusal.value) == says
