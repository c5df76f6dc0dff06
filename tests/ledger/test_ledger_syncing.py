"""Reporting and reading: nothing twice, nothing lost, broken off at any point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planner.cli.applying import reported_to
from planner.errors import BadInput, QuantplanError
from planner.learned.correcting import told
from planner.learned.lessons import Lesson, lessons_for, lessons_path, read_lessons, write_lessons
from planner.ledger import syncing
from planner.ledger.outbox import FILE, read_outbox
from planner.ledger.remote import LedgerSilent, RemoteLedger
from planner.ledger.report import Entry, Receipt, Report
from planner.ledger.syncing import pull, push


def lesson(number: int, **given: object) -> Lesson:
    base = {
        "machine": "1 x L4, 22 GiB", "engine": "vllm", "engine_version": "0.22.1", "kernel": "marlin",
        "configuration": "llama, awq-int4, 8 x 1000 in, 300 out, context 1300", "figure": "tpot_ms",
        "predicted": 20.0, "measured": 22.0, "run_id": f"{number:012x}", "measured_at": 1000.0 + number,
    }  # fmt: skip
    return Lesson.model_validate({**base, **given})


@dataclass
class FakeLedger:
    """A ledger of equal standing in memory; the `fail_at`-th report is kept, and its answer lost."""

    lines: dict[tuple[str, int], Lesson] = field(default_factory=dict)
    fail_at: int | None = None
    asked: int = 0

    def report(self, report: Report) -> Receipt:
        new = 0
        for m in report.measurements:
            key = (report.executor, m.sequence)
            new += key not in self.lines
            told_lesson = Lesson(**m.model_dump(exclude={"sequence"}), executor=report.executor)
            assert self.lines.setdefault(key, told_lesson) == told_lesson
        self.asked += 1
        if self.asked == self.fail_at:
            raise LedgerSilent("cut")
        return Receipt(new=new, known=len(report.measurements) - new, clock_behind_s=0.0)

    def entries(self, after: int, limit: int) -> Sequence[Entry]:
        listed = [Entry(number=n, executor=key[0], lesson=kept) for n, (key, kept) in enumerate(self.lines.items(), 1)]
        return [entry for entry in listed if entry.number > after][:limit]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_lessons(lessons_path(tmp_path), [lesson(n) for n in range(5)])
    return tmp_path


def test_what_was_measured_is_reported_once(home: Path) -> None:
    ledger = FakeLedger()
    assert push(home, ledger) == (5, 0)
    assert push(home, ledger) == (0, 0)
    write_lessons(lessons_path(home), [*read_lessons(lessons_path(home)), lesson(5)])
    assert push(home, ledger) == (1, 0)
    assert [key[1] for key in ledger.lines] == [1, 2, 3, 4, 5, 6]


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_counts_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "MOST_AT_ONCE", 2)
    ledger = FakeLedger(fail_at=2)
    with pytest.raises(QuantplanError):
        push(home, ledger)
    assert read_outbox(home).confirmed == 2
    assert push(home, ledger) == (1, 2)
    assert len(ledger.lines) == 5


def test_lessons_of_others_come_in_once_with_who_measured_them(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger, other = FakeLedger(), tmp_path_factory.mktemp("other")
    push(home, ledger)
    assert pull(other, ledger) == 5
    assert pull(other, ledger) == 0
    assert pull(home, ledger) == 0
    executor = read_outbox(home).executor
    assert {known.executor for known in read_lessons(lessons_path(other))} == {executor}


def test_what_came_from_others_is_not_reported_as_ones_own(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger, other = FakeLedger(), tmp_path_factory.mktemp("other")
    push(home, ledger)
    pull(other, ledger)
    assert push(other, ledger) == (0, 0)


def test_a_broken_outbox_is_refused(home: Path) -> None:
    (home / FILE).write_text("{")
    with pytest.raises(BadInput, match="not a ledger's outbox"):
        push(home, FakeLedger())


def test_a_ledger_that_is_not_there_loses_nothing(home: Path) -> None:
    with pytest.raises(LedgerSilent, match=r"the ledger does not answer \(ConnectError\); nothing is lost"):
        push(home, RemoteLedger("http://127.0.0.1:9"))
    assert push(home, FakeLedger()) == (5, 0)


def test_a_declared_gpu_uses_what_others_measured_on_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from planner.hardware.resolving import resolve_hardware
    from planner.learned.lessons import machine_of
    from planner.support import engines

    monkeypatch.setenv("QUANTPLAN_HOME", str(home))
    hardware = resolve_hardware("1xL4")
    version = engines()["vllm"].version_on(hardware)
    same = {"machine": machine_of(hardware), "engine_version": version}
    own, others = lesson(7, **same), lesson(8, **same, executor="a" * 32)
    write_lessons(lessons_path(home), [own, others])
    assert lessons_for(hardware, "vllm", "marlin") == (others,)


def test_the_source_says_where_it_was_measured() -> None:
    from planner.speed.estimate import Estimate

    estimate = Estimate(20.0, 15.0, 25.0, "constants")
    said = told(estimate, estimate, [lesson(8, executor="abcdef0123456789" * 2)], "").source
    assert said == "measured on the same hardware elsewhere (executor abcdef01), run 000000000008; before: constants"


def test_a_ledger_that_is_silent_after_a_run_is_said_and_nothing_is_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTPLAN_HOME", str(home))
    said = reported_to("http://127.0.0.1:9")
    assert said.startswith(
        "Not reported to the ledger, and kept here for `quantplan ledger push`: http://127.0.0.1:9: "
    )
    assert push(home, FakeLedger()) == (5, 0)
