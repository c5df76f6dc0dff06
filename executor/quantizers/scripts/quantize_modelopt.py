"""FP8, AWQ and NVFP4 for TensorRT-LLM, made by NVIDIA ModelOpt on a GPU and exported in Hugging Face layout."""

from __future__ import annotations

from typing import Any

import job as jobs


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize with the named ModelOpt configuration, calibrated with the job's samples, and export."""
    import modelopt.torch.quantization as mtq
    import torch
    from modelopt.torch.export import export_hf_checkpoint
    from samples import read_samples

    samples = read_samples(job, jobs.load_tokenizer(job["model"]))
    model = jobs.load_model(job["model"], device_map="cuda:0")

    def calibrate(quantized: Any) -> None:
        for done, ids in enumerate(samples):
            jobs.tell("calibrating with ModelOpt", 0.1 + 0.8 * done / len(samples))
            quantized(input_ids=torch.tensor([ids], device="cuda:0"))

    with torch.inference_mode():
        mtq.quantize(model, getattr(mtq, job["options"]["config"]), calibrate)
        jobs.tell("exporting", 0.95)
        export_hf_checkpoint(model, export_dir=job["out"])
    jobs.copy_tokenizer(job["model"], job["out"])
    return {"samples": len(samples)}


if __name__ == "__main__":
    jobs.run(quantize)
