"""What the quantizing of a plan takes, read from its stages, and where the hardware is too small for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.hardware.hardware import Hardware
from planner.models.shape import Shape
from planner.plan import Prediction, QuantizingNeeds, Stage
from planner.quantizing.needing import needs_of
from planner.quantizing.quantities import Calibration
from planner.quantizing.ways import is_known
from planner.schemes import scheme


def planned_needs(shape: Shape, stages: Sequence[Stage], hardware: Hardware) -> QuantizingNeeds | None:
    """What the plan's own quantize stage takes; None where it has none, or its tool's needs are not known."""
    by_kind = {stage.kind: stage.parameters for stage in stages}
    making = by_kind.get("quantize")
    if making is None or not is_known(making["tool"], making["format"]):
        return None
    text = by_kind.get("calibrate")
    return needs_of(
        shape,
        scheme(making["format"]),
        making["tool"],
        hardware,
        calibration=Calibration(text["samples"], text["max_tokens"]) if text else None,
        group_size=making.get("group_size"),
    )


def shortages(needs: QuantizingNeeds | None, hardware: Hardware) -> Iterator[str]:
    """A warning for each memory that is known to be too small to quantize here."""
    if needs is None:
        return
    if hardware.accelerator is not None:
        yield from _shortage(needs, needs.gpu_gib, "one GPU", hardware.accelerator.memory_gib)
    if hardware.cpu is not None:
        yield from _shortage(needs, needs.host_gib, "the host", hardware.cpu.memory_gib)


def _shortage(needs: QuantizingNeeds, needed: Prediction, where: str, there_gib: float) -> Iterator[str]:
    if needed.value is not None and needed.value > there_gib:
        yield (
            f"Quantizing with {needs.tool} takes about {needed.value:.1f} GiB on {where}, which has "
            f"{there_gib:.1f} GiB: quantize on a larger machine, or take a ready checkpoint."
        )
