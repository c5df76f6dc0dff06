"""The simulated day, against the discrete-event simulator, arithmetic by hand, and what must hold of any day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from planner.errors import BadInput
from planner.scale.curve import Curve, curve_of
from planner.scale.day import Day, shared_out, simulate_day
from planner.scale.pool import Autoscaler, Pool, Rent
from planner.scale.trace import Trace
from planner.serving.capacity import Targets
from planner.serving.lengths import Lognormal
from planner.serving.server import Limits, Server
from planner.serving.simulating import Simulation, simulate
from planner.serving.traffic import Source, Traffic

TARGETS = Targets(ttft_ms=500.0, tpot_ms=40.0)
TRAFFIC = Traffic(500, 100, requests_per_s=1.0, lengths=Lognormal(500, 100, 0.5))


@dataclass(frozen=True)
class Clock:
    """A decode step slows down with its batch; a prompt adds its tokens' time."""

    def decode_step_ms(self, batch: float, context_tokens: float) -> float:
        return 10 + 0.5 * batch

    def prompt_step_ms(
        self, tokens: float, context_tokens: float = 0.0, batch: float = 0.0, batch_context_tokens: float = 0.0
    ) -> float:
        return 0.05 * tokens + (self.decode_step_ms(batch, batch_context_tokens) if batch else 0)


def server() -> Server:
    return Server(Clock(), Limits(32, 8192, 10**6, 100_000))


@pytest.fixture(scope="module")
def curve() -> Curve:
    return curve_of(server(), TRAFFIC, TARGETS)


def pool(curve: Curve, copies: int, **more: object) -> Pool:
    settings = {"start_s": 300.0, **more}
    scaler = settings.pop("autoscaler", Autoscaler(copies, copies))
    rent = settings.pop("rent", Rent(2.0))
    return Pool("p", curve, TARGETS, scaler, rent, **settings)  # type: ignore[arg-type]


def steady(rate: float, hours: float = 2, step_s: float = 10) -> Trace:
    return Trace(step_s, np.full(int(hours * 3600 / step_s), rate), "steady")


@pytest.mark.parametrize("share", [0.35, 0.65, 0.88])
def test_a_steady_load_is_what_the_discrete_event_simulator_sees(curve: Curve, share: float) -> None:
    """At loads between those that the curve was read at, and with other requests (another seed)."""
    rate = share * curve.capacity_per_s
    day = simulate_day(pool(curve, 10), steady(10 * rate))
    seen = simulate(server(), replace(TRAFFIC, requests_per_s=rate), requests=20_000, seed=9)
    p50, p95, _, _ = day.ttft.percentiles()
    near_capacity = 2.0 if share > 0.8 else 1.0  # there waits hang on a per cent of the load
    assert p50 == pytest.approx(seen.ttft_ms.p50, rel=0.1 * near_capacity)
    assert p95 == pytest.approx(seen.ttft_ms.p95, rel=0.15 * near_capacity)
    assert day.tpot.percentiles()[0] == pytest.approx(seen.tpot_ms.p50, rel=0.05)


def test_attainment_is_the_share_of_requests_that_meet_both_targets(curve: Curve) -> None:
    rate = 0.8 * curve.capacity_per_s
    day = simulate_day(pool(curve, 10), steady(10 * rate))
    run = Simulation(server(), Source.of(replace(TRAFFIC, requests_per_s=rate), 100_000, 9), 500, 5500)
    run.run()
    met = [
        asked.first_ms - asked.arrived_ms <= 500 and (asked.ended_ms - asked.first_ms) / (asked.output_tokens - 1) <= 40
        for asked in run.finished
        if asked.output_tokens > 1
    ]
    assert day.counts.within / day.counts.requests == pytest.approx(sum(met) / len(met), abs=0.03)


