"""Reads the header of a GGUF file (versions 2 and 3): metadata and tensor descriptions; no weight is read.

Layout (ggml-org/ggml docs/gguf.md): magic, version, tensor count, metadata count, the metadata as typed key-value
pairs, the tensor descriptions, then the data from the next multiple of `general.alignment`.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

from planner.errors import BadInput
from planner.models.ggml_types import tensor_bytes, type_name
from planner.models.json_files import AGAIN
from planner.models.model import StoredTensor

MAGIC, VERSIONS = b"GGUF", (2, 3)
# Format characters of struct by metadata type; 8 is a string and 9 an array.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
DEFAULT_ALIGNMENT = 32
# The largest real files have a few thousand tensors and keys; a count beyond this is a broken or hostile file.
MOST_TENSORS, MOST_KEYS, MOST_DIMENSIONS = 1_000_000, 100_000, 4
# Vocabularies are read over, not kept: only arrays this short (one value a layer) hold facts.
LONGEST_ARRAY_KEPT = 4096

Value = int | float | bool | str | list[int | float | bool] | None


@dataclass(frozen=True, slots=True)
class Header:
    """Metadata by key (long arrays and arrays of text as None) and the tensors in file order."""

    metadata: dict[str, Value]
    tensors: tuple[StoredTensor, ...]
    file_bytes: int


def read_header(path: Path) -> Header:
    """The header of one file. Raises BadInput for a file that is no GGUF, is truncated, or lies about its sizes."""
    size = path.stat().st_size
    if size < 24:
        raise BadInput(f"truncated: {size} bytes, too few for a GGUF header", where=str(path), fix=AGAIN)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(data, str(path)).header()


class _Reader:
    """A position in the file; every read checks that the file reaches that far."""

    def __init__(self, data: mmap.mmap, where: str) -> None:
        self.data, self.where, self.position = data, where, 0

    def header(self) -> Header:
        if self.bytes(4) != MAGIC:
            raise BadInput("not a GGUF file", where=self.where, fix="name a file that begins with GGUF")
        version = self.scalar("I")
        if version not in VERSIONS:
            raise BadInput(f"GGUF version {version}; quantplan reads 2 and 3", where=self.where, fix=AGAIN)
        tensor_count = self.count("tensors", MOST_TENSORS)
        key_count = self.count("metadata keys", MOST_KEYS)
        metadata = {self.string(): self.value(self.scalar("I")) for _ in range(key_count)}
        described = [self.tensor() for _ in range(tensor_count)]
        self._check_data(described, metadata.get("general.alignment"))
        return Header(metadata, tuple(tensor for _, tensor in described), len(self.data))

    def bytes(self, count: int) -> bytes:
        begin, self.position = self.position, self.position + count
        if self.position > len(self.data):
            what = f"truncated: the header goes on after the last of its {len(self.data)} bytes"
            raise BadInput(what, where=self.where, fix=AGAIN)
        return self.data[begin : self.position]

    def scalar(self, format: str) -> int:
        value: int = struct.unpack("<" + format, self.bytes(struct.calcsize(format)))[0]
        return value

    def count(self, what: str, most: int) -> int:
        count = self.scalar("Q")
        if count > most:
            raise BadInput(f"claims {count} {what}; more than {most} is not believable", where=self.where, fix=AGAIN)
        return count

    def string(self) -> str:
        return self.bytes(self.scalar("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Value:
        if kind == STRING:
            return self.string()
        return self.array() if kind == ARRAY else self.scalar(self._format(kind))

    def _format(self, kind: int) -> str:
        if kind not in SCALARS:
            raise BadInput(f"metadata type {kind} does not exist", where=self.where, fix=AGAIN)
        return SCALARS[kind]

    def array(self) -> list[int | float | bool] | None:
        kind, count = self.scalar("I"), self.scalar("Q")
        if kind == STRING:
            self._skip_strings(count)
            return None
        format = self._format(kind)
        content = self.bytes(count * struct.calcsize(format))
        return list(struct.unpack(f"<{count}{format}", content)) if count <= LONGEST_ARRAY_KEPT else None

    def _skip_strings(self, count: int) -> None:
        """Over a vocabulary: hundreds of thousands of strings, so the loop keeps to local names."""
        data, position, end, unpack = self.data, self.position, len(self.data) - 8, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if position > end:
                position = len(data) + 1
                break
            position += 8 + unpack(data, position)[0]
        self.position = position
        self.bytes(0)

    def tensor(self) -> tuple[int, StoredTensor]:
        """A tensor with its offset in the data; its shape outermost first, as safetensors writes it."""
        name, dimensions = self.string(), self.scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise BadInput(f"tensor {name} has {dimensions} dimensions", where=self.where, fix=AGAIN)
        shape = tuple(reversed([self.scalar("Q") for _ in range(dimensions)]))
        kind, offset = self.scalar("I"), self.scalar("Q")
        dtype = type_name(kind)
        if dtype is None:
            raise BadInput(f"tensor {name} has type {kind}, which does not exist", where=self.where, fix=AGAIN)
        return offset, StoredTensor(name, dtype, shape, tensor_bytes(dtype, prod(shape)))

    def _check_data(self, described: list[tuple[int, StoredTensor]], alignment: Value) -> None:
        """Every tensor must lie inside the file, after the one before it."""
        step = alignment if isinstance(alignment, int) and alignment > 0 else DEFAULT_ALIGNMENT
        begin, end = -(-self.position // step) * step, 0
        for offset, tensor in sorted(described, key=lambda item: item[0]):
            if offset < end:
                raise BadInput(f"tensor {tensor.name} overlaps the one before it", where=self.where, fix=AGAIN)
            end = offset + tensor.bytes
            if begin + end > len(self.data):
                what = f"truncated: tensor {tensor.name} ends at byte {begin + end}, the file has {len(self.data)}"
                raise BadInput(what, where=self.where, fix=AGAIN)
