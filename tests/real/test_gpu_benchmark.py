"""`python -m benchmarks.gpu` against a server of equal standing in vLLM's place, and a tool's script in the tools'."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "steps" / "fake_openai_server.py"
# Lines of vLLM's logs in vllm-project/vllm#38820 and aivrar/vllm-windows-build#4.
LOG = """\
Model loading took 14.99 GiB memory and 2.1 seconds
Available KV cache memory: 51.00 GiB
GPU KV cache size: 417,792 tokens, Maximum concurrency for 8,192 tokens per request: 51.00x
Graph capturing finished in 2 secs, took 0.11 GiB
"""
LAYER = {"name": "l.0.qkv", "method": "UnquantizedLinearMethod", "kernel": "", "weights": 8, "dtypes": {"bfloat16": 16}}

sys.path.insert(0, str(ROOT))
from benchmarks.gpu import rows as table_of_rows  # noqa: E402
from benchmarks.gpu.__main__ import main  # noqa: E402
from benchmarks.gpu.dummies import write_dummy  # noqa: E402


@pytest.fixture
def two_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first two starts of the committed table, with small loads."""
    content = yaml.safe_load(table_of_rows.ROWS.read_text())
    content["serve"] = [{**row, "batches": [1, 2]} for row in content["serve"][:2]]
    content["load"] = {"input_tokens": 16, "output_tokens": 4, "requests_per_slot": 1}
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(table_of_rows, "ROWS", tmp_path / "rows.yaml")
    table_of_rows.rows.cache_clear()
    yield
    table_of_rows.rows.cache_clear()


def run(tmp_path: Path, *more: str) -> tuple[int, list[dict[str, str]]]:
    (tmp_path / "log.txt").write_text(f"{LOG}quantplan-layers: {json.dumps([LAYER])}\n")
    asked = ["--out", str(tmp_path / "gpu.csv"), "--work", str(tmp_path / "work"), "--hardware", "1xH100-80GB"]
    code = main([*asked, "--vllm", f"{sys.executable} {FAKE} --say {tmp_path / 'log.txt'}", *more])
    if not (tmp_path / "gpu.csv").exists():
        return code, []
    with (tmp_path / "gpu.csv").open(newline="") as file:
        return code, list(csv.DictReader(file))


@pytest.mark.usefixtures("two_starts")
def test_starts_are_measured_beside_their_predictions_and_not_again(tmp_path: Path) -> None:
    code, rows = run(tmp_path, "--only", "serve")
    assert code == 0
    bf16, fp8 = (next(row for row in rows if row["format"] == format) for format in ("bf16", "fp8"))
    assert (bf16["at_once"], bf16["outcome"], bf16["errors"]) == ("1", "done", "0")
    assert float(bf16["measured_weights_gib"]) == pytest.approx(14.99)
    assert float(bf16["predicted_weights_gib"]) == pytest.approx(14.99, rel=0.01)  # as vLLM prints for Llama 3.1 8B
    assert bf16["measured_kv_tokens"] == "417792" and int(float(bf16["predicted_kv_tokens"])) > 300_000
    assert float(bf16["measured_tpot_ms"]) >= 0 and float(bf16["predicted_tpot_ms"]) > 3
    assert fp8["applied"] == "not-applied", "the fake holds 16-bit layers, and the table says so"
    before = (tmp_path / "gpu.csv").read_bytes()
    assert run(tmp_path, "--only", "serve")[0] == 0 and (tmp_path / "gpu.csv").read_bytes() == before


@pytest.mark.usefixtures("two_starts")
def test_what_does_not_fit_the_call_waits_for_the_next(tmp_path: Path) -> None:
    code, rows = run(tmp_path, "--only", "serve", "--minutes", "1")
    assert (code, rows) == (1, [])


@pytest.mark.usefixtures("two_starts")
def test_a_start_that_fails_has_its_reason_in_the_table(tmp_path: Path) -> None:
    code, rows = run(tmp_path, "--only", "serve", "--vllm", f"{sys.executable} {FAKE} --die out-of-memory")
    assert code == 0
    assert {row["outcome"] for row in rows} == {"the server ended while it started, with exit status 1"}


def test_a_dummy_is_a_real_shape_in_a_format(tmp_path: Path) -> None:
    config = json.loads((write_dummy(tmp_path / "m", "qwen2.5-32b", "awq-int4") / "config.json").read_text())
    assert (config["architectures"], config["hidden_size"]) == (["Qwen2ForCausalLM"], 5120)
    assert config["quantization_config"]["quant_method"] == "awq"
    vocabulary = json.loads((tmp_path / "m" / "tokenizer.json").read_text())["model"]["vocab"]
    assert len(vocabulary) == config["vocab_size"], "every token the dummy says can be written out"


TOOL = """\
import json, pathlib, sys
if sys.argv[1].endswith("make_checkpoint.py"):
    pathlib.Path(sys.argv[2], "model.safetensors").write_bytes(b"weights")
else:
    job = json.loads(pathlib.Path(sys.argv[2]).read_text())
    pathlib.Path(job["out"], "model.safetensors").write_bytes(bytes(1000))
    print(json.dumps({"quantplan": "result", "seconds": 90, "peak_bytes": 2**31, "peak_device_bytes": 2**30}))
"""


def test_quantizing_is_measured_beside_what_it_was_said_to_take(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{TOOL}")
    python.chmod(0o755)
    code, rows = run(tmp_path, "--only", "quantize", "--python", str(python), "--minutes", "99")
    assert code == 0 and [row["format"] for row in rows] == ["nf4", "int8-bnb", "fp8", "gptq-int4", "awq-int4"]
    nf4, gptq = rows[0], rows[3]
    assert (nf4["measured_host_gib"], nf4["measured_gpu_gib"], nf4["measured_minutes"]) == ("2.0", "1.0", "1.5")
    assert float(nf4["predicted_host_gib"]) > 1 and gptq["layers"] == "8"
