"""Traffic of a day, drawn or read."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.scale.trace import drawn_day, read_trace


def test_a_drawn_day_peaks_in_the_afternoon_and_rests_at_night() -> None:
    day = drawn_day(100.0, seed=1, bursts=0)
    assert day.seconds == 86_400 and day.peak_per_s == pytest.approx(100.0)
    assert int(day.requests_per_s.argmax() * day.step_s // 3600) == 15
    assert day.requests_per_s.min() == pytest.approx(25.0)


def test_bursts_come_on_top_and_follow_the_seed() -> None:
    calm, burst = drawn_day(100.0, seed=1, bursts=0), drawn_day(100.0, seed=1, bursts=12)
    assert burst.requests_per_s.sum() > calm.requests_per_s.sum()
    assert (drawn_day(100.0, seed=1).requests_per_s == drawn_day(100.0, seed=1).requests_per_s).all()
    assert (drawn_day(100.0, seed=1).requests_per_s != drawn_day(100.0, seed=2).requests_per_s).any()


def test_a_day_is_scaled_to_its_busiest_step() -> None:
    assert drawn_day(100.0, seed=1, bursts=12).with_peak(80.0).peak_per_s == pytest.approx(80.0)


def test_a_rate_of_a_file_holds_until_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("second,requests_per_s\n0,5\n60,20\n120,1\n")
    found = read_trace(path)
    assert found.requests_per_s.tolist() == [5.0] * 6 + [20.0] * 6 + [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,rate\n0,5\n", "day.csv:1: a trace begins with `second,requests_per_s`"),
        ("second,requests_per_s\n0,5\n10,fast\n", "day.csv:3: '10,fast' is no second and rate"),
        ("second,requests_per_s\n0,5\n0,6\n", "day.csv:3: seconds do not rise from line to line"),
        ("second,requests_per_s\n0,5\n9,-6\n", "day.csv:3: '9,-6': both are finite and not negative"),
        ("second,requests_per_s\n0,5\n", "day.csv: a trace has at least two lines after the first"),
    ],
)
def test_what_is_wrong_with_a_trace_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "day.csv"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_trace(path)
    assert str(caught.value).replace(str(tmp_path) + "/", "").startswith(message)
    assert "To fix: write a first line `second,requests_per_s`" in str(caught.value)
