"""Log-probabilities from a server, how far two models differ on them, and what is no number."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict

import pytest
from fake_openai_server import FakeServer

from executor.evaluate.divergence import parse_divergence
from executor.evaluate.logprobs import chosen_logprobs, prompt_logprobs, shift
from executor.load.client import open_client
from planner.errors import ExecutionFailed

# The end of `llama-perplexity --kl-divergence` of llama.cpp at 0c1e57098, on the demonstration model.
PRINTED = """\
====== Perplexity statistics ======
Mean PPL(Q)                   :  50.202762 ±   0.967181
Mean PPL(base)                :  50.083505 ±   0.964054
Cor(ln(PPL(Q)), ln(PPL(base))):  99.95%
Mean ln(PPL(Q)/PPL(base))     :   0.002378 ±   0.000594
Mean PPL(Q)/PPL(base)         :   1.002381 ±   0.000595
Mean PPL(Q)-PPL(base)         :   0.119257 ±   0.029932

====== KL divergence statistics ======
Mean    KLD:   0.002187 ±   0.000021
Maximum KLD:   0.079584
99.9%   KLD:   0.033015
99.0%   KLD:   0.012002
Median  KLD:   0.001494

====== Token probability statistics ======
Mean    Δp: -0.030 ± 0.006 %
RMS Δp    :  0.827 ± 0.015 %
Same top p: 95.629 ± 0.155 %
"""


def scored(server: FakeServer, ids: list[int]) -> list[float] | None:
    async def go() -> list[float] | None:
        async with server.serving() as url, open_client(url, 1) as client:
            return await prompt_logprobs(client, "tiny", ids)

    return asyncio.run(go())


def test_each_token_but_the_first_has_its_log_probability() -> None:
    server = FakeServer(logprob=lambda token: -token / 10)
    assert scored(server, [5, 10, 20]) == [-1.0, -2.0]
    assert server.requests[0]["prompt"] == [5, 10, 20] and server.requests[0]["prompt_logprobs"] == 0


def test_the_token_that_is_there_counts_not_the_likeliest() -> None:
    """vLLM lists the likeliest token beside the given one."""
    answered = [None, {"7": {"logprob": -0.1}, "9": {"logprob": -3.0}}]
    assert chosen_logprobs(answered, [1, 9]) == [-3.0]


def test_a_null_is_no_number_and_stops_the_comparison() -> None:
    found = scored(FakeServer(logprob=lambda token: None), [1, 2, 3])
    assert found is not None and all(math.isnan(value) for value in found)
    with pytest.raises(ExecutionFailed) as failed:
        shift([-1.0, -1.0], found)
    assert str(failed.value) == (
        "2 of 2 log-probabilities are no numbers\n"
        "To fix: upgrade the engine or start it with --enforce-eager; plan another format if the original is sound"
    )


def test_errors_that_cancel_in_the_mean_are_seen_in_the_tokens() -> None:
    """Perplexity is the same to the last digit; every token has moved."""
    found = shift([-1.0, -2.0, -1.0, -2.0], [-2.0, -1.0, -2.0, -1.0])
    assert found.nll_delta == 0 and found.perplexity_ratio == 1
    assert found.mean_absolute == found.largest == 1.0


def test_a_shift_by_hand() -> None:
    found = shift([-1.0, -2.0, -3.0], [-1.1, -2.3, -3.2])
    assert found.nll_delta == pytest.approx(0.2)
    assert found.perplexity_ratio == pytest.approx(math.exp(0.2))
    assert found.standard_error == pytest.approx(0.1 / math.sqrt(3))  # rises 0.1, 0.3, 0.2: standard deviation 0.1
    assert (found.tokens, found.nll_before) == (3, pytest.approx(2.0))


def test_different_tokens_are_not_compared() -> None:
    with pytest.raises(ExecutionFailed, match="3 and 2 log-probabilities cannot be compared"):
        shift([-1.0] * 3, [-1.0] * 2)


def test_llama_cpps_divergence_is_read_from_what_it_prints() -> None:
    assert asdict(parse_divergence(PRINTED)) == {
        **{"mean": 0.002187, "standard_error": 0.000021, "p99": 0.012002, "largest": 0.079584},
        **{"same_top_percent": 95.629, "perplexity_ratio": 1.002381},
    }


def test_a_divergence_that_was_not_printed_is_an_error() -> None:
    with pytest.raises(ExecutionFailed, match="printed no divergence"):
        parse_divergence("Mean KLD: nan")
