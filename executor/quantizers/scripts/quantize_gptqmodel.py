"""GPTQ and AWQ layouts (qweight, qzeros, scales), made by GPTQModel."""

from __future__ import annotations

from typing import Any

import job as jobs


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize with the job's method and layout; activation outliers are looked for before."""
    from gptqmodel import BACKEND, GPTQModel
    from gptqmodel.quantization import QuantizeConfig
    from outliers import activation_outliers
    from samples import read_samples

    options = dict(job["options"])
    backend = BACKEND(options.pop("backend"))
    config = QuantizeConfig(**options, group_size=job["group_size"], device=device_of())
    samples = read_samples(job, jobs.load_tokenizer(job["model"]))
    jobs.tell("looking for activation outliers", 0.05)
    outliers = activation_outliers(jobs.load_model(job["model"]), samples)
    jobs.tell("quantizing with GPTQModel", 0.1)
    model = GPTQModel.load(job["model"], config, trust_remote_code=False)
    model.quantize([{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in samples], backend=backend)
    jobs.tell("saving", 0.95)
    model.save(job["out"])
    jobs.copy_tokenizer(job["model"], job["out"])
    return {"outliers": outliers, "samples": len(samples)}


def device_of() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    jobs.run(quantize)
