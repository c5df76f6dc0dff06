"""JSON, CSV, picture and table: what programs read stays as it is, and what people read is whole."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from planner.errors import BadInput
from planner.fits.fit import Fit
from planner.fits.heat_map import PALETTE, colour
from planner.fits.writing import as_csv
from planner.writing import write_aside

FIELDS = [
    "model", "family", "params_b", "active_params_b", "hardware", "accelerators", "format", "engine", "kernel",
    "kv_cache", "tensor_parallel", "replicas", "fits", "reason", "weights_gib", "kv_room_gib", "free_gib",
    "context_tokens", "longest_context_tokens", "users", "quality", "recovery_percent", "usd_per_hour",
    "price_source", "offload",
]  # fmt: skip
FIT = Fit(
    "llama", "llama", 8.03, 8.03, "1xL4", 1, "bf16", "vllm", "cublas-bf16", "16-bit", 1, 1, False, "1.2 GiB short",
    15.0, 0.0, -1.2, 8192, 0, 0.0, "reference", 100.0,
)  # fmt: skip


def quantplan(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "planner.cli.main", "fits", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "110"})


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_json_schema() -> None:
    done = quantplan("--on", "1xL40S", "--limit", "2", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == ["schema_version", "hardware", "question", "counts", "notes", "fits"]
    assert answer["schema_version"] == 1
    assert [list(fit) for fit in answer["fits"]] == [FIELDS, FIELDS]
    assert list(answer["question"]) == [
        "context_tokens", "users", "min_context", "task", "family", "engine", "format", "limit",
    ]  # fmt: skip
    assert set(answer["counts"]) == {
        "candidates", "models", "fitting", "advised_against", "too_short", "offloaded", "without_room",
    }  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_begins_like_a_formula_stays_text_in_a_spreadsheet(start: str) -> None:
    (row,) = rows(as_csv([replace(FIT, model=f"{start}HYPERLINK(1)")]))
    assert row["model"] == f"'{start}HYPERLINK(1)"


def test_numbers_stay_numbers_in_csv() -> None:
    (row,) = rows(as_csv([FIT]))
    assert list(row) == FIELDS
    assert float(row["free_gib"]) == -1.2
    assert row["usd_per_hour"] == ""


def test_files_are_written_whole_or_refused(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    write_aside(target, "a\n")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    with pytest.raises(BadInput) as refused:
        write_aside(tmp_path / "missing" / "rows.csv", "a\n")
    expected = f"{tmp_path}/missing/rows.csv: cannot write: No such file or directory\nTo fix: name another file"
    assert str(refused.value) == expected


def test_csv_and_picture_from_the_command_line(tmp_path: Path) -> None:
    table, picture = tmp_path / "fits.csv", tmp_path / "fits.svg"
    done = quantplan("--on", "1xA100-80GB", "--family", "llama", "--csv", str(table), "--plot", str(picture))
    assert done.returncode == 0, done.stderr
    by_name = {row["model"]: row for row in rows(table.read_text())}
    assert by_name["llama-3.1-70b"]["format"] == "awq-int4"
    root = ElementTree.fromstring(picture.read_text())
    texts = ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"What fits on 1xA100-80GB-SXM", "llama-3-70b  +3", "awq-int4", "requests at once"} <= set(texts)
    titles = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("llama-3-70b, llama-3.1-70b, ") for title in titles)
    first_choices = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("class") == "best"]
    drawn = [node for node in root.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "detail"]
    assert len(by_name) > len(drawn) >= len(first_choices) - 1 > 20, "models of the same figures are one row"


def test_names_in_the_picture_are_escaped() -> None:
    from planner.fits.heat_map import Column, HeatMap, Row

    rows = (Row(("<script>", "b"), "8 B", (None,)),)
    drawn = HeatMap("a <b>", "c & d", "users", (Column("bf16", 0),), rows, ((0.0, "1"),), 0).svg()
    assert "<script>" not in drawn and "a &lt;b&gt;" in drawn
    ElementTree.fromstring(drawn)


def test_colours_run_along_the_palette() -> None:
    assert (colour(-1), colour(0), colour(1), colour(2)) == (PALETTE[0], PALETTE[0], PALETTE[-1], PALETTE[-1])
    assert colour(0.2) == PALETTE[1]


def test_the_table_for_people() -> None:
    done = quantplan("--on", "1xA100-80GB", "--limit", "30")
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout and "…" not in done.stdout
    line = next(line for line in done.stdout.splitlines() if line.startswith("llama-3.1-70b"))
    assert line.split()[:4] == ["llama-3.1-70b", "70.6B", "awq-int4", "vllm"]
    assert "models fit on 1xA100-80GB-SXM;" in done.stdout
    assert "combinations looked at" in done.stdout


def test_the_reverse_for_people() -> None:
    done = quantplan("llama-3.1-70b", "--limit", "20", "--engine", "vllm")
    assert done.returncode == 0, done.stderr
    assert "1xA100-80GB-SXM" in done.stdout and "USD" in done.stdout
    assert "llama-3.1-70b fits on" in done.stdout


def test_neither_model_nor_hardware() -> None:
    done = quantplan()
    assert done.returncode == 2
    assert done.stderr == (
        "Error: neither a model nor hardware is named\n"
        "To fix: quantplan fits --on 1xA100-80GB, quantplan fits llama-3.1-70b, or both a model and --on\n"
    )
