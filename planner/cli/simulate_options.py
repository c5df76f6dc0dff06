"""What the options of `quantplan simulate` mean together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from planner.errors import BadInput

if TYPE_CHECKING:
    from planner.request import ServiceLevel, Workload
    from planner.serving.capacity import Targets
    from planner.serving.lengths import Lengths
    from planner.serving.speculation import Speculation

RATE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:/\s*(s|min|h))?\s*")
SECONDS = {"s": 1, "min": 60, "h": 3600}


def requests_per_s(text: str) -> float:
    """`5/s`, `300/min`, or a bare number of requests a second. BadInput for anything else, or zero and below."""
    found = RATE.fullmatch(text)
    if found is None:
        raise BadInput(f"--rate {text!r} is not a rate", fix="write --rate 5/s or --rate 300/min")
    value = float(found[1]) / SECONDS[found[2] or "s"]
    if value <= 0:
        raise BadInput(f"--rate {text}: a load is above zero", fix="write --rate 5/s or --rate 300/min")
    return value


def speculation_asked(draft: str | None, tokens: int | None, acceptance: float | None) -> Speculation | None:
    """The speculation that three options ask for together. BadInput where one lacks the others: there is no default."""
    from planner.serving.speculation import Speculation

    given = {"--speculate": draft, "--draft-tokens": tokens, "--acceptance": acceptance}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if draft is None or tokens is None or acceptance is None:
        raise BadInput(
            f"speculative decoding without {' and '.join(missing)}",
            fix="give all of --speculate eagle --draft-tokens 3 --acceptance 0.7 (as measured with your own texts)",
        )
    return Speculation(draft, tokens, acceptance)


def targets_asked(
    planned: ServiceLevel, ttft_ms: float | None, tpot_ms: float | None, percentile: str | None
) -> Targets:
    """The targets given, each the plan's own where it is not."""
    from planner.serving.capacity import Targets

    at = percentile or planned.percentile.removeprefix("p")
    return Targets(ttft_ms or planned.ttft_ms, tpot_ms or planned.tpot_ms, None if at == "mean" else int(at))


def lengths_asked(
    planned: Workload,
    input_tokens: int | None,
    output_tokens: int | None,
    spread: float | None,
    range_ratio: float | None,
    file: Path | None,
) -> tuple[int, int, Lengths]:
    """Mean prompt and output tokens, and how requests are drawn. BadInput for options that exclude each other."""
    from planner.serving.lengths import Lognormal, Uniform, read_lengths

    if file:
        means = {"--input-tokens": input_tokens, "--output-tokens": output_tokens}
        _alone("--lengths", {**means, "--length-spread": spread, "--length-range": range_ratio})
        recorded = read_lengths(file)
        return recorded.mean_input_tokens, recorded.mean_output_tokens, recorded
    prompt, output = input_tokens or planned.input_tokens, output_tokens or planned.output_tokens
    if range_ratio is None:
        return prompt, output, Lognormal(prompt, output, spread or 0.0)
    _alone("--length-range", {"--length-spread": spread})
    return prompt, output, Uniform(prompt, output, range_ratio)


def _alone(option: str, others: dict[str, object]) -> None:
    also = next((name for name, value in others.items() if value is not None), None)
    if also:
        raise BadInput(f"{option} and {also} both say how long requests are", fix="leave one of them out")
