"""From step times to users: queues, pools of servers, full servers, and shares of a datasheet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.speed.pools import Pools, pooled
from planner.speed.serving import Phases, ServingConstants, closed_loop, on_board, saturated_tokens_per_s
from planner.speed.steps import within_datasheet

PHASES = Phases(decode_ms=20.0, prefill_alone_ms=50.0, prefill_share_ms=40.0)
PLAIN = ServingConstants(interference=1.0, request_ms=0.0, queue=0.0, entry_steps=0.0)


def test_a_request_without_room_waits_for_those_on_board() -> None:
    fits, waits = (closed_loop(PHASES, PLAIN, 16, 100, waiting) for waiting in (0, 16))
    assert waits.tpot_ms == fits.tpot_ms
    one_turn_ms = fits.ttft_ms + fits.tpot_ms * 99
    assert waits.ttft_ms == pytest.approx(fits.ttft_ms + one_turn_ms)


def test_speculation_shortens_the_time_between_tokens_and_not_the_step() -> None:
    twice = ServingConstants(interference=0.0, request_ms=0.0, queue=0.0, entry_steps=1.0, speculation=2.0)
    served = closed_loop(PHASES, twice, 1, 100)
    assert served.tpot_ms == 10.0
    assert served.ttft_ms == 70.0


def test_copies_of_the_attention_wait_for_each_other() -> None:
    dealing = ServingConstants(interference=0.0, request_ms=0.0, queue=0.0, entry_steps=0.0, dealing_steps=3.0)
    alone, together = (closed_loop(PHASES, dealing, 8, 100, copies=copies).ttft_ms for copies in (1, 4))
    assert together - alone == pytest.approx(3 * 20.0)


def test_a_full_server_shares_its_time_between_prompts_and_tokens() -> None:
    """10 requests of 40 ms prompt and 100 steps of 20 ms each tenth: 1000 tokens in 2.4 s."""
    assert saturated_tokens_per_s(PHASES, PLAIN, 10, 100) == pytest.approx(1000 / 2.4)


@pytest.mark.parametrize(("clients", "room", "running"), [(8, 100, 8), (100, 8, 8), (5, 0.2, 1)])
def test_no_more_run_than_memory_holds_and_one_always_does(clients: float, room: float, running: float) -> None:
    assert on_board(clients, room) == pytest.approx(running)


def test_pools_with_idle_prompt_servers_decode_everyone() -> None:
    pools = Pools(decode_ms=lambda n: 10.0 + n / 10, prompt_alone_ms=50.0, prompt_share_ms=0.001)
    served = pooled(pools, PLAIN, 64, 1000)
    assert served.tpot_ms == pytest.approx(10 + 64 * 16_400 / 16_450 / 10, rel=0.01)
    assert served.ttft_ms == pytest.approx(50, rel=0.05)


def test_slow_prompt_servers_keep_the_decode_servers_half_empty() -> None:
    """One prompt in 100 ms and answers of about a second: ten requests decode, the others wait."""
    pools = Pools(decode_ms=lambda n: 10.0, prompt_alone_ms=100.0, prompt_share_ms=100.0)
    served = pooled(pools, PLAIN, 64, 100)
    assert served.tpot_ms == 10.0
    assert served.ttft_ms == pytest.approx(100 * 64 - 1000, rel=0.01)


def test_a_prompt_of_another_server_is_handed_over_and_waits_its_turn() -> None:
    """50 ms of its own, 120 on the way, and a quarter of nine others' 40."""
    pools = Pools(decode_ms=lambda n: 10.0, prompt_alone_ms=50.0, prompt_share_ms=40.0)
    constants = replace(PLAIN, handover_ms=120.0, pool_queue=0.25)
    assert pooled(pools, constants, 10, 1000).ttft_ms == pytest.approx(50 + 120 + 40 * 9 / 4, rel=0.01)


def test_no_share_of_a_datasheet_passes_one() -> None:
    assert within_datasheet(0.5) == pytest.approx(0.5, rel=0.01)
    assert within_datasheet(0.9) < 0.9
    assert within_datasheet(3.0) == pytest.approx(1.0, rel=0.01) and within_datasheet(30.0) <= 1.0


@pytest.mark.parametrize("queue", [0.0, 0.3, 1.0, 4.0])
def test_prompts_of_others_cost_their_time_once(queue: float) -> None:
    """Whatever part of 15 prompts of 40 ms a request waits behind, the rest falls between its 100 tokens."""
    served = closed_loop(PHASES, replace(PLAIN, queue=queue), 16, 100)
    first_ms, between_ms = served.ttft_ms - 50.0, (served.tpot_ms - 20.0) * 100
    assert first_ms + between_ms == pytest.approx(15 * 40.0)
    assert first_ms == pytest.approx(min(queue, 1.0) * 15 * 40.0)
