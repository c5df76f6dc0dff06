"""Quantize one checkpoint with one tool, on this machine's CPU (run by quantizing.py with that tool's own Python).

usage: PYTHON_WITH_THE_TOOL quantizing_worker.py METHOD MODEL_DIR OUT_DIR SAMPLES TOKENS
"""

import sys
import time
from pathlib import Path

GROUP_SIZE = 128


def main(method: str, model: str, out: str, samples: int, tokens: int) -> None:
    started = time.perf_counter()
    METHODS[method](model, out, samples, tokens)
    print(f"seconds {time.perf_counter() - started:.1f}")


def make_model(config: str, out: str, samples: int, tokens: int) -> None:
    """A checkpoint of random BF16 weights for `config`, a JSON object."""
    import json

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    given = json.loads(config)
    settings = AutoConfig.for_model(given.pop("model_type"), **given)
    AutoModelForCausalLM.from_config(settings, dtype=torch.bfloat16).save_pretrained(out)


def load(model: str):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)


def numbers(model: str, samples: int, tokens: int) -> list[list[int]]:
    """Random tokens: what calibration costs does not depend on what the text says."""
    import random

    from transformers import AutoConfig

    dice = random.Random(7)
    vocabulary = AutoConfig.from_pretrained(model).vocab_size
    return [[dice.randrange(3, vocabulary) for _ in range(tokens)] for _ in range(samples)]


def llm_compressor(recipe_of, calibrates: bool = True):
    def run(model: str, out: str, samples: int, tokens: int) -> None:
        import torch
        from llmcompressor import oneshot
        from llmcompressor.pipelines.cache import IntermediatesCache

        IntermediatesCache.pin_memory = lambda *a, **k: None  # asks for an accelerator where there is none
        rows = [torch.tensor(row) for row in numbers(model, samples, tokens)]
        data = [{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in rows]
        text = {"dataset": torch.utils.data.DataLoader(data), "num_calibration_samples": samples} if calibrates else {}
        loaded = load(model)
        oneshot(model=loaded, recipe=recipe_of(), **text)
        loaded.save_pretrained(out, save_compressed=True)

    return run


def gptq_recipe():
    from llmcompressor.modifiers.gptq import GPTQModifier

    return GPTQModifier(targets="Linear", scheme="W4A16", ignore=["lm_head"])


def w8a8_recipe():
    from llmcompressor.modifiers.gptq import GPTQModifier

    return GPTQModifier(targets="Linear", scheme="W8A8", ignore=["lm_head"])


def awq_recipe():
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    return [AWQModifier(), QuantizationModifier(targets="Linear", scheme="W4A16_ASYM", ignore=["lm_head"])]


def fp8_recipe():
    from llmcompressor.modifiers.quantization import QuantizationModifier

    return QuantizationModifier(targets="Linear", scheme="FP8_DYNAMIC", ignore=["lm_head"])


def nvfp4_recipe():
    from llmcompressor.modifiers.quantization import QuantizationModifier

    return QuantizationModifier(targets="Linear", scheme="NVFP4", ignore=["lm_head"])


def gptqmodel(model: str, out: str, samples: int, tokens: int) -> None:
    import torch
    from gptqmodel import GPTQModel, QuantizeConfig

    rows = [torch.tensor([row]) for row in numbers(model, samples, tokens)]
    text = [{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in rows]
    loaded = GPTQModel.load(model, QuantizeConfig(bits=4, group_size=GROUP_SIZE), device="cpu")
    loaded.quantize(text, batch_size=1)
    loaded.save(out)


def bitsandbytes(**settings):
    def run(model: str, out: str, samples: int, tokens: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, BitsAndBytesConfig

        config = BitsAndBytesConfig(**settings)
        loaded = AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.bfloat16, quantization_config=config, device_map={"": "cpu"}
        )
        loaded.save_pretrained(out)

    return run


METHODS = {
    "make-model": make_model,
    "llm-compressor gptq-int4": llm_compressor(gptq_recipe),
    "llm-compressor int8-w8a8": llm_compressor(w8a8_recipe),
    "llm-compressor awq-int4": llm_compressor(awq_recipe),
    "llm-compressor fp8": llm_compressor(fp8_recipe, calibrates=False),
    "llm-compressor nvfp4": llm_compressor(nvfp4_recipe),
    "gptqmodel gptq-int4": gptqmodel,
    "bitsandbytes nf4": bitsandbytes(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "bitsandbytes int8-bnb": bitsandbytes(load_in_8bit=True),
}

if __name__ == "__main__":
    Path(sys.argv[3]).mkdir(parents=True, exist_ok=True)
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
