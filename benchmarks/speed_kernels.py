"""Shares of a 16-bit kernel that 4-bit kernels reach, read off published plots (int4_kernels.csv)."""

from __future__ import annotations

from pathlib import Path

from speed_cases import rows

from planner.hardware.resolving import resolve_hardware

PLOTTED = {
    "Marlin": "marlin-int4",
    "exllamav2": "gptq-exllama",
    "AWQ GEMM": "awq-gemm",
    "bitsandbytes nf4/fp4": "bitsandbytes-4bit",
}
PLOTTED_GPU, BITS_RATIO, ARITHMETIC_FROM = "A10", 16 / 4.125, 8


def speedups(folder: Path) -> dict[str, dict[int, float]]:
    """For each plotted kernel, its speed-up over a 16-bit product by batch."""
    found = [row for row in rows(folder / "int4_kernels.csv") if row["model"].startswith("GEMM")]
    return {
        kernel: {int(r["batch"]): float(r["value"]) for r in found if r["engine"] == f"kernel: {name}"}
        for name, kernel in PLOTTED.items()
    }


def kernel_shares(folder: Path) -> dict[str, tuple[float, float]]:
    """For each plotted 4-bit kernel, its shares of a 16-bit kernel's bandwidth and arithmetic.

    A 16-bit product of that shape waits for memory up to batch 128, so speed-up x batch x (bytes / bandwidth per
    operation / peak) is the arithmetic the kernel reaches; the smallest of these is what stops it from paying.
    """
    gpu = resolve_hardware(PLOTTED_GPU).accelerator
    assert gpu is not None
    batch_at_knee = gpu.fp16_tflops * 1e3 / gpu.bandwidth_gb_s
    shares = {}
    for kernel, speedup in speedups(folder).items():
        arithmetic = min(value * batch / batch_at_knee for batch, value in speedup.items() if batch >= ARITHMETIC_FROM)
        largest = speedup[max(speedup)] * max(speedup) / batch_at_knee
        if min(speedup.values()) > 1 or max(speedup.values()) < 1:  # never stopped by arithmetic, or never paying
            arithmetic = largest
        shares[kernel] = (round(speedup[min(speedup)] / BITS_RATIO, 3), round(min(1.0, arithmetic), 3))
    return shares
