"""Slices of an NVIDIA GPU (MIG): `H100-80GB:1g.10gb` is a seventh of its cores and an eighth of its memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.hardware.hardware import Accelerator

_PROFILE = re.compile(r"(.+?)\s*:\s*(?:MIG\s*)?(\d)g\.(\d+)gb", re.IGNORECASE | re.ASCII)
SEVENTHS, EIGHTHS = 7, 8


def name_and_profile(text: str) -> tuple[str, str | None]:
    """The GPU a spelling names, and the MIG profile it asks for (None: the whole GPU)."""
    found = _PROFILE.fullmatch(text.strip())
    return (found[1], f"{found[2]}g.{found[3]}gb") if found else (text, None)


def slice_of(gpu: Accelerator, profile: str) -> Accelerator:
    """One instance of that profile as an accelerator of its own. BadInput where the GPU has no such profile."""
    mig: Mapping[str, Any] = load_yaml("mig.yaml")
    known = profiles_of(gpu, mig)
    if profile not in known:
        raise BadInput(
            f"{gpu.name} has no MIG profile {profile}",
            nearest=tuple(known),
            fix="write one of its profiles after a colon, for example H100-80GB:3g.40gb",
        )
    sevenths, eighths = known[profile]["sevenths"], known[profile]["eighths"]
    cores, memory = sevenths / SEVENTHS, eighths / EIGHTHS
    return replace(
        gpu,
        name=f"{gpu.name}:{profile}",
        memory_gb=gpu.memory_gb * memory,
        memory_gib=gpu.memory_gib * memory - mig["kept_gib"],
        bandwidth_gb_s=gpu.bandwidth_gb_s * memory,
        fp16_tflops=gpu.fp16_tflops * cores,
        fp8_tflops=_part(gpu.fp8_tflops, cores),
        int8_tops=_part(gpu.int8_tops, cores),
        fp4_tflops=_part(gpu.fp4_tflops, cores),
        interconnect="pcie",
        link_gb_s=None,
        tdp_watts=_part(gpu.tdp_watts, cores),
        memory_source=mig["source"],
    )


def profiles_of(gpu: Accelerator, mig: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """The profiles of that GPU by their full names; none where it cannot be divided."""
    if gpu.name.partition("-")[0] not in mig["gpus"]:
        return {}
    return {
        f"{name.removesuffix('+')}.{round(gpu.memory_gb * part['eighths'] / EIGHTHS)}gb": part
        for name, part in mig["profiles"].items()
    }


def _part(whole: float | None, share: float) -> float | None:
    return None if whole is None else whole * share
