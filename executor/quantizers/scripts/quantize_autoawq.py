"""AutoAWQ's own AWQ, for those who ask for it by name; the project was archived in May 2025."""

from __future__ import annotations

from typing import Any

import job as jobs


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize and save in AutoAWQ's layout. Its own reload fails on a CPU; transformers with GPTQModel reads it."""
    from samples import read_samples

    jobs.multiply_in_float32_where_bfloat16_is_emulated()
    add_what_newer_transformers_dropped()
    from awq import AutoAWQForCausalLM

    tokenizer = jobs.load_tokenizer(job["model"])
    samples = read_samples(job, tokenizer)
    jobs.tell("quantizing with AutoAWQ", 0.1)
    model = AutoAWQForCausalLM.from_pretrained(job["model"], trust_remote_code=False, device_map="cpu")
    config = {**job["options"], "q_group_size": job["group_size"]}
    longest = max(len(ids) for ids in samples)
    model.quantize(tokenizer, quant_config=config, calib_data=samples, max_calib_seq_len=longest)
    jobs.tell("saving", 0.95)
    model.save_quantized(job["out"])
    jobs.copy_tokenizer(job["model"], job["out"])
    return {"samples": len(samples)}


def add_what_newer_transformers_dropped() -> None:
    """AutoAWQ imports an activation that transformers 5 no longer has; no model here uses it."""
    import torch
    from transformers import activations

    if not hasattr(activations, "PytorchGELUTanh"):
        activations.PytorchGELUTanh = torch.nn.GELU


if __name__ == "__main__":
    jobs.run(quantize)
