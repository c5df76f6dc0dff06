"""What the benchmarks tell of their measurements: floors with an exit code, capacities under the assumptions stated."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("highspy")
pytest.importorskip("sqlalchemy", reason="pip install 'quantplan[service]'")

from benchmarks import scale
from benchmarks.capacity_page import Bytes, Costs, Rate, Worker, written
from benchmarks.ledger import Load, is_met
from benchmarks.scale import Floor


def test_a_missed_floor_is_told_and_ends_in_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        scale, "PARTS", {"day": lambda: Floor("a day", "9 s", True), "ray": lambda: Floor("jobs", "19", False)}
    )
    monkeypatch.setattr(sys, "argv", ["scale.py", "day"])
    assert scale.main() == 0
    monkeypatch.setattr(sys, "argv", ["scale.py"])
    assert scale.main() == 1
    assert capsys.readouterr().out.splitlines()[-2:] == ["| a day | 9 s | met |", "| jobs | 19 | **missed** |"]
    monkeypatch.setattr(sys, "argv", ["scale.py", "night"])
    with pytest.raises(SystemExit):
        scale.main()


@pytest.mark.parametrize(
    ("kept", "slowest_s", "met"), [(100, 0.099, True), (100, 0.101, False), (99, 0.01, False), (101, 0.01, False)]
)
def test_the_ledgers_floor_is_of_all_reports_and_of_the_slowest_hundredth(
    kept: int, slowest_s: float, met: bool
) -> None:
    assert is_met(Load(100, kept, 60.0, (*[0.001] * 98, slowest_s, 9.0))) is met


def test_cores_carry_what_a_request_costs_and_less_where_contention_grows() -> None:
    """10 ms with one worker, 11 with two: 32 cores at 70 % carry 2,036 a second of 11 ms, 546 of 10 x (1 + 3.1)."""
    low, high = Costs(10.0, 11.0).per_s(32)
    assert (round(low), round(high)) == (546, 2036)
    assert Costs(10.0, 9.0).contention == 0


def test_the_page_works_out_what_it_measured() -> None:
    known, new, lines = Rate(1000, 5, 1.0, 0.0), Rate(50, 200, 0.9, 0.1), Rate(5000, 100, 0.8, 0.2)
    workers = [Worker(number, known, new, lines, 2 * number) for number in (1, 2)]
    page = written(workers, Bytes(30_000, 400, 300, 370), "18.4", events=100, load_before=0.2)
    assert "| plans asked for before | 2 | 1,000 | 5.0 | 1.00 | 0.00 | 1.00 ms |" in page
    assert "| 8 | 5,600 | 280 | 56 million | 28,000 |" in page  # 8 x 0.7 / 1 ms, / 20 ms; of 2.9 ms a day's third
    # 100,000 plans of 30 kB and 10,000 runs of 30.4 kB a day; 3 x 1e6 / 86,400 s of 2.9 ms at 70 %
    assert "| 1,000,000 | 35 | 0.14 | 36 million | 1.2 TB | 6 TB |" in page
    assert "365 million lines and 140 GB a year" in page
