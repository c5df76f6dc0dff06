"""Has a vLLM worker say what it holds once a model is loaded: one line of JSON in the server's log.

Named by --worker-extension-cls, so vLLM imports it in each worker before it loads the model. Runs inside vLLM's
process; nothing of quantplan is imported, nothing is served, and the model is left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MARK = "quantplan-layers: "


class Inspection:
    """Mixed into vLLM's worker class, to which it adds nothing: importing this module is what counts."""


def telling(load_model: Callable[..., Any]) -> Callable[..., Any]:
    def load_and_tell(*args: Any, **named: Any) -> Any:
        model = load_model(*args, **named)
        layers = [described(name, module) for name, module in model.named_modules() if is_linear(module)]
        print(f"\n{MARK}{json.dumps(layers)}", flush=True)
        return model

    return load_and_tell


def is_linear(module: Any) -> bool:
    return getattr(module, "quant_method", None) is not None and hasattr(module, "input_size")


def described(name: str, module: Any) -> dict[str, Any]:
    """{name, method, kernel, weights, dtypes}: the class that multiplies it, the kernel it chose, how many weights this
    worker's part has, and its bytes by dtype (a kernel may keep a repacked copy where no tensor shows it)."""
    scheme = getattr(module, "scheme", None)
    method = scheme if scheme is not None else module.quant_method
    kernel = getattr(method, "kernel", None) or getattr(method, "fp8_linear", None)
    dtypes: dict[str, int] = {}
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        dtype = str(tensor.dtype).removeprefix("torch.")
        dtypes[dtype] = dtypes.get(dtype, 0) + tensor.numel() * tensor.element_size()
    kernel_name = type(kernel).__name__ if kernel is not None else ""
    rows = getattr(module, "output_size_per_partition", None) or getattr(module, "output_size", 0)
    columns = getattr(module, "input_size_per_partition", None) or module.input_size
    about = {"name": name, "method": type(method).__name__, "kernel": kernel_name}
    return {**about, "weights": rows * columns, "dtypes": dtypes}


def watch_loading() -> None:
    from vllm.model_executor.model_loader.base_loader import BaseModelLoader

    BaseModelLoader.load_model = telling(BaseModelLoader.load_model)


with suppress(ImportError):  # imported elsewhere than in a vLLM worker, or vLLM moved its loader: then no evidence
    watch_loading()
