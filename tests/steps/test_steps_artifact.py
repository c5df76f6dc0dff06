"""What was really written: read back, held against the plan, refused when it is something else."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from example_plan import example_plan

from executor.steps.check_artifact import check_artifact, count_differences, type_differences
from executor.steps.quantize import quantize
from planner.errors import BadInput, ExecutionFailed
from planner.models.model import StoredTensor
from planner.plan import Stage

F32, Q4_K, Q6_K = 0, 12, 14  # ggml_type
BYTES = {F32: 4, Q4_K: 144, Q6_K: 210}  # of one value, of one block of 256


def write_gguf(path: Path, tensors: list[tuple[str, int]], cut: int = 0) -> Path:
    """A GGUF file (version 3) of one-row tensors: 256 columns, or one column for F32."""
    names, data = b"", b""
    for name, kind in tensors:
        data += b"\0" * (-len(data) % 32)
        names += struct.pack("<Q", len(name)) + name.encode()
        names += struct.pack("<IQIQ", 1, 1 if kind == F32 else 256, kind, len(data))
        data += b"\1" * BYTES[kind]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 0) + names
    content = header + b"\0" * (-len(header) % 32) + data
    path.write_bytes(content[: len(content) - cut])
    return path


PLANNED = [("blk.0.attn_q.weight", Q4_K), ("output_norm.weight", F32)]


def check(make_context, path: Path, **parameters: object) -> dict:
    plan = example_plan(parameters={"check-artifact": parameters})
    return check_artifact(make_context("check-artifact", {"quantize": {"path": str(path)}}, plan=plan))


def test_a_file_as_planned_passes(make_context, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", PLANNED)
    result = check(make_context, path)
    assert result["types"] == {"Q4_K": 1, "F32": 1}
    assert (result["tensor_bytes"], result["expected_bytes"], result["bytes_error"]) == (148, 148, 0.0)
    assert result["bytes"] == path.stat().st_size
    assert result["remarks"] == []


def test_another_scheme_is_refused(make_context, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", [("blk.0.attn_q.weight", Q6_K), ("output_norm.weight", F32)])
    with pytest.raises(ExecutionFailed) as failed:
        check(make_context, path)
    assert str(failed.value) == (
        f"{path}: the written file is not gguf-q4_k_m as planned:\n"
        "  0 tensors are Q4_K instead of 1\n"
        "  1 tensors are Q6_K instead of 0\n"
        "To fix: rows that do not divide by 256 fall back to larger types; plan another format, such as gguf-q8_0"
    )


def test_an_extra_vector_is_a_remark(make_context, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", [*PLANNED, ("rope_freqs.weight", F32)])
    result = check(make_context, path)
    assert result["remarks"] == ["2 tensors are F32, 1 were planned"]
    assert result["bytes_error"] == pytest.approx(4 / 148)


def test_a_truncated_file_is_refused(make_context, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", PLANNED, cut=40)
    with pytest.raises(BadInput, match="truncated"):
        check(make_context, path)


def test_differences_are_named_tensor_by_tensor() -> None:
    stored = [StoredTensor("blk.0.ffn_down.weight", "Q4_K", (1, 256), 144), StoredTensor("rope", "F32", (1,), 4)]
    said = type_differences(stored, {"blk.0.ffn_down.weight": "Q6_K"})
    assert said == ["blk.0.ffn_down.weight is Q4_K instead of Q6_K"]
    assert count_differences({"Q4_K": 2, "F32": 9}, {"Q4_K": 2, "F32": 1}) == []


QUANTIZE = """\
import pathlib, sys
source, target, kind = sys.argv[1:]
print("[   1/   2]             token_embd.weight - [  256,  2048,     1,     1], type =   bf16, converting to q6_K .. ")
pathlib.Path(target).write_bytes(b"GGUF" + kind.encode())
"""


def test_quantizing_writes_the_file_and_tells_its_progress(make_context, tools, tmp_path: Path) -> None:
    source = tmp_path / "model-bf16.gguf"
    source.write_bytes(b"GGUF")
    tools.program("quantize", QUANTIZE)
    said: list[tuple[str, float | None]] = []
    made = {"convert": {"path": str(source)}}
    context = make_context("quantize", made, report=lambda message, fraction: said.append((message, fraction)))
    result = quantize(context)
    path = context.workspace / "model-q4_k_m.gguf"
    assert path.read_bytes() == b"GGUFQ4_K_M"
    assert (result["path"], result["bytes"]) == (str(path), 10)
    assert result["artifacts"][0]["bytes"] == 10
    assert said == [("quantizing tensors", 0.5)]


def test_a_quantizer_that_fails_leaves_nothing(make_context, tools, tmp_path: Path) -> None:
    source = tmp_path / "model-bf16.gguf"
    source.write_bytes(b"GGUF")
    half = "import pathlib, sys\npathlib.Path(sys.argv[2]).write_bytes(b'half')\nsys.exit('broken')\n"
    tools.program("quantize", half)
    context = make_context("quantize", {"convert": {"path": str(source)}})
    with pytest.raises(ExecutionFailed, match="quantize failed with exit status 1"):
        quantize(context)
    assert [path.name for path in context.workspace.iterdir()] == ["quantize.log"]


def test_a_format_it_cannot_make_is_named(make_context, tmp_path: Path) -> None:
    plan = example_plan(parameters={"quantize": {"format": "awq-int4"}})
    with pytest.raises(ExecutionFailed, match="llama-quantize makes no 'awq-int4'"):
        quantize(make_context("quantize", {"convert": {"path": "x"}}, plan=plan))


IMATRIX = """\
import pathlib, sys
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("compute_imatrix: computing over 4 chunks, n_ctx=64, batch_size=64, n_seq=1")
print("[1]5.1,[2]5.3,")
pathlib.Path(option["-o"]).write_text(pathlib.Path(option["-f"]).read_text())
"""
WITH_IMPORTANCE = """\
import pathlib, sys
flag, matrix, source, target, kind = sys.argv[1:]
pathlib.Path(target).write_text(flag + kind + pathlib.Path(matrix).read_text())
"""


def test_two_bits_are_made_with_an_importance_matrix_of_the_calibration_text(make_context, tools, tmp_path) -> None:
    samples = tmp_path / "calibration.jsonl"
    samples.write_text('{"text": "one"}\n{"text": "two"}\n')
    made = {
        "fetch": {"directory": str(tmp_path)},
        "convert": {"path": str(tmp_path / "model-bf16.gguf")},
        "calibrate": {"path": str(samples), "max_tokens": 64},
    }
    (tmp_path / "model-bf16.gguf").write_bytes(b"GGUF")
    tools.program("imatrix", IMATRIX)
    tools.program("quantize", WITH_IMPORTANCE)
    plan = example_plan(parameters={"quantize": {"format": "gguf-q2_k", "ggml": "IQ2_XS", "tool": "llama.cpp"}})
    calibrate = Stage(name="calibrate", kind="calibrate")
    plan = plan.model_copy(update={"stages": (calibrate, *plan.stages)})
    said: list[tuple[str, float | None]] = []
    context = make_context("quantize", made, plan=plan, report=lambda message, share: said.append((message, share)))
    result = quantize(context)
    assert Path(result["path"]).read_text() == "--imatrixIQ2_XSone\ntwo"
    assert [Path(record["path"]).name for record in result["artifacts"]] == ["model-iq2_xs.gguf", "importance.gguf"]
    assert said == [("finding the weights that matter", 0.5)]
