"""Go or no-go from what was measured, each tolerance with its source (`planner/catalog/checks.yaml`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.catalog import load_yaml


def judge(measured: Mapping[str, Any]) -> dict[str, Any]:
    """{go, reasons}: no-go when a tolerance is exceeded; what was not measured is said and decides nothing."""
    limits = load_yaml("checks.yaml")["evaluation"]
    checks = [*_shift(measured, limits), *_tasks(measured, limits), *_queries(measured, limits)]
    return {
        "go": all(check["held"] is not False for check in checks) and any(check["held"] for check in checks),
        "reasons": checks,
    }


def _check(name: str, held: bool | None, says: str, source: str) -> dict[str, Any]:
    return {"name": name, "held": held, "says": says, "source": source}


def _shift(measured: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rise of perplexity on the same tokens, from either measure of them."""
    limit, found = limits["perplexity_ratio"], measured["shift"] or measured["divergence"]
    if found is None or found["perplexity_ratio"] is None:
        yield _check("token probabilities", None, "this engine does not tell them", limit["source"])
        return
    rise = (found["perplexity_ratio"] - 1) * 100
    says = f"perplexity {rise:+.2f} % on the same tokens; tolerated: {limit['most_percent']} %"
    yield _check("token probabilities", rise < limit["most_percent"], says, limit["source"])


def _tasks(measured: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A drop beyond the tolerance counts only where it is beyond the noise of so few samples, too."""
    limit = limits["task_drop"]
    for task in measured["tasks"]:
        drop, noise = task["drop_percent"], task["standard_error_percent"] or 0.0
        change = f"{task['metric']} {task['before']:.3f} -> {task['after']:.3f}"
        says = f"{change}; tolerated: {limit['most_percent']} points"
        unsure = drop >= limit["most_percent"] and drop < 2 * noise
        held = None if unsure else drop < limit["most_percent"]
        more = f", but that is within its noise (+- {noise:.1f}): take more samples" if unsure else ""
        yield _check(task["task"], held, says + more, limit["source"])


def _queries(measured: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = measured["queries"]
    if found is None:
        limit = limits["query_drop"]
        yield _check("queries", None, "none were given; a global figure hides the long tail", limit["source"])
        return
    if found["right_before"] is not None:
        limit, drop = limits["query_drop"], (found["right_before"] - found["right_after"]) * 100
        turned = f"{found['turned_wrong']} turned wrong"
        says = f"{drop:+.1f} points fewer right, {turned}; at most {limit['most_percent']}"
        yield _check("queries", drop <= limit["most_percent"], says, limit["source"])
    limit = limits["repetition"]
    grown = found["mean_repetition_after"] - found["mean_repetition_before"]
    says = f"{found['mean_repetition_after']:.0%} of what is said was said before ({grown:+.0%})"
    yield _check("repetition", grown <= limit["most_rise"] and not found["empty_after"], says, limit["source"])
