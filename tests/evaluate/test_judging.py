"""Go or no-go: on both sides of each tolerance of the articles, and what is left open."""

from __future__ import annotations

from typing import Any

import pytest

from executor.evaluate.judging import judge

QUERIES = {
    **{"right_before": 0.90, "right_after": 0.90, "turned_wrong": 0, "empty_after": 0},
    **{"mean_repetition_before": 0.1, "mean_repetition_after": 0.1},
}
NOTHING: dict[str, Any] = {"shift": None, "divergence": None, "tasks": [], "queries": None}


def verdict(**measured: Any) -> dict[str, Any]:
    return judge({**NOTHING, **measured})


def task(drop_percent: float, noise: float | None = 0.1) -> dict[str, Any]:
    about = {"task": "mmlu", "metric": "acc", "before": 0.7, "after": 0.7 - drop_percent / 100}
    return {**about, "drop_percent": drop_percent, "standard_error_percent": noise, "samples": 1000}


@pytest.mark.parametrize(("ratio", "go"), [(1.049, True), (1.051, False)])
def test_five_percent_of_perplexity(ratio: float, go: bool) -> None:
    assert verdict(shift={"perplexity_ratio": ratio})["go"] is go
    assert verdict(divergence={"perplexity_ratio": ratio})["go"] is go


@pytest.mark.parametrize(("drop", "go"), [(1.9, True), (2.1, False)])
def test_two_points_of_a_benchmark(drop: float, go: bool) -> None:
    assert verdict(tasks=[task(drop)])["go"] is go


def test_a_drop_within_the_noise_of_few_samples_decides_nothing() -> None:
    found = verdict(tasks=[task(5.0, noise=12.8)], shift={"perplexity_ratio": 1.0})
    assert found["go"] is True
    undecided = next(check for check in found["reasons"] if check["name"] == "mmlu")
    assert undecided["held"] is None and "take more samples" in undecided["says"]


@pytest.mark.parametrize(("after", "go"), [(0.891, True), (0.889, False)])
def test_one_point_of_the_users_own_queries(after: float, go: bool) -> None:
    assert verdict(queries={**QUERIES, "right_after": after})["go"] is go


def test_answers_that_repeat_themselves_or_fall_silent_are_a_no_go() -> None:
    assert verdict(queries={**QUERIES, "mean_repetition_after": 0.21})["go"] is False
    assert verdict(queries={**QUERIES, "empty_after": 1})["go"] is False
    assert verdict(queries=QUERIES)["go"] is True


def test_nothing_measured_is_no_go() -> None:
    found = verdict()
    assert found["go"] is False
    assert [check["held"] for check in found["reasons"]] == [None, None]


def test_each_reason_names_its_source() -> None:
    found = verdict(tasks=[task(0)], queries=QUERIES, shift={"perplexity_ratio": 1.0})
    assert [check["source"] for check in found["reasons"][:3]] == [
        "A.eval.ppl",
        "A.eval.benchmarks",
        "A.eval.business; A.pitfall.7",
    ]
