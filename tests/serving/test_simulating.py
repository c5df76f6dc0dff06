"""The simulated scheduler, against queueing theory, arithmetic by hand, and the closed form."""

from dataclasses import dataclass
from random import Random

import pytest

from planner.errors import BadInput
from planner.serving.capacity import Targets, capacity_per_s, largest_rate, replicas_for
from planner.serving.lengths import Lognormal
from planner.serving.outcome import Waits
from planner.serving.server import Limits, Server
from planner.serving.simulating import simulate
from planner.serving.traffic import Source, Traffic


@dataclass(frozen=True)
class Clock:
    """Every decode step takes as long; a prompt adds its tokens' time."""

    decode: float = 10.0
    prompt_token: float = 0.01

    def decode_step_ms(self, batch: float, context_tokens: float) -> float:
        return self.decode

    def prompt_step_ms(
        self, tokens: float, context_tokens: float = 0.0, batch: float = 0.0, batch_context_tokens: float = 0.0
    ) -> float:
        return self.prompt_token * tokens + (self.decode if batch else 0)


def server(clock: Clock | None = None, *, sequences: int = 64, kv_tokens: int = 10**6, chunk: int = 8192) -> Server:
    return Server(clock or Clock(), Limits(sequences, chunk, kv_tokens, 100_000))


def test_one_client_waits_for_its_prompt_and_its_steps():
    found = simulate(server(), Traffic(1000, 101, clients=1), requests=50)
    assert found.ttft_ms.p99 == pytest.approx(10.0)
    assert found.tpot_ms.mean == pytest.approx(10.0)
    assert found.end_to_end_ms.mean == pytest.approx(10 + 100 * 10)
    assert found.output_tokens_per_s == pytest.approx(101 / 1.010, rel=0.01)


def test_a_prompt_adds_to_the_step_of_others_what_their_one_pass_takes_longer():
    beside = Server(Clock(), Limits(64, 8192, 10**6, 100_000), interference=1.2)
    assert beside.mixed_ms(4, 500, 1000, 0) == pytest.approx(10 + 1.2 * 10)
    assert beside.mixed_ms(0, 0, 1000, 0) == pytest.approx(10)


def test_a_request_is_taken_in_while_some_steps_pass_and_the_next_is_sent_when_the_last_has_arrived():
    host = Server(Clock(), Limits(64, 8192, 10**6, 100_000), request_ms=7.0, entry_steps=3.0)
    found = simulate(host, Traffic(1000, 101, clients=1), requests=50)
    assert found.ttft_ms.p99 == pytest.approx(3 * 10 + 10 + 7)
    assert found.end_to_end_ms.mean == pytest.approx(3 * 10 + 10 + 100 * 10 + 7)
    assert found.output_tokens_per_s == pytest.approx(101 / 1.047, rel=0.01)


def test_a_request_that_was_taken_in_joins_at_the_next_step_of_those_on_board():
    host = Server(Clock(), Limits(64, 8192, 10**6, 100_000), entry_steps=3.0)
    rare = simulate(host, Traffic(1000, 200, requests_per_s=0.4), requests=200)
    assert rare.ttft_ms.p95 <= 3 * 10 + 2 * (10 + 10)


def test_a_prompt_longer_than_a_step_is_read_in_chunks():
    found = simulate(server(Clock(prompt_token=0.0), chunk=100), Traffic(1000, 2, clients=1), requests=10)
    assert found.ttft_ms.mean == 0.0
    slow = simulate(server(chunk=100), Traffic(1000, 2, clients=1), requests=10)
    assert slow.ttft_ms.mean == pytest.approx(10.0)


def test_a_prompt_found_in_the_cache_is_not_read():
    found = simulate(server(), Traffic(1000, 11, clients=1, prefix_hit_rate=0.9), requests=20)
    assert found.ttft_ms.mean == pytest.approx(1.0)


def test_waits_of_a_single_server_queue_follow_pollaczek_and_khinchine():
    """M/D/1: one sequence at a time, service of 100 ms, load 0.7: mean wait = 0.7 / (2 x 0.3) x 100 ms."""
    one = server(Clock(decode=0.0, prompt_token=0.1), sequences=1)
    found = simulate(one, Traffic(1000, 1, requests_per_s=7), requests=40_000)
    assert found.ttft_ms.mean - 100 == pytest.approx(0.7 / (2 * 0.3) * 100, rel=0.05)


