"""Having a server say in its log what it holds once it has loaded a model."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).with_name("scripts")
MARK = "quantplan-layers: "
TENSORS = re.compile(r"llama_model_loader: - type\s+(\w+):\s+(\d+) tensors")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What to add to a server's arguments and environment; nothing for engines that cannot be asked."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def inspection_of(engine: str) -> Inspection:
    """vLLM imports a module of ours in each worker, which prints the loaded layers as one line and adds no endpoint."""
    if engine != "vllm":
        return Inspection()
    known = os.pathsep.join(filter(None, (str(SCRIPTS), os.environ.get("PYTHONPATH"))))
    return Inspection(("--worker-extension-cls", "vllm_inspection.Inspection"), {"PYTHONPATH": known})


def layers_in(log: str) -> list[dict[str, Any]] | None:
    """The layers of the first worker that told them; None where none did."""
    for line in log.splitlines():
        _, told, rest = line.partition(MARK)
        if told:
            with suppress(ValueError):
                layers: list[dict[str, Any]] = json.loads(rest)
                return layers
    return None


def tensor_types_in(log: str) -> dict[str, int] | None:
    """How many tensors of each type llama.cpp says it has read; None where it says nothing."""
    return {name.upper(): int(count) for name, count in TENSORS.findall(log)} or None
