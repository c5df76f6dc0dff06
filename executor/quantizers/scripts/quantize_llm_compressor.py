"""compressed-tensors formats: a recipe of llm-compressor modifiers, run in one shot."""

from __future__ import annotations

from typing import Any

import job as jobs

KV_CACHE = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False, "symmetric": True}


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Run the job's modifiers over the model and save it compressed; with calibration, report activation outliers."""
    from llmcompressor import oneshot

    pin_nothing_without_accelerator()
    model, tokenizer = jobs.load_model(job["model"]), jobs.load_tokenizer(job["model"])
    found: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    if job.get("calibration"):
        from outliers import activation_outliers
        from samples import as_dataset, read_samples

        samples = read_samples(job, tokenizer)
        jobs.tell("looking for activation outliers", 0.05)
        found = {"outliers": activation_outliers(model, samples), "samples": len(samples)}
        arguments = {
            "dataset": as_dataset(samples),
            "num_calibration_samples": len(samples),
            "max_seq_length": job["calibration"]["max_tokens"],
            "shuffle_calibration_samples": False,
        }
    jobs.tell("quantizing with llm-compressor", 0.1)
    oneshot(model=model, recipe=modifiers(job), **arguments)
    jobs.tell("saving", 0.95)
    model.save_pretrained(job["out"], save_compressed=True)
    jobs.copy_tokenizer(job["model"], job["out"])
    return found


def modifiers(job: dict[str, Any]) -> list[Any]:
    """The recipe's modifiers with their parameters; `scheme` names a preset, whose group size the job may override."""
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier
    from llmcompressor.modifiers.transform.smoothquant import SmoothQuantModifier

    known = {kind.__name__: kind for kind in (GPTQModifier, QuantizationModifier, AWQModifier, SmoothQuantModifier)}
    listed = [
        [name, with_groups(parameters, job.get("group_size"))] for name, parameters in job["options"]["modifiers"]
    ]
    if job.get("kv_scales"):
        listed[-1][1]["kv_cache_scheme"] = KV_CACHE
    return [known[name](**parameters) for name, parameters in listed]


def with_groups(parameters: dict[str, Any], group_size: int | None) -> dict[str, Any]:
    """The preset written out, with the group size asked for where the preset has groups."""
    from compressed_tensors.quantization import preset_name_to_scheme

    if "scheme" not in parameters:
        return parameters
    rest = {name: value for name, value in parameters.items() if name not in ("scheme", "targets")}
    scheme = preset_name_to_scheme(parameters["scheme"], parameters["targets"])
    if group_size and scheme.weights.strategy == "group":
        scheme.weights.group_size = group_size
    return {**rest, "config_groups": {"group_0": scheme}}


def pin_nothing_without_accelerator() -> None:
    """llm-compressor 0.14 pins memory unconditionally, which fails where there is no accelerator."""
    import torch
    from llmcompressor.pipelines.cache import IntermediatesCache

    if not torch.accelerator.is_available():
        IntermediatesCache.pin_memory = lambda self, *args, **kwargs: None


if __name__ == "__main__":
    jobs.run(quantize)
