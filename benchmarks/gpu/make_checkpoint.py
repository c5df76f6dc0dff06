"""A checkpoint of random BF16 weights for the config.json in a directory (run by quantizing.py with a tool's Python).

usage: PYTHON_WITH_TRANSFORMERS make_checkpoint.py DIRECTORY
"""

import sys


def main(directory: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)


if __name__ == "__main__":
    main(sys.argv[1])
