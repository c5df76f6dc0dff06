"""The cost formula of article B against its own table of 07 Apr 2026."""

import pytest

from planner.costs import usd_per_1m_tokens, usd_per_month

ARTICLE_B_ROWS = [
    ("70B AWQ INT4 on A100 80G SXM4", 1.64, 1800, "0.253"),
    ("70B BF16 on H100 SXM5", 2.98, 1600, "0.517"),
    ("70B AWQ INT4 on H100 SXM5", 2.98, 2400, "0.345"),
    ("7B AWQ INT4 on A100 80G PCIe", 1.04, 3800, "0.076"),
]


@pytest.mark.parametrize(("row", "usd_per_hour", "tokens_per_s", "printed"), ARTICLE_B_ROWS)
def test_article_b_cost_table_to_the_last_digit(
    row: str, usd_per_hour: float, tokens_per_s: float, printed: str
) -> None:
    assert f"{usd_per_1m_tokens(usd_per_hour, tokens_per_s):.3f}" == printed


def test_the_one_row_where_article_b_departs_from_its_own_formula() -> None:
    """2x A100 at $3.28 and 1200 tokens/s: the article prints ~$0.757; its formula on its own inputs gives $0.759."""
    assert f"{usd_per_1m_tokens(3.28, 1200):.3f}" == "0.759"


def test_article_b_claim_of_a_threefold_reduction() -> None:
    assert usd_per_1m_tokens(3.28, 1200) / usd_per_1m_tokens(1.64, 1800) == pytest.approx(3.0)


def test_half_the_utilisation_doubles_the_cost() -> None:
    assert usd_per_1m_tokens(1.64, 1800, utilisation=0.5) == pytest.approx(2 * usd_per_1m_tokens(1.64, 1800))


def test_a_month_has_730_hours() -> None:
    assert usd_per_month(1.0) == 8760 / 12
