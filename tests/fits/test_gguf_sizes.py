"""Counting identical tensors together gives the sizes of the full list of tensors, to the byte."""

import pytest

from planner.fits.gguf_sizes import GgufFile
from planner.memory.gguf_mix import gguf_tensors
from planner.memory.llama_cpp import is_looked_up, repacked_end, repacked_types
from planner.models.catalogue import find
from planner.schemes import load_schemes

SETS = ("avx2", "avx512f")


@pytest.mark.parametrize(
    "name",
    ["llama-3.1-8b", "llama-3.1-70b", "llama-3.2-1b", "falcon-7b", "mixtral-8x7b", "deepseek-v2-lite", "gemma-2-2b",
     "qwen3-30b-a3b", "jamba-mini", "granite-4.0-h-tiny", "nemotron-nano-9b-v2", "bge-m3", "gpt-oss-20b", "mamba-2.8b",
     "qwen3-next-80b-a3b", "llama-3.2-11b-vision", "phi-3-mini", "smollm2-135m"],
)  # fmt: skip
def test_grouped_sizes_equal_the_list_of_tensors(name: str) -> None:
    model = find(name)
    assert model is not None
    file, repacked = GgufFile(model.shape), repacked_types(SETS)
    for scheme in (s for s in load_schemes().values() if s.ggml):
        tensors = gguf_tensors(model.shape, scheme.id)
        copied = frozenset(t for t in tensors if t.type in repacked and not is_looked_up(t))
        ends = (*repacked_end(tensors, copied), *repacked_end(tensors[::-1], copied))
        sizes = file.sizes(scheme, SETS)
        assert sizes.total == sum(t.bytes for t in tensors), scheme.id
        assert sizes.looked_up == sum(t.bytes for t in tensors if is_looked_up(t)), scheme.id
        assert sizes.copied == sum(t.bytes for t in copied), scheme.id
        assert sizes.unmapped == sum(t.bytes for t in ends), scheme.id
