"""Published speed measurements as cases for the speed model: the planner's own reading of a row, and what was measured.

Rows that the planner abstains from are counted by their reason and left out.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import accelerator_named
from planner.speed.batch.question import Figure, Question
from planner.speed.batch.serving_rows import serving_question
from planner.speed.batch.stream_rows import stream_question
from planner.speed.batch.throughput_rows import offered_per_s, throughput_question

SERVING_SOURCE = "InferenceX serving runs, Oct 2025 to Apr 2026 (Apache-2.0, as shipped in aiconfigurator)"
MEASURED_COLUMNS = {"ttft_ms": "silicon_ttft_ms", "tpot_ms": "silicon_tpot_ms"}
# figures above the card's bandwidth, overheads of a web interface, prompts that are not stated
LESS_TRUSTED = ("premAI-io", "PanQiWei", "ninehills", "mlc-ai")


@dataclass(frozen=True)
class Case:
    """One measured figure in milliseconds (or tokens/s of a full server) and the question it answers.

    `mode`: agg, disagg, stream or full. `group`: the architecture, whoever tuned it; held out as a whole.
    """

    id: str
    source: str
    mode: str
    figure: Figure
    measured: float
    question: Question
    group: str
    gpu: str
    trusted: bool = True

    @property
    def kind(self) -> str:
        return self.figure.kind


def published(folder: Path, skipped: Counter[str]) -> list[Case]:
    """Every case of serving.csv, single_stream.csv, max_throughput.csv and benchmarks/measured/published.csv."""
    known = Architectures()
    return [
        *serving_cases(folder, known, skipped),
        *stream_cases(rows(folder / "single_stream.csv"), known, skipped),
        *stream_cases(article_rows(), known, skipped),
        *throughput_cases(folder, known, skipped),
    ]


def serving_cases(folder: Path, known: Architectures, skipped: Counter[str]) -> Iterator[Case]:
    """Two cases (TTFT, TPOT) for each run."""
    for row in rows(folder / "serving.csv"):
        asked = serving_question(row, known)
        if isinstance(asked, str):
            skipped[asked] += 1
            continue
        mode = "disagg" if asked.pools else "agg"
        for figure in asked.figures:
            measured = float(row[MEASURED_COLUMNS[figure.kind]])
            yield _case(row, SERVING_SOURCE, mode, figure, measured, asked, row["system"])


def stream_cases(table: list[dict[str, str]], known: Architectures, skipped: Counter[str]) -> Iterator[Case]:
    """One case for each row of one stream or a small batch."""
    for row in table:
        asked = stream_question(row, known)
        if isinstance(asked, str):
            skipped[asked] += 1
            continue
        yield _from_value(row, "stream", asked)


def throughput_cases(folder: Path, known: Architectures, skipped: Counter[str]) -> Iterator[Case]:
    """One case for each row that is a rate or time of a server kept full; offered loads below that tell nothing."""
    for row in rows(folder / "max_throughput.csv"):
        asked = throughput_question(row, known)
        if isinstance(asked, str) or offered_per_s(row) is not None or row["batch"] == "QPS=INF":
            skipped[asked if isinstance(asked, str) else "offered load"] += 1
            continue
        mode = "full" if asked.figures[0].kind == "tokens_per_s" else "stream"
        yield _from_value(row, mode, asked)


def article_rows() -> list[dict[str, str]]:
    """Single figures from articles and README files, batch 1, short prompts."""
    found = rows(Path(__file__).parent / "measured" / "published.csv")
    fixed = {"batch": "1", "n_gpu": "1", "input_len": "128", "output_len": "128", "metric": "decode tokens/s"}
    return [{**row, **fixed, "precision": row["format"], "value": row["tokens_per_s"]} for row in found]


def _from_value(row: dict[str, str], mode: str, asked: Question) -> Case:
    figure = asked.figures[0]
    measured = (float(row["value"]) / figure.scale) ** (1 / figure.power)
    source = row["source"].split("@")[0]
    case = _case(row, source, mode, replace(figure, scale=1.0, power=1.0), measured, asked, row["gpu"])
    return replace(case, trusted=not source.startswith(LESS_TRUSTED))


def _case(
    row: dict[str, str], source: str, mode: str, figure: Figure, measured: float, asked: Question, gpu: str
) -> Case:
    accelerator = accelerator_named(gpu)
    assert accelerator is not None
    return Case(row["id"], source, mode, figure, measured, asked, asked.load.model.label, accelerator.name)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
