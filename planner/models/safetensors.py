"""Safetensors files by their headers alone: names, dtypes, shapes and bytes; no weight is read.

Layout (safetensors format, github.com/huggingface/safetensors): 8 bytes little-endian header length, a JSON object
from tensor name to {dtype, shape, data_offsets}, then the data the offsets count from.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from planner.errors import BadInput
from planner.models.config import Config
from planner.models.json_files import AGAIN, parse_json_object, read_json_object
from planner.models.model import StoredTensor
from planner.units import MIB

INDEX = "model.safetensors.index.json"
LARGEST_HEADER_BYTES = 100 * MIB  # the format's own limit
BITS = {
    **dict.fromkeys(["C64", "F64", "I64", "U64"], 64),
    **dict.fromkeys(["F32", "I32", "U32"], 32),
    **dict.fromkeys(["F16", "BF16", "I16", "U16"], 16),
    **dict.fromkeys(["F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"], 8),
    **dict.fromkeys(["F6_E2M3", "F6_E3M2"], 6),
    "F4": 4,
}


def weight_files(directory: Path) -> list[Path]:
    """The safetensors files of a Hugging Face directory: those its index names, else those that lie there.

    Raises BadInput when the index names a missing file or one outside the directory. `consolidated*` files are
    Mistral's second copy of the same weights and are left out.
    """
    index = directory / INDEX
    if index.is_file():
        return _indexed_files(index)
    found = sorted(path for path in directory.glob("*.safetensors") if not path.name.startswith("consolidated"))
    single = directory / "model.safetensors"
    return [single] if single in found else found


def _indexed_files(index: Path) -> list[Path]:
    weight_map = Config(read_json_object(index), str(index)).section("weight_map").values
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if PurePath(name).name != name:
            raise BadInput(f"names a file outside its directory: {name!r}", where=str(index), fix=AGAIN)
        if not (index.parent / name).is_file():
            raise BadInput(f"{name} is missing", where=str(index), fix="download the missing shard into the directory")
    return [index.parent / name for name in names]


def read_tensors(files: Iterable[Path]) -> tuple[StoredTensor, ...]:
    """Every tensor of the files, in file order. Raises BadInput for a broken header or a tensor stored twice."""
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        for tensor in read_header(path):
            if tensor.name in tensors:
                raise BadInput(f"tensor {tensor.name} is already in another file", where=str(path), fix=AGAIN)
            tensors[tensor.name] = tensor
    return tuple(tensors.values())


def read_header(path: Path) -> tuple[StoredTensor, ...]:
    """The tensors of one file, in the order of their data.

    Raises BadInput for a truncated file, a header length beyond the file, bad JSON, an unknown dtype, a shape that
    disagrees with its bytes, and tensors that overlap or reach beyond the file.
    """
    where, file_bytes = str(path), path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            raise BadInput(f"truncated: {file_bytes} bytes, too few for a safetensors header", where=where, fix=AGAIN)
        (header_bytes,) = struct.unpack("<Q", start)
        if header_bytes > file_bytes - 8:
            what = f"truncated: the header should have {header_bytes} bytes, the file has {file_bytes}"
            raise BadInput(what, where=where, fix=AGAIN)
        if header_bytes > LARGEST_HEADER_BYTES:
            raise BadInput(f"a header of {header_bytes} bytes is larger than the format allows", where=where, fix=AGAIN)
        header = parse_json_object(file.read(header_bytes), f"{where}: header")
    return tensors_of_header(header, file_bytes - 8 - header_bytes, where)


def tensors_of_header(header: Mapping[str, object], data_bytes: int, where: str) -> tuple[StoredTensor, ...]:
    """The checked tensors of a parsed header whose data has `data_bytes` bytes."""
    entries = Config({name: entry for name, entry in header.items() if name != "__metadata__"}, where)
    placed = sorted((_placed(entries.section(name), name) for name in entries.values), key=lambda item: item[0])
    end = 0
    for begin, tensor in placed:
        if begin < end:
            raise BadInput(f"tensor {tensor.name} overlaps the one before it", where=where, fix=AGAIN)
        end = begin + tensor.bytes
    if end > data_bytes:
        last = placed[-1][1].name
        what = f"truncated: tensor {last} ends at byte {end} of the data, which has {data_bytes}"
        raise BadInput(what, where=where, fix=AGAIN)
    return tuple(tensor for _, tensor in placed)


def _placed(entry: Config, name: str) -> tuple[int, StoredTensor]:
    """Where a tensor's data begins, and the tensor."""
    dtype, shape, offsets = entry.text("dtype"), _sizes(entry, "shape"), _sizes(entry, "data_offsets")
    if dtype not in BITS:
        raise BadInput(f"dtype {dtype} is not a safetensors dtype", where=entry.where, fix=AGAIN)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise entry.wrong("data_offsets", "a begin and an end")
    stored = offsets[1] - offsets[0]
    if stored * 8 != math.prod(shape) * BITS[dtype]:
        what = f"{dtype} of shape {list(shape)} does not fill its {stored} bytes"
        raise BadInput(what, where=entry.where, fix=AGAIN)
    return offsets[0], StoredTensor(name, dtype, shape, stored)


def _sizes(entry: Config, key: str) -> tuple[int, ...]:
    value = entry.values.get(key)
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 2**63 for item in value):
        raise entry.wrong(key, "a list of whole numbers")
    return tuple(value)
