"""Single-stream measurements as cases: single_stream.csv, figures from articles, and plots of 4-bit kernels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from speed_cases import Case, Context, accelerator, rows, shape_of

from planner.schemes import scheme
from planner.speed.gpu import peaks_of
from planner.speed.work import Layout

STREAM_GPUS = {
    "RTX PRO 6000 Blackwell Max-Q": "RTX-PRO-6000-Max-Q",
    "3090 24GB": "RTX-3090",
    "4080 16GB": "RTX-4080",
    "4090 24GB": "RTX-4090",
    "A100-SXM-80GB (330W cap)": "A100-80GB-SXM",
    "A100-SXM-80GB": "A100-80GB-SXM",
    "A100 SXM 80GB": "A100-80GB-SXM",
    "RTX A6000 48GB": "RTX-A6000",
    "A40 48GB": "A40",
    "3080 Ti 12GB": "RTX-3080-Ti",
    "3070 8GB": "RTX-3070",
    "A100-40G": "A100-40GB-SXM",
    "4070 Ti 12GB": "RTX-4070-Ti",
    "M2 Ultra 76-Core GPU 192GB": "M2-Ultra-192GB",
    "M1 Max 32‑Core GPU 64GB": "M1-Max-64GB",
    "M3 Max 40‑Core GPU 64GB": "M3-Max-128GB",
}
STREAM_ENGINES = (
    (r"vLLM \(?0\.(4|6)", "vllm", "2024"),
    (r"vLLM 0\.(19|2\d)", "vllm", "2026"),
    (r"vLLM$|vllm$", "vllm", "2024"),
    (r"HF Transformers|transformers|AutoGPTQ|AutoAWQ", "transformers", "2026"),
    (r"SGLang", "sglang", "2026"),
    (r"TensorRT-LLM", "tensorrt-llm", "2024"),
    (r"[Ll]lama\.cpp", "llama.cpp", "2026"),
)
STREAM_FORMATS = (
    (r"^(GGUF )?Q4_K_M$", "gguf-q4_k_m"),
    (r"^GGUF F16$", "gguf-bf16"),
    (r"^GGUF Q8_0$", "gguf-q8_0"),
    (r"^GGUF Q6_K$", "gguf-q6_k"),
    (r"^GGUF Q5_K_M$", "gguf-q5_k_m"),
    (r"^(bf16|BF16|float16|fp16|FP16| Multiple NVIDIA GPUs, FP16)$", "bf16"),
    (r"^(fp8|FP8)$", "fp8"),
    (r"^nvfp4$", "nvfp4"),
    (r"^mxfp4$", "mxfp4"),
    (r"AWQ|awq", "awq-int4"),
    (r"^GPTQ-I(nt|NT)4$|^int4 gptq$|^gptq-int4$", "gptq-int4"),
)
STREAM_KERNELS = {
    ("transformers", "awq-int4"): "awq-gemm",
    ("transformers", "gptq-int4"): "gptq-exllama",
    ("tensorrt-llm", "awq-int4"): "trtllm-w4a16",
    ("transformers", "int8-bnb"): "bitsandbytes-int8",
    ("transformers", "nf4"): "bitsandbytes-4bit",
}
KERNELS = {
    "bf16": "cublas-bf16",
    "fp8": "fp8-w8a8",
    "nvfp4": "nvfp4-w4a4",
    "mxfp4": "mxfp4-w4a16",
    "awq-int4": "marlin-int4",
    "gptq-int4": "marlin-int4",
}
GGML_KERNELS = {"nvidia": "ggml-cuda", "amd": "ggml-hip", "apple": "ggml-metal", "intel": "ggml-sycl"}
UNTRUSTED = ("premAI-io", "geerlingguy", "PanQiWei", "ninehills", "mlc-ai")


def stream_cases(folder: Path, skipped: Counter[str]) -> Iterator[Case]:
    """One case for each single-stream row whose model, GPU, engine and format are known."""
    for row in rows(folder / "single_stream.csv"):
        if row["source"].startswith(UNTRUSTED) or row["batch"] not in ("1", ""):
            skipped["source or batch left out"] += 1
            continue
        case = stream_case(row)
        if isinstance(case, str):
            skipped[case] += 1
        else:
            yield case


def stream_case(row: dict[str, str]) -> Case | str:
    """The case of one row, or why there is none."""
    found = next(((e, v) for pattern, e, v in STREAM_ENGINES if re.search(pattern, row["engine"])), None)
    format_id = next((f for pattern, f in STREAM_FORMATS if re.search(pattern, row["precision"])), None)
    if found is None or format_id is None:
        return f"engine {row['engine']} or format {row['precision']}"
    engine, vintage = found
    if (engine == "llama.cpp") != format_id.startswith("gguf"):
        return f"format {row['precision']} under {engine}"
    shape, gpu = shape_of(row["model"]), accelerator(STREAM_GPUS.get(row["gpu"], row["gpu"]))
    if shape is None:
        return f"model {row['model']}"
    if gpu is None:
        return f"GPU {row['gpu']}"
    if "cap" in row["gpu"] and engine == "llama.cpp":
        return "power-capped"
    kernel = (
        GGML_KERNELS[gpu.vendor]
        if engine == "llama.cpp"
        else STREAM_KERNELS.get((engine, format_id)) or KERNELS[format_id]
    )
    if (
        gpu.vendor == "nvidia"
        and kernel in ("nvfp4-w4a4", "fp8-w8a8")
        and not (gpu.fp8_tflops and (gpu.fp4_tflops or kernel[2] == "8"))
    ):
        return f"{format_id} on {gpu.name}"
    counted = counted_figure(row)
    if counted is None:
        return f"metric {row['metric']}"
    figure, measured_ms, decodes, prefills, inputs, outputs = counted
    ranks = 1 if engine in ("llama.cpp", "transformers") else int(row["tp"] or row["n_gpu"] or 1)
    context = Context(shape, gpu, format_id, kernel, Layout(ranks), inputs, outputs)
    if peaks_of(gpu, scheme(format_id), kernel) is None:
        return f"{format_id} on {gpu.name}"
    return Case(
        id=row["id"],
        source=row["source"].split("@")[0],
        figure=figure,
        measured_ms=measured_ms,
        model=row["model"],
        engine=engine,
        kernel=kernel,
        vintage=vintage,
        decodes=decodes,
        prefills=prefills,
        served=False,
        **context.works(),
    )


def published_cases() -> Iterator[Case]:
    """Single figures from articles and README files, batch 1, short prompts."""
    for row in rows(Path(__file__).parent / "measured" / "published.csv"):
        shape, gpu = shape_of(row["model"]), accelerator(row["gpu"])
        assert shape is not None and gpu is not None, row
        kernel = STREAM_KERNELS.get((row["engine"], row["format"])) or KERNELS[row["format"]]
        yield Case(
            id=row["id"],
            source=row["source"],
            figure="tpot_ms",
            measured_ms=1000 / float(row["tokens_per_s"]),
            model=row["model"],
            engine=row["engine"],
            kernel=kernel,
            vintage="2026",
            decodes=1,
            prefills=0,
            served=False,
            **Context(shape, gpu, row["format"], kernel, Layout(), 128, 128).works(),
        )


PLOTTED = {
    "Marlin": "marlin-int4",
    "exllamav2": "gptq-exllama",
    "AWQ GEMM": "awq-gemm",
    "bitsandbytes nf4/fp4": "bitsandbytes-4bit",
}
PLOTTED_GPU, BITS_RATIO, ARITHMETIC_FROM = "A10", 16 / 4.125, 8


def kernel_shares(folder: Path) -> dict[str, tuple[float, float]]:
    """For each plotted 4-bit kernel, its shares of a 16-bit kernel's bandwidth and arithmetic (int4_kernels.csv).

    A 16-bit product of that shape waits for memory up to batch 128, so speed-up x batch x (bytes / bandwidth per
    operation / peak) is the arithmetic the kernel reaches; the smallest of these is what stops it from paying.
    """
    gpu = accelerator(PLOTTED_GPU)
    assert gpu is not None
    batch_at_knee = gpu.fp16_tflops * 1e3 / gpu.bandwidth_gb_s
    found = [row for row in rows(folder / "int4_kernels.csv") if row["model"].startswith("GEMM")]
    shares = {}
    for name, kernel in PLOTTED.items():
        speedup = {int(r["batch"]): float(r["value"]) for r in found if r["engine"] == f"kernel: {name}"}
        arithmetic = min(value * batch / batch_at_knee for batch, value in speedup.items() if batch >= ARITHMETIC_FROM)
        largest = speedup[max(speedup)] * max(speedup) / batch_at_knee
        if min(speedup.values()) > 1 or max(speedup.values()) < 1:  # never stopped by arithmetic, or never paying
            arithmetic = largest
        shares[kernel] = (round(speedup[min(speedup)] / BITS_RATIO, 3), round(min(1.0, arithmetic), 3))
    return shares


def counted_figure(row: dict[str, str]) -> tuple[str, float, float, float, int, int] | None:
    """Figure, its milliseconds, how many decode steps and prompts it is made of, tokens in and out."""
    inputs = int(row["input_len"]) if row["input_len"].isdigit() else 0
    outputs = int(row["output_len"]) if row["output_len"].isdigit() else 128
    value, metric = float(row["value"]), row["metric"]
    if metric.startswith(("decode tokens/s", "output tokens/s per user")) and "batch 1, 2048" not in metric:
        return "tpot_ms", 1000 / value, 1, 0, inputs, outputs
    if metric.startswith("output tokens/s per user"):
        return "tpot_ms", 1000 / value, 1, 1 / outputs, inputs, outputs
    if metric.startswith("(prompt+gen)"):
        return "tpot_ms", 1000 * (inputs + outputs) / value / outputs, 1, 1 / outputs, inputs, outputs
    if metric == "prefill tokens/s" and inputs > 1:
        return "ttft_ms", 1000 * inputs / value, 0, 1, inputs, outputs
    return None
