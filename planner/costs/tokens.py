"""One cost, told apart by kind of token: by the time the machine spends on prompts and on answers.

A server reads prompts (prefill) and writes answers (decode) with the same machine. The share of its time that prompts
take, from the speed model, is the share of its cost that input tokens carry; the rest is carried by output tokens.
A token read from the prefix cache takes none of that time, so it carries no cost; it only holds cache memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.costs.formula import MILLION, SECONDS_PER_HOUR

METHOD = "by the time the machine spends reading prompts and writing answers (speed model)"


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """USD per million tokens of each kind, such that the kinds together pay for the hour.

    `all_on_output`: the whole cost on output tokens (B.cost.formula). `blended`: on all tokens, in and out alike.
    `usd_per_request` is for a request of the workload's mean lengths, with its cached part.
    """

    all_on_output: float
    input: float | None
    cached_input: float | None
    output: float | None
    blended: float
    usd_per_request: float


def token_prices(
    usd_per_hour: float,
    requests_per_s: float,
    input_tokens: float,
    output_tokens: float,
    prompt_share: float | None,
    cached_share: float = 0.0,
) -> TokenPrices:
    """The kinds apart for a server that answers so many such requests a second without a prefix cache.

    With `cached_share` of the input found in the cache, a request costs that much less of its prompt's part. Without a
    known `prompt_share` the kinds stay unknown and nothing is saved by the cache.
    """
    whole = usd_per_hour / (requests_per_s * SECONDS_PER_HOUR)
    share = prompt_share or 0.0
    request = whole * (1 - share * cached_share)
    known = prompt_share is not None
    return TokenPrices(
        all_on_output=request / output_tokens * MILLION,
        input=whole * share / input_tokens * MILLION if known else None,
        cached_input=0.0 if known else None,
        output=whole * (1 - share) / output_tokens * MILLION if known else None,
        blended=request / (input_tokens + output_tokens) * MILLION,
        usd_per_request=request,
    )