def test_an_overload_queues_as_in_the_discrete_event_simulator(curve: Curve) -> None:
    """Half as much again as one copy can carry, for ten minutes: mean waits of the whole run."""
    rate = 1.5 * curve.capacity_per_s
    requests = round(rate * 600)
    run = Simulation(server(), Source.of(replace(TRAFFIC, requests_per_s=rate), 100_000, 3), 0, requests)
    run.run()
    seen_s = np.mean([asked.first_ms - asked.arrived_ms for asked in run.finished]) / 1000
    day = simulate_day(pool(curve, 1), steady(rate, hours=600 / 3600))
    by_hand_s = 0.5 * 600 / 2  # the queue grows by half a second's work each second
    assert day.counts.longest_queue_s == pytest.approx(0.5 * 600, rel=0.1)
    assert seen_s == pytest.approx(by_hand_s, rel=0.2)
    assert day.ttft.percentiles()[0] / 1000 == pytest.approx(by_hand_s, rel=0.1)


def test_an_empty_copy_is_filled_before_a_full_one() -> None:
    assert shared_out(6, np.array([4.0, 0.0, 1.0])).tolist() == pytest.approx([0, 3.5, 2.5])
    assert shared_out(9, np.array([4.0, 0.0, 1.0])).tolist() == pytest.approx([2 / 3, 14 / 3, 11 / 3])
    assert shared_out(0, np.array([2.0, 1.0])).tolist() == [0, 0]


def test_the_cost_of_copies_that_stand_all_day(curve: Curve) -> None:
    day = simulate_day(pool(curve, 4, rent=Rent(2.0, 0.5, 0.5)), steady(1.0))
    assert day.counts.copy_hours == pytest.approx(4 * 2)
    assert day.counts.usd == pytest.approx(2 * 2 * 2.0 + 2 * 2 * 0.5)


def test_copies_follow_the_load_after_their_start(curve: Curve) -> None:
    """Load for 2 copies, then for 8: six more are asked for at once, and serve 300 s later."""
    low, high = 2 * 0.7 * curve.capacity_per_s, 8 * 0.7 * curve.capacity_per_s
    trace = Trace(10.0, np.array([low] * 60 + [high] * 120 + [low] * 180), "a step")
    day = simulate_day(pool(curve, 8, autoscaler=Autoscaler(1, 20)), trace)
    serving, starting = day.series.serving, day.series.starting
    assert (serving[59], serving[62], starting[62]) == (2, 2, 6)
    assert serving[60 + 29] == 2 and serving[60 + 33] == 8
    assert serving[180 + 25] == 8 and serving[180 + 40] == 2  # down only after five minutes
    assert day.counts.starts == 6 and min(day.series.within) < 0.5 < day.series.within[-1]


def test_nothing_is_lost_when_machines_fail(curve: Curve) -> None:
    """A machine of 4 copies fails every hour or so: requests wait longer, and all of them are served."""
    failing = pool(curve, 20, copies_per_node=4, node_mtbf_hours=5.0)
    day = Day.of(failing, steady(20 * 0.7 * curve.capacity_per_s, hours=12), seed=4)
    day.run()
    calm = simulate_day(pool(curve, 20), steady(20 * 0.7 * curve.capacity_per_s, hours=12), seed=4)
    assert 5 <= day.counts.node_failures <= 25  # 5 machines x 12 hours / 5 hours = 12
    assert float(day.ttft.counts.sum()) >= day.counts.requests - day.homeless - 1
    assert day.counts.within / day.counts.requests < calm.counts.within / calm.counts.requests


def test_spot_copies_are_reclaimed_and_come_back(curve: Curve) -> None:
    rent = Rent(2.0, spot_share=0.5, spot_usd_per_hour=0.5, reclaims_per_hour=0.5)
    day = simulate_day(pool(curve, 20, rent=rent, node_s=120.0), steady(1.0, hours=10))
    assert day.counts.reclaims == pytest.approx(10 * 10 * 0.5, rel=0.35)
    assert min(day.series.serving) >= 10 and max(day.series.serving) == 20


def test_the_same_seed_gives_the_same_day(curve: Curve) -> None:
    asked = pool(curve, 20, node_mtbf_hours=3.0)
    first, again, other = (simulate_day(asked, steady(30.0), seed) for seed in (1, 1, 2))
    assert first.counts == again.counts != other.counts


def test_an_impossible_pool_is_refused() -> None:
    with pytest.raises(BadInput, match="from 5 to 2 copies: the least is from 1 to the most"):
        Autoscaler(5, 2)
    with pytest.raises(BadInput, match=r"spot share 1\.5: it lies from 0 to 1"):
        Rent(1.0, spot_share=1.5)
