"""Safetensors headers written byte by byte: what is read, and the exact words for every way to be broken."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from model_files import LLAMA_TENSORS, elements, safetensors_bytes, write_safetensors

from planner.errors import BadInput
from planner.models.model import StoredTensor
from planner.models.safetensors import read_header, read_tensors, weight_files

AGAIN = "To fix: download the file again"
ONE = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as refused:
        read_header(path)
    return str(refused.value)


def broken(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    return refusal(path).replace(str(path), "FILE")


def test_a_header_gives_names_dtypes_shapes_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, LLAMA_TENSORS)

    tensors = read_header(path)

    assert tensors[0] == StoredTensor("model.embed_tokens.weight", "BF16", (256, 64), 32768)
    assert {tensor.name: tensor.shape for tensor in tensors} == LLAMA_TENSORS
    assert sum(tensor.bytes for tensor in tensors) == 2 * sum(map(elements, LLAMA_TENSORS.values()))


@pytest.mark.parametrize(
    ("dtype", "shape", "stored"),
    [("F4", [4, 4], 8), ("F8_E4M3", [3], 3), ("I32", [], 4), ("BOOL", [5], 5), ("F64", [0, 7], 0), ("F6_E2M3", [4], 3)],
)
def test_dtypes_of_every_width_are_measured(tmp_path: Path, dtype: str, shape: list[int], stored: int) -> None:
    path = tmp_path / "model.safetensors"
    header = {"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, stored]}}
    path.write_bytes(safetensors_bytes(header, bytes(stored)))

    assert read_header(path) == (StoredTensor("x", dtype, tuple(shape), stored),)


def test_a_truncated_start(tmp_path: Path) -> None:
    assert broken(tmp_path, b"\x01\x02") == f"FILE: truncated: 2 bytes, too few for a safetensors header\n{AGAIN}"


def test_an_empty_file(tmp_path: Path) -> None:
    assert broken(tmp_path, b"") == f"FILE: truncated: 0 bytes, too few for a safetensors header\n{AGAIN}"


def test_a_header_that_goes_on_after_the_file(tmp_path: Path) -> None:
    content = safetensors_bytes(ONE, bytes(24))[:40]

    assert broken(tmp_path, content) == f"FILE: truncated: the header should have 65 bytes, the file has 40\n{AGAIN}"


def test_a_header_length_of_two_to_the_sixty_three(tmp_path: Path) -> None:
    assert broken(tmp_path, struct.pack("<Q", 2**63) + b"{}") == (
        f"FILE: truncated: the header should have 9223372036854775808 bytes, the file has 10\n{AGAIN}"
    )


def test_a_header_that_is_not_json(tmp_path: Path) -> None:
    assert broken(tmp_path, safetensors_bytes(b"{oops}", b"")) == (
        "FILE: header: not valid JSON (line 1, column 2: Expecting property name enclosed in double quotes)\n" + AGAIN
    )


def test_data_that_stops_early(tmp_path: Path) -> None:
    assert broken(tmp_path, safetensors_bytes(ONE, bytes(20))) == (
        f"FILE: truncated: tensor a ends at byte 24 of the data, which has 20\n{AGAIN}"
    )


def test_tensors_that_overlap(tmp_path: Path) -> None:
    header = {**ONE, "b": {"dtype": "U8", "shape": [10], "data_offsets": [20, 30]}}

    assert broken(tmp_path, safetensors_bytes(header, bytes(30))) == (
        f"FILE: tensor b overlaps the one before it\n{AGAIN}"
    )


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 8]}, "F32 of shape [2, 2] does not fill its 8 bytes"),
        ({"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}, "dtype F33 is not a safetensors dtype"),
        (
            {"dtype": "U8", "shape": [1], "data_offsets": [4, 3]},
            "data_offsets is [4, 3]; it must be a begin and an end",
        ),
        ({"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}, "shape is [-1]; it must be a list of whole numbers"),
        ({"dtype": "U8", "shape": [2**70], "data_offsets": [0, 1]}, None),
        ({"dtype": "U8", "shape": "1", "data_offsets": [0, 1]}, 'shape is "1"; it must be a list of whole numbers'),
        ({"shape": [1], "data_offsets": [0, 1]}, "dtype is missing"),
    ],
)
def test_a_tensor_described_wrongly(tmp_path: Path, entry: object, complaint: str | None) -> None:
    message = broken(tmp_path, safetensors_bytes({"x": entry}, bytes(8)))

    assert message.startswith("FILE: x: ")
    if complaint:
        assert message.splitlines()[0] == f"FILE: x: {complaint}"


def sharded(directory: Path) -> Path:
    names = list(LLAMA_TENSORS)
    shards = {"model-00001-of-00002.safetensors": names[:10], "model-00002-of-00002.safetensors": names[10:]}
    for shard, members in shards.items():
        write_safetensors(directory / shard, {name: LLAMA_TENSORS[name] for name in members})
    weight_map = {name: shard for shard, members in shards.items() for name in members}
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    return directory


def test_shards_are_read_together(tmp_path: Path) -> None:
    tensors = read_tensors(weight_files(sharded(tmp_path)))

    assert {tensor.name: tensor.shape for tensor in tensors} == LLAMA_TENSORS


def test_a_second_copy_of_the_weights_is_left_out(tmp_path: Path) -> None:
    sharded(tmp_path)
    write_safetensors(tmp_path / "consolidated.safetensors", LLAMA_TENSORS)

    assert len(weight_files(tmp_path)) == 2


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()

    with pytest.raises(BadInput) as refused:
        weight_files(tmp_path)

    assert str(refused.value) == (
        f"{tmp_path}/model.safetensors.index.json: model-00002-of-00002.safetensors is missing\n"
        "To fix: download the missing shard into the directory"
    )


def test_an_index_may_not_lead_outside_its_directory(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}), encoding="utf-8")

    with pytest.raises(BadInput) as refused:
        weight_files(tmp_path)

    assert str(refused.value) == (f"{index}: names a file outside its directory: '../../secret.safetensors'\n{AGAIN}")


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    for name in ("model-1.safetensors", "model-2.safetensors"):
        write_safetensors(tmp_path / name, {"a": (2, 2)})

    with pytest.raises(BadInput) as refused:
        read_tensors(weight_files(tmp_path))

    assert str(refused.value) == f"{tmp_path}/model-2.safetensors: tensor a is already in another file\n{AGAIN}"


@pytest.mark.parametrize("byte", [0x22, 0xFF])
def test_whatever_byte_is_wrong_it_is_read_or_refused(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"a": (2, 3), "b": (4,)})
    whole = path.read_bytes()
    for position in range(0, len(whole), 2):
        path.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
        with suppress(BadInput):
            assert sum(tensor.bytes for tensor in read_header(path)) <= len(whole)
