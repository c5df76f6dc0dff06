"""Artefacts: whole or absent, remembered by size and checksum; full disks leave nothing behind."""

from __future__ import annotations

import hashlib
from collections import namedtuple
from pathlib import Path

import pytest

from executor.artifacts import Artifact, ArtifactWriter, altered, write_text
from executor.aside import remove_partials
from executor.processes import Processes
from planner.errors import ExecutionFailed
from planner.units import GIB


def test_a_file_appears_only_when_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model.gguf"
    with ArtifactWriter(target) as writer:
        writer.partial.write_bytes(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert writer.artifact.record() == {
        "path": str(target),
        "bytes": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # FIPS 180-4's own example
    }
    assert list(target.parent.iterdir()) == [target]


def test_an_error_while_writing_leaves_nothing_and_the_old_file_untouched(tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), ArtifactWriter(target) as writer:
        writer.partial.write_text("half")
        _ = 1 / 0
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_check_that_fails_keeps_the_file_from_appearing(tmp_path: Path) -> None:
    def refuse(partial: Path) -> None:
        raise ExecutionFailed(f"{partial.stat().st_size} bytes are too few")

    with (
        pytest.raises(ExecutionFailed, match="4 bytes are too few"),
        ArtifactWriter(tmp_path / "model.gguf", check=refuse) as writer,
    ):
        writer.partial.write_text("half")
    assert not list(tmp_path.iterdir())


def test_a_tool_that_wrote_nothing_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed) as caught, ArtifactWriter(tmp_path / "model.gguf"):
        pass
    assert str(caught.value) == f"{tmp_path}: model.gguf was not written"


def test_a_real_full_device_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    """/dev/full answers every write with ENOSPC, as a full disk does."""
    with pytest.raises(ExecutionFailed) as caught, ArtifactWriter(tmp_path / "model.gguf") as writer:
        writer.partial.symlink_to("/dev/full")
        writer.partial.write_bytes(b"x" * 10_000)
    assert caught.value.what.startswith("No space left on the disk: ")
    assert caught.value.what.endswith(" free. Nothing half-written was kept")
    assert caught.value.fix == (
        "free some space, or set QUANTPLAN_HOME to a larger disk; then run the same `quantplan apply` again"
    )
    assert not list(tmp_path.iterdir())


def test_a_tool_that_meets_a_full_device_is_told_apart_from_other_failures(tmp_path: Path) -> None:
    with Processes() as processes, pytest.raises(ExecutionFailed) as caught:
        processes.run_tool(["cp", "/etc/hostname", "/dev/full"], tmp_path / "log")
    assert "No space left on device" in caught.value.what
    assert caught.value.fix.startswith("free some space, or set QUANTPLAN_HOME")


def test_too_little_space_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(100 * GIB, 98 * GIB, 2 * GIB))
    with pytest.raises(ExecutionFailed) as caught, ArtifactWriter(tmp_path / "model.gguf", needs_bytes=5 * GIB):
        pytest.fail("the block must not be entered")
    assert str(caught.value) == (
        f"{tmp_path}: No space left on the disk: 5.0 GiB needed, 2.0 GiB free. Nothing half-written was kept\n"
        "To fix: free some space, or set QUANTPLAN_HOME to a larger disk; then run the same `quantplan apply` again"
    )


def test_alterations_are_named(tmp_path: Path) -> None:
    records = []
    for name in ("kept", "gone", "longer", "other"):
        records.append(write_text(tmp_path / name, "text of " + name).record())
    (tmp_path / "gone").unlink()
    (tmp_path / "longer").write_text("text of longer, and more")
    (tmp_path / "other").write_text("Text of other")
    assert altered(records) == [
        f"{tmp_path / 'gone'} is gone",
        f"{tmp_path / 'longer'} has 24 bytes instead of 14",
        f"{tmp_path / 'other'} has other content than when it was made",
    ]


def test_the_checksum_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    assert Artifact.of(tmp_path / "file").sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_partials_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "a" / "model.partial-99").mkdir(parents=True)
    (tmp_path / "a" / "model.partial-99" / "shard").touch()
    (tmp_path / "b.gguf.partial-7").touch()
    (tmp_path / "b.gguf").touch()
    remove_partials(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b.gguf"]
