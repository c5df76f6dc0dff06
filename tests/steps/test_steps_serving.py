"""Launching: a server that works, one that dies, a port that is taken, and the memory in its log."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest
from example_plan import example_plan

from executor.engines.llama_cpp import LlamaCppServer
from executor.engines.ports import free_port
from executor.engines.starting import NotReady
from executor.ladder.diagnosing import diagnose_failure
from executor.steps.launch import launch, memory_summary
from executor.steps.load_test import load_test
from planner.errors import ExecutionFailed
from planner.units import GIB, MIB

MADE = {"quantize": {"path": "model-q4_k_m.gguf"}}

# From llama-server 0c1e57098 -lv 4 on a CPU.
REAL_LOG = """\
load_tensors:   CPU_Mapped model buffer size =     1.86 MiB
load_tensors:   CPU_REPACK model buffer size =     1.27 MiB
llama_context:        CPU  output buffer size =     0.03 MiB
llama_kv_cache:        CPU KV buffer size =     8.00 MiB
sched_reserve:        CPU compute buffer size =     9.00 MiB
sched_reserve:        CPU compute buffer size =     6.01 MiB
"""


def test_memory_is_read_from_the_servers_log() -> None:
    memory = memory_summary(LlamaCppServer().buffers(REAL_LOG))
    assert memory["weights_gib"] == pytest.approx(1.86 * MIB / GIB, rel=1e-6)
    assert memory["repacked_weights_gib"] == pytest.approx(1.27 * MIB / GIB, rel=1e-6)
    assert memory["kv_cache_gib"] == 8.0 * MIB / GIB
    assert memory["compute_buffer_gib"] == pytest.approx(6.01 * MIB / GIB, rel=1e-6)  # the last one holds
    assert memory["output_buffer_gib"] == pytest.approx(0.03 * MIB / GIB, rel=1e-4)


def test_the_caches_of_a_sliding_window_model_add_up() -> None:
    """llama.cpp lays out one cache for the full layers and one for the sliding ones, and prints both alike."""
    log = """\
