"""What a cost is asked for: at which load, how busy, with which part of the prompts cached, and against which API."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from planner.costs.formula import MILLION, SECONDS_PER_DAY
from planner.errors import BadInput
from planner.request import Workload

AN_API_PRICE = "give USD per 1M tokens as input,output or input,output,cached: --api-price 0.60,2.40"


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """USD per million tokens that an API asks. `cached_input` None: as much as any input."""

    input: float
    output: float
    cached_input: float | None = None

    def usd_per_request(self, workload: Workload, cached_share: float) -> float:
        """A request of the workload's mean lengths, `cached_share` of its prompt billed as cached."""
        cached = self.input if self.cached_input is None else self.cached_input
        per_input = (1 - cached_share) * self.input + cached_share * cached
        return (workload.input_tokens * per_input + workload.output_tokens * self.output) / MILLION

    @property
    def label(self) -> str:
        cached = "" if self.cached_input is None else f", ${self.cached_input:g} cached"
        return f"API at ${self.input:g} in, ${self.output:g} out{cached} per 1M tokens"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked beside the plans. `utilisation`: no copy is planned busier than this share of its time (0-1]."""

    utilisation: float = 1.0
    requests_per_s: float | None = None
    cached_share: float = 0.0
    api: ApiPrice | None = None
    max_accelerators: int | None = None


def terms_from(
    workload: Workload,
    *,
    utilisation: float = 1.0,
    requests_per_s: float | None = None,
    tokens_per_day: float | None = None,
    cached_share: float = 0.0,
    api_price: str | None = None,
    max_accelerators: int | None = None,
) -> Terms:
    """Checked terms; tokens a day are in and out together, in the workload's mix. BadInput names the option."""
    if not 0 < utilisation <= 1:
        raise BadInput(
            f"--utilisation {utilisation:g}: not more than 0 and at most 1",
            fix="give the share of the time a copy may be busy, like --utilisation 0.6",
        )
    if not 0 <= cached_share <= 1:
        raise BadInput(
            f"--cached-share {cached_share:g}: not from 0 to 1",
            fix="give the share of prompt tokens found in the prefix cache, like --cached-share 0.3",
        )
    if max_accelerators is not None and max_accelerators < 1:
        raise BadInput(
            f"--max-accelerators {max_accelerators}: less than 1", fix="give how many may be rented, or none"
        )
    load = _load(workload, requests_per_s, tokens_per_day)
    return Terms(utilisation, load, cached_share, api_price_from(api_price), max_accelerators)


def api_price_from(text: str | None) -> ApiPrice | None:
    """`input,output[,cached]` in USD per million tokens. BadInput for anything else."""
    if text is None:
        return None
    try:
        numbers = [float(part.strip().lstrip("$")) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"--api-price {text[:60]}: not numbers with commas between", fix=AN_API_PRICE) from None
    if len(numbers) not in (2, 3):
        raise BadInput(f"--api-price {text[:60]}: {len(numbers)} prices, not 2 or 3", fix=AN_API_PRICE)
    if any(number < 0 or not isfinite(number) for number in numbers) or not any(numbers[:2]):
        raise BadInput(f"--api-price {text[:60]}: prices must be 0 or more, and not all 0", fix=AN_API_PRICE)
    return ApiPrice(*numbers)


def _load(workload: Workload, requests_per_s: float | None, tokens_per_day: float | None) -> float | None:
    if requests_per_s is not None and tokens_per_day is not None:
        raise BadInput(
            "--requests-per-s and --tokens-per-day are two ways to say one thing", fix="leave out one of them"
        )
    for option, value in (("--requests-per-s", requests_per_s), ("--tokens-per-day", tokens_per_day)):
        if value is not None and not 0 < value < float("inf"):
            raise BadInput(f"{option} {value:g}: not more than 0", fix=f"give a load, or leave out {option}")
    if tokens_per_day is None:
        return requests_per_s
    return tokens_per_day / (workload.input_tokens + workload.output_tokens) / SECONDS_PER_DAY
