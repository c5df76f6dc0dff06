"""bitsandbytes formats: quantized as transformers loads the model, and saved at once."""

from __future__ import annotations

from typing import Any

import job as jobs


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Load in the asked-for precision and save before any forward pass.

    A forward pass on a CPU with AVX512-BF16 repacks 4-bit weights in place; saved afterwards, they have wrong scales.
    """
    import torch
    from transformers import BitsAndBytesConfig

    options = dict(job["options"])
    if options.get("load_in_4bit"):
        options["bnb_4bit_compute_dtype"] = torch.bfloat16
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    jobs.tell("loading and quantizing with bitsandbytes", None)
    model = jobs.load_model(job["model"], quantization_config=BitsAndBytesConfig(**options), device_map={"": device})
    jobs.tell("saving", 0.9)
    model.save_pretrained(job["out"])
    jobs.copy_tokenizer(job["model"], job["out"])
    return {}


if __name__ == "__main__":
    jobs.run(quantize)
