"""What the planner says a format keeps, against measurements it was not made from."""

import pytest

from planner.quality import expected_quality

ARTICLE_B = (("MMLU", 85, 83), ("HumanEval", 72, 70))


@pytest.mark.parametrize(("task", "before", "after"), ARTICLE_B)
def test_article_bs_70b_after_awq_lies_in_the_interval(task: str, before: float, after: float) -> None:
    """B.quality_table: Llama 3.3 70B, AWQ INT4."""
    quality = expected_quality("awq-int4", 70.6)
    assert quality.low_percent is not None
    assert quality.high_percent is not None
    assert quality.low_percent <= 100 * after / before <= quality.high_percent, task
