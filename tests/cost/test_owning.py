"""What an hour of a bought machine costs, by hand, and what is refused."""

from typing import Any

import pytest

from planner.costs.hourly import of_owned
from planner.costs.owning import ownership
from planner.costs.pricing import Owning, Pricing, price_of_plan, purchase_prices
from planner.errors import BadInput
from planner.plan import Plan
from tests.cost.conftest import compared

GIVEN: dict[str, Any] = {"watts": 400, "tdp_watts": 400, "name": "A100-80GB-SXM", "usd_per_kwh": 0.10, "pue": 1.5}


def test_an_hour_of_an_owned_machine_by_hand() -> None:
    """$15,000 over 4 years is $0.4281 an hour; 0.4 kW x 1.5 x $0.10 is $0.06; $73 of hosting a month is $0.10."""
    bought = ownership(15000, 4, hosting_usd_per_month=73, **GIVEN)
    assert [part.name for part in bought.parts()] == ["purchase", "electricity", "hosting"]
    assert [round(part.usd_per_hour, 4) for part in bought.parts()] == [0.4281, 0.06, 0.1]
    assert of_owned(bought, "A100").usd_per_hour == pytest.approx(15000 / 35040 + 0.06 + 0.1)


def test_resale_lowers_the_purchase() -> None:
    assert ownership(15000, 4, residual_usd=5000, **GIVEN).parts()[0].arithmetic == (
        "($15,000 - $5,000 resale) / (4 years x 8,760 h)"
    )


def test_what_is_not_given_comes_from_the_catalogue_with_its_source() -> None:
    bought = ownership(15000, 4, watts=None, tdp_watts=400, name="A100-80GB-SXM")
    assert (bought.watts, bought.pue, bought.usd_per_kwh) == (400, 1.58, 0.0806)
    assert bought.power_source == "power: TDP of A100-80GB-SXM, an upper bound"
    assert "Uptime Institute" in bought.pue_source
    assert "Energy Information Administration" in bought.electricity_source


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"purchase_usd": -1}, "--purchase-usd -1: less than 0 USD\nTo fix: give it like --purchase-usd 15000"),
        ({"years": 0}, "--years 0 is not more than 0: over how many years the purchase is written off\n"
                       "To fix: give --years 4"),
        ({"years": None}, "--years is missing: over how many years the purchase is written off\n"
                         "To fix: give --years 4"),
        ({"pue": 0.9}, "--pue 0.9: less than 1 (1 is a site that uses no power beside its machines)\n"
                       "To fix: give it like --pue 1.3"),
        ({"usd_per_kwh": -0.1}, "--usd-per-kwh -0.1: less than 0 USD\nTo fix: give it like --usd-per-kwh 0.08"),
        ({"residual_usd": 20000}, "--residual-usd 20000: not from 0 to the purchase price 15000\n"
                                  "To fix: give what it will be sold for at the end, or leave it out"),
        ({"watts": None, "tdp_watts": None}, "no power draw is known for A100-80GB-SXM\n"
                                             "To fix: give --watts, the draw of one while serving"),
    ],
)  # fmt: skip
def test_what_is_refused(given: dict[str, Any], says: str) -> None:
    asked = {"purchase_usd": 15000, "years": 4, **GIVEN, **given}
    with pytest.raises(BadInput) as refused:
        ownership(asked.pop("purchase_usd"), asked.pop("years"), **asked)
    assert str(refused.value) == says


def test_purchase_prices_by_accelerator(a100: Plan, h100: Plan) -> None:
    owning = Owning(purchase_prices(("A100-80GB-SXM=10000", "H100-80GB-SXM=25000")), years=4)
    cases = compared(a100, h100, pricing=Pricing(owning=owning)).cases
    assert [case.hourly.parts[0].usd_per_hour for case in cases] == [
        pytest.approx(10000 / 35040),
        pytest.approx(25000 / 35040),
    ]


def test_an_unknown_accelerator_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput) as refused:
        purchase_prices(("A100-80GB-SMX=10000",))
    assert str(refused.value).startswith(
        "--purchase-usd A100-80GB-SMX=10000: no accelerator is called 'A100-80GB-SMX'\nDid you mean: A100-80GB-SXM"
    )


def test_one_without_a_purchase_price_is_refused(a100: Plan) -> None:
    with pytest.raises(BadInput) as refused:
        price_of_plan(a100, Pricing(owning=Owning({"L40S": 8000.0}, years=4)))
    assert str(refused.value) == "no purchase price for A100-80GB-SXM\nTo fix: add --purchase-usd A100-80GB-SXM=USD"
