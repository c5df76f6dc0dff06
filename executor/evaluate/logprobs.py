"""What a served model makes of given tokens: the log-probability of each, and how far two models differ on them.

More sensitive than perplexity: errors that cancel in a mean still move single tokens. Taken through `prompt_logprobs`
of /v1/completions, so from the very server that answers; an engine without it (llama-server) has `divergence.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.load.statistics import percentile
from planner.errors import ExecutionFailed

if TYPE_CHECKING:
    import httpx

LEAST_TOKENS = 2


@dataclass(frozen=True, slots=True)
class Shift:
    """How one model's log-probabilities differ from another's on the same tokens, in nats a token.

    `nll_delta`: rise of the mean negative log-likelihood, with its standard error (tokens taken as independent);
    `mean_absolute`, `p99_absolute` and `largest`: of single tokens.
    """

    tokens: int
    nll_before: float
    nll_after: float
    nll_delta: float
    standard_error: float
    mean_absolute: float
    p99_absolute: float
    largest: float

    @property
    def perplexity_ratio(self) -> float:
        return math.exp(self.nll_delta)


def shift(before: Sequence[float], after: Sequence[float]) -> Shift:
    """ExecutionFailed where the two are not of the same tokens, or one is no number."""
    if len(before) != len(after) or len(before) < LEAST_TOKENS:
        raise ExecutionFailed(
            f"{len(before)} and {len(after)} log-probabilities cannot be compared", fix="score the same tokens on both"
        )
    require_numbers(after)
    rises = [old - new for old, new in zip(before, after, strict=True)]
    count, mean = len(rises), sum(rises) / len(rises)
    variance = sum((rise - mean) ** 2 for rise in rises) / (count - 1)
    sizes = sorted(abs(rise) for rise in rises)
    return Shift(
        tokens=count,
        nll_before=-sum(before) / count,
        nll_after=-sum(after) / count,
        nll_delta=mean,
        standard_error=math.sqrt(variance / count),
        mean_absolute=sum(sizes) / count,
        p99_absolute=percentile(sizes, 99),
        largest=sizes[-1],
    )


def require_numbers(logprobs: Sequence[float]) -> None:
    """ExecutionFailed when a log-probability is NaN or infinite: a kernel that does not fit (A.pitfall.9)."""
    broken = sum(not math.isfinite(value) for value in logprobs)
    if broken:
        raise ExecutionFailed(
            f"{broken} of {len(logprobs)} log-probabilities are no numbers",
            fix="upgrade the engine or start it with --enforce-eager; plan another format if the original is sound",
        )


async def prompt_logprobs(client: httpx.AsyncClient, model: str, ids: Sequence[int]) -> list[float] | None:
    """The log-probability of each token but the first; None where the server does not know `prompt_logprobs`.

    ExecutionFailed when the server fails.
    """
    import httpx

    body = {"model": model, "prompt": list(ids), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    try:
        response = await client.post("/v1/completions", json=body)
        response.raise_for_status()
        answered = response.json()["choices"][0].get("prompt_logprobs")
    except (httpx.HTTPError, ValueError, LookupError) as error:
        raise ExecutionFailed(f"the server could not score a prompt: {error}", fix="read its log") from error
    return None if answered is None else chosen_logprobs(answered, ids)


def chosen_logprobs(answered: Sequence[dict[str, dict[str, Any]] | None], ids: Sequence[int]) -> list[float]:
    """Of each place's entries the one of the token that is there; a missing or null one counts as NaN."""
    found = []
    for entries, token in zip(answered[1:], ids[1:], strict=True):
        value = (entries or {}).get(str(token), {}).get("logprob")
        found.append(math.nan if value is None else float(value))
    return found
