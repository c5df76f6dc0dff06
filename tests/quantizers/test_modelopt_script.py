"""ModelOpt's script against modules of equal standing: names and signatures are those of nvidia-modelopt 0.47.0."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor.quantizers.recipe import SCRIPTS, recipes

STANDINS = {
    "modelopt/torch/quantization/__init__.py": """\
FP8_DEFAULT_CFG, INT4_AWQ_CFG, NVFP4_DEFAULT_CFG = {"is": "fp8"}, {"is": "awq"}, {"is": "nvfp4"}
def quantize(model, config, forward_loop=None):
    forward_loop(model)
    model.config = config["is"]
    return model
""",
    "modelopt/torch/export.py": """\
import json, pathlib
def export_hf_checkpoint(model, dtype=None, export_dir="/tmp"):
    told = {"config": model.config, "seen": model.seen}
    pathlib.Path(export_dir, "told.json").write_text(json.dumps(told))
""",
    "torch.py": """\
import contextlib
inference_mode = contextlib.nullcontext
class accelerator:
    is_available = staticmethod(lambda: True)
class cuda:
    is_available = staticmethod(lambda: True)
    max_memory_allocated = staticmethod(lambda: 12345)
def tensor(values, device):
    return values, device
""",
    "transformers.py": """\
class Model:
    seen = ()
    def __call__(self, input_ids):
        self.seen = [*self.seen, input_ids]
class AutoModelForCausalLM:
    @staticmethod
    def from_pretrained(directory, dtype, trust_remote_code, device_map):
        assert (dtype, trust_remote_code, device_map) == ("auto", False, "cuda:0")
        return Model()
class AutoTokenizer:
    @staticmethod
    def from_pretrained(directory, trust_remote_code):
        return lambda text, add_special_tokens: {"input_ids": [ord(c) for c in text]}
""",
}
MADE = {"fp8": "fp8", "awq-int4": "awq", "nvfp4": "nvfp4"}


@pytest.mark.parametrize("recipe", [r for r in recipes().recipes if r.tool == "modelopt"], ids=lambda r: r.format)
def test_the_named_configuration_is_calibrated_on_every_sample_and_exported(recipe, tmp_path: Path) -> None:
    for name, source in STANDINS.items():
        path = tmp_path / "standins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    (tmp_path / "out").mkdir()
    (tmp_path / "samples.jsonl").write_text('{"text": "ab"}\n{"text": "cd"}\n')
    calibration = {"path": str(tmp_path / "samples.jsonl"), "max_tokens": 8}
    job = {"model": str(tmp_path), "out": str(tmp_path / "out"), "options": recipe.options, "calibration": calibration}
    (tmp_path / "job.json").write_text(json.dumps(job))
    tool = recipes().tools["modelopt"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / tool.script, tmp_path / "job.json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "standins")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads((tmp_path / "out" / "told.json").read_text())
    assert told == {"config": MADE[recipe.format], "seen": [[[[97, 98]], "cuda:0"], [[[99, 100]], "cuda:0"]]}
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["samples"], result["peak_device_bytes"]) == (2, 12345)
