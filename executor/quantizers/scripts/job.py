"""What every script here shares: a JSON job in, progress and one result out as JSON lines, peak memory measured.

Run by the Python of a toolchain, so nothing of quantplan is imported.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MARK = "quantplan"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "preprocessor_config.json",
    "generation_config.json",
)  # fmt: skip


def tell(message: str, fraction: float | None = None) -> None:
    """One line of progress; `fraction` 0-1."""
    print(json.dumps({MARK: "progress", "message": message, "fraction": fraction}), flush=True)


def run(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do the job whose file the command line names, and print its result with seconds and peak resident bytes."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    limit_threads(job.get("threads"))
    started = time.monotonic()
    result = work(job)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    measured = {"seconds": round(time.monotonic() - started, 2), "peak_bytes": peak, **device_peak()}
    print(json.dumps({MARK: "result", **result, **measured}), flush=True)


def limit_threads(threads: int | None) -> None:
    """A limit that is set already holds: more threads than free cores make OpenMP wait on itself, ten times slower."""
    if threads:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def device_peak() -> dict[str, int]:
    """Peak bytes of the first accelerator, where there is one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return {"peak_device_bytes": int(torch.cuda.max_memory_allocated())}


def load_model(directory: str, **more: Any) -> Any:
    """The model in the dtype it is stored in; never with remote code."""
    from transformers import AutoModelForCausalLM

    multiply_in_float32_where_bfloat16_is_emulated()
    return AutoModelForCausalLM.from_pretrained(directory, dtype="auto", trust_remote_code=False, **more)


def multiply_in_float32_where_bfloat16_is_emulated() -> None:
    """A CPU without BF16 instructions multiplies BF16 fifty times slower than FP32; the result is rounded alike."""
    import torch

    if torch.accelerator.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    functional = torch.nn.functional
    functional.linear = in_float32(functional.linear)
    functional.scaled_dot_product_attention = in_float32(functional.scaled_dot_product_attention)


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function for BF16 arguments, computed in FP32 and rounded once at its end."""
    import torch

    def widened(value: Any) -> Any:
        return value.float() if isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16 else value

    def computed(first: Any, *others: Any, **named: Any) -> Any:
        if first.dtype != torch.bfloat16:
            return function(first, *others, **named)
        named = {name: widened(value) for name, value in named.items()}
        return function(widened(first), *map(widened, others), **named).to(first.dtype)

    return computed


def load_tokenizer(directory: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory, trust_remote_code=False)


def copy_tokenizer(source: str, target: str) -> None:
    """The tokenizer's files as they are: saving them again may change them."""
    for name in TOKENIZER_FILES:
        path = Path(source) / name
        if path.is_file():
            shutil.copyfile(path, Path(target) / name)
