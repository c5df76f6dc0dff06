"""Which formats were really made and served, with which tool: from the measured tables and the executor's recipes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
MADE = ROOT / "benchmarks" / "measured" / "formats.csv"
SERVED = ROOT / "benchmarks" / "measured" / "served.csv"
RECIPES = ROOT / "executor" / "quantizers" / "recipes.yaml"
HEAD = (
    "| format | tool | checkpoint | tensors, bytes | predicted | perplexity before | after | served under load by |",
    "|---|---|---|--:|--:|--:|--:|---|",
)


def table() -> str:
    """The tables as Markdown: made here, served here, and what waits for other hardware."""
    made = sorted((row for row in _rows(MADE) if row["bytes"]), key=_place)
    cpu, date = made[0]["cpu"], max(row["date"] for row in made)
    lines = [
        "# Formats: made, checked and served\n",
        "Every row was quantized, read back tensor by tensor and evaluated on the shipped 2.9 M-parameter model "
        f"({cpu}, {date}; `make bench-formats`). At this size, perplexity differences below 1.5 % say nothing about a "
        "method.\n",
        *HEAD,
        *(_made(row) for row in made),
        "\n## Served\n",
        "By `quantplan apply`, with a load test and findings (`benchmarks/serving_formats.py`).\n",
        "| engine | format | KV cache | outcome | findings inside | outside |",
        "|---|---|---|---|--:|--:|",
        *(_served(row) for row in _rows(SERVED)),
        "\n## Not run here\n",
        "Their recipes are built and tested; they wait for hardware or tools this machine lacks.\n",
        "| format | tool | why |",
        "|---|---|---|",
        *_waiting({(row["format"], row["variant"], row["tool"]) for row in made}),
    ]
    return "\n".join(lines) + "\n"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _place(row: dict[str, str]) -> tuple[bool, str]:
    """Checkpoints in the order they were measured in, then GGUF files by level, each with its variants."""
    is_gguf = row["format"].startswith("gguf-")
    return is_gguf, row["format"] if is_gguf else ""


def _named(row: dict[str, str]) -> str:
    return row["format"] + (f" ({row['variant']})" if row["variant"] else "")


def _made(row: dict[str, str]) -> str:
    error = int(row["bytes"]) / int(row["predicted_bytes"]) - 1
    exact = "exact" if error == 0 else f"{error:+.4%}"
    tool = f"{row['tool']} {row['tool_version']}".strip()
    cells = (_named(row), tool, row["checkpoint"], f"{int(row['bytes']):,}", exact, row["perplexity_before"])
    after = row["perplexity_after"] + (f" ({row['outcome'].partition(', ')[2]})" if ", " in row["outcome"] else "")
    return "| " + " | ".join((*cells, after, served_by(row) or "-")) + " |"


def served_by(row: dict[str, str]) -> str:
    """Engines that served the same format and variant under load here, where the tool is the format's usual one."""
    from planner.layouts import tools_for

    if row["tool"] not in (*tools_for(row["format"])[:1], "llama.cpp"):
        return ""
    same = [served for served in _rows(SERVED) if all(served[name] == row[name] for name in ("format", "variant"))]
    return ", ".join(dict.fromkeys(served["engine"] for served in same if served["outcome"] == "done"))


def _served(row: dict[str, str]) -> str:
    engine = f"{row['engine']} {row['engine_version']}".strip()
    outcome = row["outcome"] if row["outcome"] == "done" else f"refused or failed: {row['outcome'].splitlines()[0]}"
    return f"| {engine} | {_named(row)} | {row['kv_cache']} | {outcome} | {row['inside']} | {row['outside']} |"


def _waiting(made: set[tuple[str, str, str]]) -> Iterator[str]:
    content = yaml.safe_load(RECIPES.read_text(encoding="utf-8"))
    for recipe in content["recipes"]:
        key = recipe["format"], recipe.get("variant", ""), recipe["tool"]
        if key not in made:
            needs_gpu = content["tools"].get(recipe["tool"], {}).get("needs_gpu", False)
            why = "the tool needs a GPU" if needs_gpu else "not measured yet"
            variant = f" ({key[1]})" if key[1] else ""
            yield f"| {key[0]}{variant} | {key[2]} | {why} |"
