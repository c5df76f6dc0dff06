"""Ask one peer about memory, inside the peer's own environment (run by peers_memory.py).

usage: PYTHON_OF_THE_PEER peers_memory_worker.py aiconfigurator|accelerate < questions.jsonl > answers.jsonl
"""

import json
import sys
import tempfile
from pathlib import Path

GIB = 2**30
ARCHITECTURES = {
    "llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM", "gpt_oss": "GptOssForCausalLM", "qwen3_moe": "Qwen3MoeForCausalLM",
    "opt": "OPTForCausalLM", "qwen2_moe": "Qwen2MoeForCausalLM",
}  # fmt: skip


def aiconfigurator(question):
    """`estimate_kv_cache`: the pool of vLLM's newest version it ships, on the memory the row states."""
    from aiconfigurator_core.sdk import perf_database
    from aiconfigurator_core.sdk.memory import estimate_kv_cache

    version = perf_database.get_latest_database_version("h100_sxm", "vllm")
    with tempfile.TemporaryDirectory() as folder:
        config = {**question["config"], "architectures": [ARCHITECTURES[question["config"]["model_type"]]]}
        (Path(folder) / "config.json").write_text(json.dumps(config))
        found = estimate_kv_cache(
            folder, "h100_sxm", "vllm", version,
            max_num_tokens=question["step_tokens"], max_batch_size=question["sequences"],
            memory_fraction_kind="of_total", memory_fraction_value=question["utilisation"],
            gpu_memory_capacity_bytes_override=round(question["total_gib"] * GIB),
            gemm_quant_mode="fp8" if question["is_fp8"] else None,
            moe_quant_mode="w4a16_mxfp4" if question["is_mxfp4"] else None,
        )  # fmt: skip
    held = found["memory_breakdown"]
    return {"kv_gib": found["total_kv_size_bytes"] / GIB, "weights_gib": held["weights_bytes"] / GIB}


def accelerate(question):
    """What `accelerate estimate-memory` prints for the width of the format; it knows no engine and no GPU."""
    from accelerate import init_empty_weights
    from accelerate.utils import calculate_maximum_sizes
    from transformers import AutoConfig, AutoModelForCausalLM

    config = dict(question["config"])
    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(config.pop("model_type"), **config))
    model.tie_weights()
    parameters = calculate_maximum_sizes(model)[0] / next(model.parameters()).element_size()
    return {"kv_gib": None, "weights_gib": parameters * question["weight_bits"] / 8 / GIB}


if __name__ == "__main__":
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"aiconfigurator": aiconfigurator, "accelerate": accelerate}[sys.argv[1]](asked)
        except Exception as error:  # a peer may refuse in any way it likes
            answer = {"refused": f"{type(error).__name__}: {str(error).rpartition('h100_sxm: ')[2]}"[:100]}
        answers.write(json.dumps({"id": asked["id"], **answer}) + "\n")