llama_kv_cache_iswa: creating non-SWA KV cache, size = 4096 cells
llama_kv_cache:        CPU KV buffer size =    32.00 MiB
llama_kv_cache_iswa: creating     SWA KV cache, size = 1536 cells
llama_kv_cache:        CPU KV buffer size =    60.00 MiB
"""
    assert memory_summary(LlamaCppServer().buffers(log))["kv_cache_gib"] == 92 * MIB / GIB


def test_what_the_log_does_not_say_is_unknown() -> None:
    assert memory_summary(LlamaCppServer().buffers("nothing of interest"))["kv_cache_gib"] is None


def plan_with(arguments: list[str], **more: object):
    return example_plan(parameters={"launch": {"arguments": arguments, **more}})


def test_a_launched_server_answers_and_is_stopped_with_the_run(make_context, processes, tmp_path: Path) -> None:
    said = tmp_path / "log.txt"
    said.write_text(REAL_LOG)
    result = launch(make_context("launch", MADE, plan=plan_with(["--say", str(said)])))
    assert result["first_completion"] == "first answer"
    assert result["memory"]["kv_cache_gib"] == 8.0 * MIB / GIB
    assert result["resident_gib"] > 0
    assert result["command"][-6:] == ["--host", "127.0.0.1", "--port", str(result["port"]), "--log-verbosity", "4"]
    assert psutil.pid_exists(result["pid"])
    processes.stop_all()
    assert not psutil.pid_exists(result["pid"])


def test_a_server_that_dies_at_start_shows_its_last_words(make_context, processes) -> None:
    context = make_context("launch", MADE, plan=plan_with(["--die", "error loading model: tensor missing"]))
    with pytest.raises(ExecutionFailed) as failed:
        launch(context)
    assert str(failed.value) == (
        "the server ended while it started, with exit status 1\n"
        "The last lines of its log:\n"
        "  error loading model: tensor missing\n"
        f"The whole log: {context.log_path}\n"
        "To fix: mend what the log says, then run the same `quantplan apply` again: finished steps are not repeated"
    )


def test_a_server_that_never_gets_ready_is_stopped(make_context, tools) -> None:
    tools.program("server", "import time\nprint('still loading', flush=True)\ntime.sleep(60)\n")
    context = make_context("launch", MADE, plan=plan_with([], ready_within_s=0.5))
    with pytest.raises(NotReady) as hung:
        launch(context)
    assert str(hung.value).startswith(
        "the server was not ready in 0 s; it was waiting, with no core busy\n"
        "The last lines of its log:\n"
        "  still loading\n"
    )
    found = diagnose_failure("vllm", hung.value, context.log_path)
    assert found is not None and (found.trouble, found.says) == ("hung", "it hung at its start")
    assert found.evidence == "the server was not ready in 0 s; it was waiting, with no core busy"
    assert not [child for child in psutil.Process().children(recursive=True) if "server" in child.name()]


def test_a_given_port_that_is_taken_is_named(make_context) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ExecutionFailed) as failed:
            launch(make_context("launch", MADE, plan=plan_with([], port=port)))
    assert str(failed.value) == (
        f"127.0.0.1: port {port} is taken by another program\n"
        f"To fix: stop what listens on it (`ss -ltnp 'sport = :{port}'` shows it), or leave the port out"
    )


def test_a_port_lost_between_finding_and_using_it_is_replaced(make_context, tools, tmp_path: Path) -> None:
    """The first start says what llama-server says when it cannot bind; the second one works."""
    marker = tmp_path / "tried"
    fake = (Path(__file__).parent / "fake_openai_server.py").read_text()
    fake = fake.replace("from __future__ import annotations", "")
    tools.program(
        "server",
        f"import pathlib, sys\nif not pathlib.Path({str(marker)!r}).exists():\n"
        f"    pathlib.Path({str(marker)!r}).touch()\n"
        '    sys.exit("srv  start: couldn\'t bind HTTP server socket, hostname: 127.0.0.1, port: 1")\n' + fake,
    )
    assert launch(make_context("launch", MADE))["first_completion"] == "first answer"


def test_free_ports_are_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))


def test_nothing_to_serve_is_an_error(make_context) -> None:
    with pytest.raises(ExecutionFailed, match="no stage of the plan made a model file to serve"):
        launch(make_context("launch", {}))


def test_the_planned_load_is_sent_to_the_launched_server(make_context) -> None:
    results = dict(MADE)
    results["launch"] = launch(make_context("launch", MADE))
    said: list[str] = []
    context = make_context("load-test", results, report=lambda message, fraction: said.append(message))
    result = load_test(context)
    assert (result["requests"], result["errors"]) == (8, 0)
    assert (result["mean_input_tokens"], result["mean_output_tokens"]) == (32, 8)
    assert set(result["ttft_ms"]) == {"mean", "p50", "p95", "p99", "minimum", "maximum"}
    assert result["cpu"]["machine_cores"] >= 1 and result["cpu"]["other_cores"] >= 0
    assert said[0] == "warming up" and said[-1] == "8 of 8 requests answered"
    assert Path(result["artifacts"][0]["path"]).name == "load-test.json"


def test_a_server_that_ends_under_load_is_named(make_context, processes) -> None:
    results = dict(MADE)
    results["launch"] = launch(make_context("launch", MADE))
    processes.stop_all()
    with pytest.raises(ExecutionFailed, match="could not tokenize the prompt text"):
        load_test(make_context("load-test", results))


def test_a_server_that_crashes_half_way_is_named(make_context, tools) -> None:
    fake = (Path(__file__).parent / "fake_openai_server.py").read_text()
    crash = "self.requests.append(body)\n        if len(self.requests) > 5:\n            __import__('os')._exit(9)"
    tools.program("server", fake.replace("self.requests.append(body)", crash))
    results = dict(MADE)
    results["launch"] = launch(make_context("launch", MADE))
    with pytest.raises(ExecutionFailed) as failed:
        load_test(make_context("load-test", results))
    assert failed.value.what.startswith("the server ended during the load test, after ")
    assert failed.value.fix == f"read why in {results['launch']['log_path']}; too little memory is the usual cause"


def test_a_load_test_without_one_answer_fails(make_context, tools) -> None:
    fake = (Path(__file__).parent / "fake_openai_server.py").read_text()
    tools.program("server", fake.replace("fail_every: int = 0", "fail_every: int = 1"))
    working = make_context("launch", MADE)
    with pytest.raises(ExecutionFailed, match="did not answer a first completion"):
        launch(working)
