"""The cost of one candidate as a plan states it."""

from __future__ import annotations

from planner.costs.formula import usd_per_1m_tokens, usd_per_month
from planner.costs.hourly import HourlyPrice
from planner.costs.tokens import METHOD, token_prices
from planner.plan import Cost, TokenCost
from planner.request import Price, Workload
from planner.speed.estimate import Estimate


def cost_of(
    price: Price,
    hourly: HourlyPrice | None,
    accelerators: int,
    output_tokens_per_s: Estimate,
) -> Cost | None:
    """What `accelerators` in use cost: an hour, a month, a million output tokens with the range of the speed.

    `hourly` is what one costs; None where no price is known.
    """
    if hourly is None:
        return None
    usd_per_hour = hourly.usd_per_hour * accelerators

    def per_million(tokens_per_s: float | None) -> float | None:
        return usd_per_1m_tokens(usd_per_hour, tokens_per_s, price.utilisation) if tokens_per_s else None

    return Cost(
        usd_per_hour=usd_per_hour,
        usd_per_1m_output_tokens=per_million(output_tokens_per_s.value),
        low=per_million(output_tokens_per_s.high),
        high=per_million(output_tokens_per_s.low),
        usd_per_month=usd_per_month(usd_per_hour),
        utilisation=price.utilisation,
        provider=hourly.provider,
        price_as_of=hourly.as_of,
        price_source=hourly.provenance,
        price_kind=hourly.kind,
    )


def tokens_apart(cost: Cost, tokens_per_s: float, workload: Workload, share: float | None) -> Cost:
    """The same cost with input and output tokens apart; `share` of the time goes to prompts (None: unknown)."""
    if share is None:
        return cost
    usd_per_hour = cost.usd_per_hour
    requests_per_s = tokens_per_s * cost.utilisation / workload.output_tokens
    prices = token_prices(usd_per_hour, requests_per_s, workload.input_tokens, workload.output_tokens, share)
    apart = TokenCost(
        usd_per_1m_input=prices.input or 0.0,
        usd_per_1m_cached_input=prices.cached_input or 0.0,
        usd_per_1m_output=prices.output or 0.0,
        usd_per_1m_blended=prices.blended,
        prompt_share=share,
        allocated=METHOD,
    )
    return cost.model_copy(update={"apart": apart})
