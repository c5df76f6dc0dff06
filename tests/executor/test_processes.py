"""Child processes: real ones, stopped whatever happens to us or to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from left_over import gone, in_child, processes_with

from executor.process import process_created_at
from executor.processes import Processes, kill_survivors
from planner.errors import ExecutionFailed

RESUME = "mend what the log says, then run the same `quantplan apply` again: finished steps are not repeated"


def test_a_tools_output_is_returned_and_kept_in_the_log(tmp_path: Path) -> None:
    log, lines = tmp_path / "logs" / "tool.log", []
    with Processes() as processes:
        first = processes.run_tool(["sh", "-c", "echo one; echo two >&2"], log, on_line=lines.append)
        second = processes.run_tool(["printf", "10 of 20\\r20 of 20\\r"], log, on_line=lines.append)
    assert (first, second) == ("one\ntwo\n", "10 of 20\r20 of 20\r")
    assert lines == ["one", "two", "10 of 20", "20 of 20"], "a carriage return ends a line too"
    assert log.read_bytes() == (first + second).encode()


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    with Processes() as processes:
        assert processes.run_tool(["echo", "$HOME; `ls`"], tmp_path / "log") == "$HOME; `ls`\n"


def test_a_failing_tool_shows_the_end_of_its_log_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "tool.log"
    with Processes() as processes, pytest.raises(ExecutionFailed) as caught:
        processes.run_tool(["sh", "-c", "echo reading; echo 'tensor 7 is broken' >&2; exit 3"], log)
    assert str(caught.value) == (
        "sh failed with exit status 3\n"
        "The last lines of its log:\n"
        "  reading\n"
        "  tensor 7 is broken\n"
        f"The whole log: {log}\n"
        f"To fix: {RESUME}"
    )


def test_only_the_failing_tools_own_lines_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "tool.log"
    log.write_text("an earlier tool\n")
    with Processes() as processes, pytest.raises(ExecutionFailed) as caught:
        processes.run_tool(["false"], log)
    assert str(caught.value).startswith(f"false failed with exit status 1\nIt wrote nothing.\nThe whole log: {log}\n")


def test_a_tool_killed_by_a_signal_says_128_plus_its_number(tmp_path: Path) -> None:
    with Processes() as processes, pytest.raises(ExecutionFailed, match="sh failed with exit status 139"):
        processes.run_tool(["sh", "-c", "kill -SEGV $$"], tmp_path / "log")


def test_a_tool_that_takes_too_long_is_stopped(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    with Processes() as processes, pytest.raises(ExecutionFailed, match=r"^sh did not finish in 0 s\n"):
        processes.run_tool(["sh", "-c", "sleep 1000", steps.marker], tmp_path / "log", timeout_s=0.1)
    assert gone(steps.marker)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with Processes() as processes, pytest.raises(ExecutionFailed) as caught:
        processes.start(["llama-sever"], log_path=tmp_path / "log")
    assert str(caught.value) == "there is no program 'llama-sever'\nTo fix: install llama-sever or put it on PATH"


def test_stopping_takes_the_whole_group_along(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    with Processes() as processes:
        server = processes.start(["sh", "-c", "sleep 1000 & sleep 1000", steps.marker], log_path=tmp_path / "log")
        assert server.running and os.getpgid(server.pid) == server.pid
        while len(children := psutil.Process(server.pid).children()) < 1:
            pass
        assert processes.stop(server) == 128 + signal.SIGTERM
        assert not server.running
    assert gone(steps.marker) and not any(process_created_at(child.pid) for child in children), "none but zombies"


def test_what_a_tool_started_may_clean_up_after_itself(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    """cmake dies at once, and ninja below it must still stop its compilers."""
    cleaned = tmp_path / "cleaned"
    below = f"trap 'sleep 0.1; touch {cleaned}; exit' TERM; echo up; while :; do sleep 0.02; done"
    with Processes() as processes:
        both = f'sh -c "{below}" & exec sleep 1000'
        tool = processes.start(["sh", "-c", both, steps.marker], log_path=tmp_path / "log")
        while "up" not in tool.output():
            pass
        processes.stop(tool)
    assert cleaned.exists() and gone(steps.marker)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    with Processes() as processes:
        stubborn = processes.start(
            ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done", steps.marker], log_path=tmp_path / "log"
        )
        while "up" not in stubborn.output():
            pass
        assert processes.stop(stubborn, grace_s=0.2) == 128 + signal.SIGKILL
    assert gone(steps.marker)


def test_leaving_the_block_stops_everything(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KeyboardInterrupt), Processes() as processes:
        processes.start(["sh", "-c", "sleep 1000", steps.marker], log_path=tmp_path / "log")
        raise KeyboardInterrupt
    assert gone(steps.marker)


def test_kill_9_of_us_ends_the_tool_and_what_it_started(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    def start_and_die() -> None:
        processes = Processes()
        child = f"import time; time.sleep(1000) # {steps.marker}"
        processes.start(["sh", "-c", f'"{sys.executable}" -c "{child}" & wait'], log_path=tmp_path / "log")
        while len(processes_with(steps.marker)) < 3:  # the guard, the shell, and the tool below it
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(start_and_die) == -signal.SIGKILL
    assert gone(steps.marker)


def test_kill_9_of_the_guard_itself_ends_the_tool(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    with Processes() as processes:
        server = processes.start(["sleep", "1000"], log_path=tmp_path / "log")
        tool = psutil.Process(server.pid)
        psutil.Process(tool.ppid()).kill()
        tool.wait(10)


def test_exiting_without_stopping_leaves_nothing(tmp_path: Path, steps) -> None:  # type: ignore[no-untyped-def]
    code = (
        "from pathlib import Path; from executor.processes import Processes;"
        f"Processes().start(['sh', '-c', 'sleep 1000', '{steps.marker}'], log_path=Path('{tmp_path}/log'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert gone(steps.marker)


def test_survivors_are_killed_only_when_pid_and_start_time_match() -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    started = process_created_at(stranger.pid)
    assert kill_survivors([(stranger.pid, started - 60), (2**22 - 1, started)]) == []
    assert stranger.poll() is None, "a pid that was given to another process is left alone"
    assert kill_survivors([(stranger.pid, started)]) == [stranger.pid]
    assert stranger.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("said", ["OSError: 262144 requested and 95520 written", "write: Disk quota exceeded"])
def test_a_tool_that_found_no_room_is_told_apart_from_one_that_is_broken(tmp_path: Path, said: str) -> None:
    """numpy does not say why a write was cut short; a full disk is the usual reason."""
    with Processes() as processes, pytest.raises(ExecutionFailed) as caught:
        processes.run_tool(["sh", "-c", f"echo '{said}'; exit 1"], tmp_path / "tool.log")
    assert caught.value.fix.startswith("free some space, or set QUANTPLAN_HOME to a larger disk")
