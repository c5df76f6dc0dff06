"""Locks: one holder at a time, named to whoever comes second, and never left behind by a kill."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from left_over import in_child

from executor.locking import Held, is_locked, lock


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with lock(path):
        assert is_locked(path)
        with pytest.raises(Held, match=rf"^process {os.getpid()}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d$"), lock(path):
            pytest.fail("held twice")
    assert not is_locked(path)


def test_the_second_may_wait(tmp_path: Path) -> None:
    path, order, waiting = tmp_path / "lock", [], threading.Event()

    def second() -> None:
        with lock(path, waiting=lambda holder: waiting.set()):
            order.append("second")

    with lock(path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    def hold_and_die() -> None:
        with lock(tmp_path / "lock"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(hold_and_die) == -signal.SIGKILL
    assert not is_locked(tmp_path / "lock")
    with lock(tmp_path / "lock"):
        pass


def test_a_lock_that_never_was_is_not_held(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")
    assert not (tmp_path / "lock").exists(), "looking makes no file"
