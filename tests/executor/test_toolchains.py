"""Toolchains: whole or absent, built once, never half; the user's own llama.cpp when it is new enough."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from left_over import gone, in_child

from executor.locking import lock
from executor.processes import Processes
from executor.toolchains import Toolchains
from executor.toolchains.building import Workshop, ensure, is_whole, manifest
from executor.toolchains.catalog import Catalog, Spec, catalog
from executor.toolchains.llama_build import _remove_stale_objects, require_compiler
from executor.toolchains.llama_own import new_enough, own_programs
from executor.toolchains.llama_source import require_checksum, unpack
from planner.errors import BadInput, ExecutionFailed

SPEC = Spec(name="tool", needs_bytes=1000, why="a test", source="this test", as_of="2026-11-21")  # type: ignore[arg-type]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def workshop(tmp_path: Path, said: list[str]) -> Workshop:
    (tmp_path / "toolchains").mkdir()
    return Workshop(tmp_path / "toolchains", Processes(), lambda message, fraction: said.append(message))


def make_tool(directory: Path, log_path: Path) -> dict[str, Any]:
    (directory / "tool").write_text("works")
    return {"version": "1.2.3"}


def directories(workshop: Workshop) -> list[str]:
    return sorted(p.name for p in workshop.root.iterdir() if p.name not in ("locks", "logs"))


def test_it_is_built_once_and_says_what_it_is(workshop: Workshop) -> None:
    first = ensure(workshop, SPEC, make_tool)
    second = ensure(workshop, SPEC, lambda directory, log_path: pytest.fail("built a second time"))
    assert first == second and (first / "tool").read_text() == "works"
    assert manifest(first)["version"] == "1.2.3" and manifest(first)["spec"]["why"] == "a test"
    assert directories(workshop) == [first.name]


def test_other_pins_or_another_cpu_make_another_toolchain_but_other_words_do_not(workshop: Workshop) -> None:
    assert ensure(workshop, SPEC, make_tool, depends=("avx2",)) != ensure(workshop, SPEC, make_tool, depends=("neon",))
    reworded = SPEC.model_copy(update={"why": "said otherwise", "needs_bytes": 2000})
    assert ensure(workshop, reworded, make_tool) == ensure(workshop, SPEC, make_tool)


def test_one_whose_program_is_gone_is_built_again(workshop: Workshop, tmp_path: Path) -> None:
    """As when the Python an environment was made from was removed."""
    python = tmp_path / "python3.11"
    python.touch()

    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        (directory / "python").symlink_to(python)
        return {"programs": ["python"]}

    directory = ensure(workshop, SPEC, build)
    python.unlink()
    assert not is_whole(directory)
    python.touch()
    assert ensure(workshop, SPEC, make_tool) == directory, "the same Python back again is as good"
    python.unlink()
    assert manifest(ensure(workshop, SPEC, make_tool))["version"] == "1.2.3"


def test_objects_of_builds_that_were_given_up_are_removed(workshop: Workshop) -> None:
    spec = catalog().llama_cpp
    for name in ("llama.cpp-old", "llama.cpp-busy"):
        (workshop.root / "objects" / name / "build").mkdir(parents=True)
    with lock(workshop.root / "locks" / "llama.cpp-busy.lock"):
        _remove_stale_objects(workshop, spec)
    assert [p.name for p in (workshop.root / "objects").iterdir()] == ["llama.cpp-busy"]


def test_a_failed_build_shows_its_log_and_leaves_nothing(workshop: Workshop) -> None:
    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        (directory / "half").write_text("half")
        workshop.processes.run_tool(["sh", "-c", "echo 'fatal: no such header'; exit 1"], log_path)
        return {}

    with pytest.raises(ExecutionFailed) as caught:
        ensure(workshop, SPEC, build)
    log = next((workshop.root / "logs").iterdir())
    assert str(caught.value).startswith(
        "building the toolchain tool: sh failed with exit status 1\n"
        "The last lines of its log:\n"
        "  fatal: no such header\n"
        f"The whole log: {log}\n"
    )
    assert directories(workshop) == [] and log.is_file()


def test_kill_9_in_the_middle_is_never_taken_for_done(workshop: Workshop, steps: Any) -> None:
    def build_and_die(directory: Path, log_path: Path) -> dict[str, Any]:
        make_tool(directory, log_path)
        workshop.processes.start(["sh", "-c", "sleep 1000", steps.marker], log_path=log_path)
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    assert in_child(lambda: ensure(workshop, SPEC, build_and_die)) == -signal.SIGKILL
    left_over = directories(workshop)
    assert len(left_over) == 1 and ".partial-" in left_over[0] and gone(steps.marker)
    directory = ensure(workshop, SPEC, make_tool)
    assert is_whole(directory) and directories(workshop) == [directory.name]


def test_a_second_builder_waits_for_the_first_and_uses_its_work(workshop: Workshop, said: list[str]) -> None:
    waiting, results = threading.Event(), []
    watched = Workshop(workshop.root, workshop.processes, lambda message, _: (said.append(message), waiting.set()))  # type: ignore[arg-type,func-returns-value]

    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        second = threading.Thread(target=lambda: results.append(ensure(watched, SPEC, lambda d, p: {"version": "no"})))
        second.start()
        assert waiting.wait(10)
        results.append(second)
        return make_tool(directory, log_path)

    first = ensure(workshop, SPEC, build)
    results[0].join(10)
    assert results[1] == first and manifest(first)["version"] == "1.2.3"
    assert len(said) == 1 and said[0].startswith(f"Waiting: tool is being built by process {os.getpid()}, since ")


def test_a_disk_that_fills_up_while_building(workshop: Workshop) -> None:
    def build(directory: Path, log_path: Path) -> dict[str, Any]:
        Path("/dev/full").write_text("x" * 100)
        return {}

    with pytest.raises(ExecutionFailed, match=r"No space left on the disk: 0\.0 MiB needed, .* free\."):
        ensure(workshop, SPEC, build)
    assert directories(workshop) == []


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ExecutionFailed) as caught:
        require_compiler()
    assert str(caught.value) == (
        "no C++ compiler found (looked for CXX, c++, g++, clang++); llama.cpp must be compiled once\n"
        "To fix: apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora) or xcode-select --install (macOS); "
        "or put llama.cpp's own programs on PATH or name their directory in QUANTPLAN_LLAMA_CPP"
    )


def test_the_catalogue_pins_everything_and_says_why() -> None:
    known = catalog()
    assert len(known.source.sha256) == 64
    assert all("==" in package for package in (*known.gguf_convert.packages, *known.llama_cpp.build_tools))
    assert all(spec.why and spec.source for spec in (known.source, known.llama_cpp, known.gguf_convert))


def test_an_unknown_key_in_the_catalogue_is_refused() -> None:
    content = catalog().model_dump(mode="json")
    content["llama_cpp"]["cmake_option"] = []
    with pytest.raises(ValueError, match="cmake_option"):
        Catalog.model_validate(content)


def test_another_archive_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "llama.tar.gz"
    archive.write_bytes(b"abc")
    with pytest.raises(ExecutionFailed) as caught:
        require_checksum(archive, "0" * 64)
    assert str(caught.value) == (
        "llama.tar.gz is not the pinned file: its SHA-256 is "
        f"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, expected {'0' * 64}\n"
        "To fix: check where pip downloads from (pip config list); do not use this file"
    )


def test_only_the_useful_part_of_the_source_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    tree = "vendor/llama.cpp"
    names = (f"{tree}/CMakeLists.txt", f"{tree}/src/llama.cpp", f"{tree}/docs/x.md", "setup.py")
    with tarfile.open(archive, "w:gz") as tar:
        for name in (*(f"llama_cpp_python-0.3.36/{n}" for n in names), "llama/vendor/llama.cpp/../../../escape"):
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(archive, catalog().source, tmp_path / "tree")
    found = sorted(str(p.relative_to(tmp_path / "tree")) for p in (tmp_path / "tree").rglob("*") if p.is_file())
    assert found == ["CMakeLists.txt", "src/llama.cpp"]
    assert not (tmp_path.parent / "escape").exists()


@pytest.mark.parametrize(
    ("said", "enough"),
    [
        ("version: 0.3.0-dev (build 10621, commit c1d0e7a00)", True),
        ("version: 0.2.0-dev (build 1, commit 1234567)", True),
        ("version: 0.1.9 (build 9000, commit 1234567)", False),
        ("version: 6750 (abcdef0)", True),
        ("version: 6499 (abcdef0)", False),
        ("version: 0 (unknown)", False),
        ("", False),
    ],
)
def test_how_new_is_new_enough(said: str, enough: bool) -> None:
    assert new_enough(said, catalog().llama_cpp) is enough


def put_programs(directory: Path, version: str, leave_out: str = "") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for program in catalog().llama_cpp.programs:
        if program != leave_out:
            (directory / program).write_text(f"#!/bin/sh\necho 'built with a compiler'\necho '{version}' >&2\n")
            (directory / program).chmod(0o755)
    return directory


def test_the_users_own_programs_on_path_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = put_programs(tmp_path / "own", "version: 7000 (abcdef0)")
    monkeypatch.setenv("PATH", f"{own}:{os.environ['PATH']}")
    monkeypatch.delenv("QUANTPLAN_LLAMA_CPP", raising=False)
    found = own_programs(catalog().llama_cpp)
    assert found is not None
    assert found.version == "version: 7000 (abcdef0)"
    assert found.paths["llama-quantize"] == own / "llama-quantize"


@pytest.mark.parametrize(("version", "missing"), [("version: 100 (abc)", ""), ("version: 7000 (abc)", "llama-bench")])
def test_unsuitable_programs_on_path_are_passed_over(
    version: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = put_programs(tmp_path / "own", version, leave_out=missing)
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    monkeypatch.delenv("QUANTPLAN_LLAMA_CPP", raising=False)
    assert own_programs(catalog().llama_cpp) is None


@pytest.mark.parametrize("inside", ["", "bin", "build/bin"])
def test_a_named_directory_or_the_build_inside_it_is_used(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_programs(tmp_path / "llama.cpp" / inside, "version: 0.5.0-dev (build 0, commit 0c1e57098)")
    monkeypatch.setenv("QUANTPLAN_LLAMA_CPP", str(tmp_path / "llama.cpp"))
    found = own_programs(catalog().llama_cpp)
    assert found is not None and found.paths["llama-server"] == tmp_path / "llama.cpp" / inside / "llama-server"


def test_a_named_directory_that_is_too_old_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = put_programs(tmp_path / "own", "version: 4000 (abcdef0)")
    monkeypatch.setenv("QUANTPLAN_LLAMA_CPP", str(own))
    with pytest.raises(BadInput) as caught:
        own_programs(catalog().llama_cpp)
    assert str(caught.value) == (
        f"QUANTPLAN_LLAMA_CPP={own}: llama-server says 'version: 4000 (abcdef0)'; "
        "needed: 0.2.0 (or build 6750) or newer\n"
        "To fix: build llama.cpp 0.2.0 (or build 6750) or newer, or unset QUANTPLAN_LLAMA_CPP"
    )


def test_a_named_directory_without_the_programs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = put_programs(tmp_path / "own", "version: 7000 (abc)", leave_out="llama-perplexity")
    monkeypatch.setenv("QUANTPLAN_LLAMA_CPP", str(own))
    with pytest.raises(BadInput, match="no llama-perplexity there"):
        own_programs(catalog().llama_cpp)


@pytest.mark.real_engine
def test_the_real_llama_cpp_is_built_and_starts(tmp_path: Path) -> None:
    with Processes() as processes:
        tools = Toolchains(processes=processes).llama_cpp()
        assert tools.convert_script.is_file() and (tools.convert_script.parent / "gguf-py").is_dir()
        for program in (tools.quantize, tools.perplexity, tools.bench):
            assert os.access(program, os.X_OK)
        assert "version: " in processes.run_tool([tools.server, "--version"], tmp_path / "log")
        if tools.origin == "built":
            assert "libssl" not in processes.run_tool(["ldd", tools.server], tmp_path / "log")


@pytest.mark.real_engine
def test_the_real_converter_runs_in_its_environment(tmp_path: Path) -> None:
    with Processes() as processes:
        toolchains = Toolchains(processes=processes)
        tools, python = toolchains.llama_cpp(), toolchains.gguf_convert()
        assert python.versions["transformers"] == "5.17.0"
        said = processes.run_tool([python.python, tools.convert_script, "--print-supported-models"], tmp_path / "log")
    assert "LlamaForCausalLM" in said
    assert json.dumps(python.versions)
