"""Converting to 16-bit GGUF: what the converter is given, and what it is kept from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.steps.convert import convert, view_without_code
from planner.errors import BadInput, ExecutionFailed

CONVERTER = """\
import json, os, pathlib, sys
source, target = sys.argv[1], sys.argv[3]
print("Writing:  50%|     | 2.5M/5.0M")
said = {"arguments": sys.argv[4:], "files": sorted(os.listdir(source)), "offline": os.environ["HF_HUB_OFFLINE"]}
pathlib.Path(target).write_text(json.dumps(said))
"""


@pytest.fixture
def fetched(tmp_path: Path) -> dict:
    model = tmp_path / "model"
    model.mkdir()
    names = ["config.json", "modeling_evil.py", "model.safetensors"]
    for name in names:
        (model / name).write_text("print('run me')")
    return {"directory": str(model), "files": [{"name": name, "bytes": 15} for name in names], "total_bytes": 45}


def test_the_converter_is_offline_and_sees_data_alone(make_context, tools, fetched) -> None:
    tools.llama_cpp().convert_script.write_text(CONVERTER)
    told: list[tuple[str, float | None]] = []
    context = make_context("convert", {"fetch": fetched}, report=lambda *said: told.append(said))
    result = convert(context)
    said = json.loads(Path(result["path"]).read_text())
    assert said == {
        "arguments": ["--outtype", "bf16", "--model-name=stdlib-2.9m"],
        "files": ["config.json", "model.safetensors"],
        "offline": "1",
    }
    assert result["artifacts"][0]["bytes"] == result["bytes"]
    assert told == [("converting to 16-bit GGUF", None), ("writing 16-bit GGUF", 0.5)]


def test_a_converter_that_fails_leaves_no_file(make_context, tools, fetched) -> None:
    words = "ERROR:hf-to-gguf:Model FancyForCausalLM is not supported"
    tools.llama_cpp().convert_script.write_text(f"import sys\nopen(sys.argv[3], 'w').close()\nsys.exit({words!r})\n")
    context = make_context("convert", {"fetch": fetched})
    with pytest.raises(ExecutionFailed, match="Model FancyForCausalLM is not supported"):
        convert(context)
    assert not list(context.workspace.glob("*.gguf*"))


def test_a_gguf_file_is_not_converted(make_context) -> None:
    with pytest.raises(BadInput) as refused:
        convert(make_context("convert", {"fetch": {"path": "tiny.gguf"}}))
    assert str(refused.value) == "tiny.gguf: it is a GGUF file already\nTo fix: plan from the original checkpoint"


def test_the_view_can_be_made_again_after_a_crash(fetched, tmp_path: Path) -> None:
    names = [entry["name"] for entry in fetched["files"]]
    for _ in range(2):
        view = view_without_code(Path(fetched["directory"]), names, tmp_path / "view")
        assert sorted(path.name for path in view.iterdir()) == ["config.json", "model.safetensors"]
