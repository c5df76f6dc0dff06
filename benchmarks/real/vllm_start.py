"""Start vLLM once on a model of dummy weights, with the environment's own Python (run by vllm_cpu.py).

usage: PYTHON_WITH_VLLM vllm_start.py MODEL_DIR '{"kv_cache_memory_bytes": ..., "max_model_len": ...}'
"""

import json
import sys

if __name__ == "__main__":
    from vllm import LLM

    LLM(model=sys.argv[1], skip_tokenizer_init=True, load_format="dummy", enforce_eager=True, **json.loads(sys.argv[2]))