def test_requests_on_board_follow_littles_law():
    found = simulate(server(), Traffic(500, 200, requests_per_s=10, lengths=Lognormal(500, 200, 0.5)), requests=4000)
    assert found.running == pytest.approx(found.requests_per_s * found.end_to_end_ms.mean / 1000, rel=0.05)


def test_kv_cache_that_runs_out_costs_preemptions_and_time():
    roomy = simulate(server(), Traffic(100, 400, clients=16), requests=100)
    tight = simulate(server(kv_tokens=4000), Traffic(100, 400, clients=16), requests=100)
    assert roomy.preemptions == 0 < tight.preemptions
    assert tight.output_tokens_per_s < roomy.output_tokens_per_s
    assert tight.kv_share > 0.8


def test_the_same_seed_gives_the_same_answer_and_another_seed_another():
    traffic = Traffic(500, 100, requests_per_s=5, lengths=Lognormal(500, 100, 1.0))
    assert simulate(server(), traffic, seed=3) == simulate(server(), traffic, seed=3)
    assert simulate(server(), traffic, seed=3) != simulate(server(), traffic, seed=4)


def test_lengths_keep_their_mean_and_spread():
    source = Source(Traffic(1000, 300, clients=1, lengths=Lognormal(1000, 300, 0.5)), 10**6, Random(1), Random(2))
    prompts = [source.request(0.0).prompt_tokens for _ in range(20_000)]
    mean = sum(prompts) / len(prompts)
    deviation = (sum((p - mean) ** 2 for p in prompts) / len(prompts)) ** 0.5
    assert mean == pytest.approx(1000, rel=0.02)
    assert deviation / mean == pytest.approx(0.5, rel=0.05)


def test_beyond_capacity_the_queue_grows():
    capacity = capacity_per_s(server(sequences=4), Traffic(100, 100, clients=1))
    assert capacity == pytest.approx(4 / 1.001, rel=0.03)
    over = simulate(server(sequences=4), Traffic(100, 100, requests_per_s=2 * capacity), requests=500)
    assert over.waiting_end > over.waiting_start + 100


def test_the_largest_load_within_a_target_meets_it_and_a_little_more_does_not():
    traffic, targets = (
        Traffic(1000, 100, clients=1, lengths=Lognormal(1000, 100, 0.5)),
        Targets(ttft_ms=60, percentile=95),
    )
    largest = largest_rate(server(), traffic, targets)
    assert largest is not None
    met = simulate(server(), Traffic(1000, 100, requests_per_s=largest, lengths=Lognormal(1000, 100, 0.5)))
    missed = simulate(server(), Traffic(1000, 100, requests_per_s=largest * 1.1, lengths=Lognormal(1000, 100, 0.5)))
    assert met.ttft_ms.p95 <= 60 < missed.ttft_ms.p95


def test_a_target_one_client_misses_has_no_load():
    assert largest_rate(server(), Traffic(1000, 100, clients=1), Targets(ttft_ms=5)) is None


def test_replicas_are_whole():
    assert replicas_for(10, 4) == 3


def test_percentiles_by_weight():
    assert Waits.of([1.0, 2.0, 9.0], [49, 46, 5]) == Waits(mean=1.86, p50=2.0, p95=2.0, p99=9.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"requests_per_s": -1}, "-1 requests/s: a load is above zero\nTo fix: give --rate 5/s"),
        ({"clients": 0}, "0 clients: a load has at least one\nTo fix: give --clients 8"),
        ({}, "a load is either a rate or a number of clients\nTo fix: give one of --rate and --clients"),
        ({"clients": 1, "prefix_hit_rate": 1.0}, "prefix-cache hit rate 1: it lies from 0 to below 1"),
    ],
)
def test_impossible_loads_are_refused(given, says):
    with pytest.raises(BadInput) as refusal:
        Traffic(10, 10, **given)
    assert str(refusal.value) == says
