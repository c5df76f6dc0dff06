"""How long quantizing takes, roughly: scaled from one published or measured run by parameters, tokens and hardware."""

from __future__ import annotations

from planner.catalog import load_yaml
from planner.hardware.hardware import Hardware
from planner.models.shape import Shape
from planner.plan import Prediction
from planner.quantizing.quantities import Calibration
from planner.quantizing.ways import Way

NAME = "quantizing_minutes"
SECONDS_A_MINUTE = 60.0


def minutes(shape: Shape, format_id: str, way: Way, hardware: Hardware, calibration: Calibration | None) -> Prediction:
    """Minutes from the model on disk to the checkpoint on disk, or why nobody can say."""
    if hardware.accelerator is not None and not way.streams:
        return _on_gpu(shape, way, hardware.accelerator.fp16_tflops, calibration)
    return _on_cpu(shape, format_id, way, hardware, calibration)


def _on_gpu(shape: Shape, way: Way, fp16_tflops: float, calibration: Calibration | None) -> Prediction:
    reference = way.gpu
    if reference is None:
        return _unknown(f"no time of {way.tool} on a GPU is known")
    tokens = calibration.total_tokens / reference["tokens"] if reference["tokens"] and calibration else 1.0
    size, speed = shape.params_b / reference["params_b"], reference["fp16_tflops"] / fp16_tflops
    return _about(reference["minutes"] * size * tokens * speed, reference["source"])


def _on_cpu(shape: Shape, format_id: str, way: Way, hardware: Hardware, calibration: Calibration | None) -> Prediction:
    cores = hardware.cpu.cores if hardware.cpu else 0
    if way.cpu is None or format_id not in way.cpu["s_per_b"]:
        return _unknown(f"{way.tool} was not timed on a CPU for {format_id}")
    if not cores:
        return _unknown("the number of CPU cores is not known")
    work = way.cpu["s_per_b"][format_id] + way.cpu["s_per_b"].get("convert", 0) * cores
    if calibration:
        work += way.cpu.get("s_per_b_token", 0) * calibration.total_tokens
    seconds = way.cpu["start_s"] + shape.params_b * work / cores
    return _about(seconds / SECONDS_A_MINUTE, load_yaml("quantizing.yaml")["measured"])


def _about(value: float, source: str) -> Prediction:
    low, high = (factor * value for factor in load_yaml("quantizing.yaml")["time_error"])
    return Prediction(name=NAME, value=value, low=low, high=high, source=source)


def _unknown(reason: str) -> Prediction:
    return Prediction(
        name=NAME,
        value=None,
        source="planner/catalog/quantizing.yaml",
        abstained=reason,
    )
