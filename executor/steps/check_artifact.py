"""Step `check-artifact`: read back what was written and hold it against the plan, tensor by tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from executor.applied.differing import not_as_planned
from executor.applied.expected import Expected
from executor.applied.on_disk import applied_on_disk
from executor.step import Result, StepContext
from executor.steps.earlier import made_by, parameter, result_of_kind
from planner.errors import BadInput
from planner.models.model import StoredTensor

UNQUANTIZED = {"F32", "F16", "BF16"}
FIX = "rows that do not divide by 256 fall back to larger types; plan another format, such as gguf-q8_0"


def check_artifact(context: StepContext) -> Result:
    """{bytes, tensor_bytes, expected_bytes, bytes_error, remarks}, of a GGUF file {types, expected_types}, and of a
    directory {bytes_by_class, schemes, layers, method}.

    ExecutionFailed when a tensor is stored in another type than planned, so that a scheme that was silently not applied
    is never served; BadInput when the file is truncated. Other differences (an extra F32 vector, bytes) are remarks.
    """
    path = made_by(context, str(context.stage.parameters.get("artifact", "quantize")))
    context.report("reading the headers of what was written", None)
    return _check_directory(context, path) if path.is_dir() else _check_gguf(context, path)


def _check_directory(context: StepContext, path: Path) -> Result:
    """A checkpoint of safetensors, layer by layer against the original's."""
    original = Path((result_of_kind(context, "fetch") or {})["directory"])
    return applied_on_disk(original, path, Expected.of(context.stage.parameters))


def _check_gguf(context: StepContext, path: Path) -> Result:
    from planner.models.gguf_header import read_header

    header = read_header(path)
    types = dict(Counter(tensor.dtype for tensor in header.tensors))
    expected_types: dict[str, int] = dict(parameter(context, "expected_types"))
    expected_bytes = int(parameter(context, "expected_bytes"))
    tensor_bytes = sum(tensor.bytes for tensor in header.tensors)
    differences = [*type_differences(header.tensors, planned_types(context)), *count_differences(types, expected_types)]
    if differences:
        raise not_as_planned(path, f"the written file is not {parameter(context, 'format')}", differences, FIX)
    return {
        "bytes": header.file_bytes,
        "tensor_bytes": tensor_bytes,
        "expected_bytes": expected_bytes,
        "bytes_error": tensor_bytes / expected_bytes - 1,
        "types": types,
        "expected_types": expected_types,
        "remarks": list(_remarks(types, expected_types)),
    }


def planned_types(context: StepContext) -> dict[str, str]:
    """The planned type of each tensor by name; empty when the original's shape cannot be read again."""
    from planner.memory.gguf_mix import gguf_file, gguf_tensors
    from planner.models.directory import model_from_directory

    fetched = result_of_kind(context, "fetch") or {}
    try:
        shape = model_from_directory(Path(fetched["directory"])).shape
    except (BadInput, KeyError):
        return {}
    type_name, format = context.stage.parameters.get("ggml"), str(parameter(context, "format"))
    tensors = gguf_file(shape, str(type_name)) if type_name else gguf_tensors(shape, format)
    return {tensor.name: tensor.type for tensor in tensors}


def type_differences(tensors: Sequence[StoredTensor], planned: Mapping[str, str]) -> list[str]:
    """Tensors that the plan knows by name and that are stored in another type."""
    return [
        f"{tensor.name} is {tensor.dtype} instead of {planned[tensor.name]}"
        for tensor in tensors
        if planned.get(tensor.name, tensor.dtype) != tensor.dtype
    ]


def count_differences(types: Mapping[str, int], expected: Mapping[str, int]) -> list[str]:
    """Quantized types that occur more or less often than planned; 16- and 32-bit tensors are left to the remarks."""
    return [
        f"{types.get(name, 0)} tensors are {name} instead of {expected.get(name, 0)}"
        for name in sorted({*types, *expected} - UNQUANTIZED)
        if types.get(name, 0) != expected.get(name, 0)
    ]


def _remarks(types: Mapping[str, int], expected: Mapping[str, int]) -> Iterator[str]:
    for name in sorted(UNQUANTIZED & {*types, *expected}):
        if types.get(name, 0) != expected.get(name, 0):
            yield f"{types.get(name, 0)} tensors are {name}, {expected.get(name, 0)} were planned"
