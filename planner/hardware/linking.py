"""The link between accelerators of one machine, where a machine has another than the datasheet's."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from planner.hardware.hardware import Accelerator

Inside = Literal["nvlink", "infinity-fabric", "pcie"]


def with_link(accelerator: Accelerator, inside: Inside | None, inside_gb_s: float | None) -> Accelerator:
    """The accelerator with another link (`inside_gb_s`: bidirectional total of one accelerator).

    `pcie` without a rate takes the speed model's own PCIe rate.
    """
    if inside is None and inside_gb_s is None:
        return accelerator
    kind = inside or accelerator.interconnect
    kept = accelerator.link_gb_s if kind == accelerator.interconnect else None
    return replace(accelerator, interconnect=kind, link_gb_s=inside_gb_s or kept)
