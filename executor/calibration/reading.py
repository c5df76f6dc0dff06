"""Calibration samples from a text file, JSON lines, parquet, a folder of these, or a data set of the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from executor.calibration.samples import Sample
from planner.errors import BadInput

SETTINGS = Path(__file__).with_name("settings.yaml")
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
READ = (".txt", ".md", ".jsonl", ".json", ".parquet")
HELD_OUT = re.compile(r"(^|[^a-z])(test|valid|validation|eval|dev)([^a-z]|$)")
TEXTS = ("text", "content", "query", "question", "prompt", "instruction")
ANSWERS = ("response", "completion", "answer", "output")
CONVERSATIONS = ("messages", "conversations", "conversation")
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant"}
ONE_A_LINE = (
    'one JSON object a line: {"text": "..."}, {"prompt": "...", "response": "..."} or {"messages": [{"role": ...}]}'
)


@cache
def settings() -> dict[str, Any]:
    """The catalogue of calibration settings."""
    content: dict[str, Any] = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    return content


def read_samples(source: str) -> list[Sample]:
    """All samples of a file, a folder, or a hub data set (`owner/name`), in order.

    BadInput when there is no such source, it is of no known kind, or holds nothing to read. Of a data set only what is
    not a test or validation split is read (A.pitfall.3).
    """
    path = Path(source).expanduser()
    if not path.exists():
        if not HUB_ID.fullmatch(source):
            raise BadInput(
                "no such calibration text",
                where=source,
                fix="name a .txt, .jsonl or .parquet file, a folder, or a hub data set",
            )
        path = data_set_from_hub(source)
    samples = [sample for file in files_of(path) for sample in read_file(file)]
    if not samples:
        raise BadInput("no samples in it", where=str(path), fix=ONE_A_LINE)
    return samples


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files of a folder that can be read and are not held out for tests."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in READ and file.is_file())
    wanted = [file for file in found if not HELD_OUT.search(str(file.relative_to(path)).lower())]
    return [file for file in wanted if file.name not in ("README.md", "dataset_infos.json")]


def read_file(path: Path) -> Iterator[Sample]:
    """The samples of one file. BadInput names the line that is none."""
    if path.suffix == ".parquet":
        yield from (_sample(row, f"{path}: row {number}") for number, row in enumerate(_parquet_rows(path), 1))
    elif path.suffix in (".jsonl", ".json"):
        yield from _json_samples(path)
    elif path.suffix in (".txt", ".md"):
        yield from (Sample(text=text) for text in cut(path.read_text(encoding="utf-8", errors="replace")))
    else:
        raise BadInput(f"cannot read {path.suffix or 'such'} files", where=str(path), nearest=READ)


def cut(text: str) -> Iterator[str]:
    """Running text in pieces of about the wished length, cut between paragraphs; a long paragraph stays whole.

    A short text is cut into shorter pieces, so that it too gives the least number of samples.
    """
    wished, least = (settings()["sample_characters"][name] for name in ("wished", "least"))
    wished = min(wished, max(least, len(text) // settings()["samples"]["least"]))
    piece = ""
    for paragraph in text.split("\n\n"):
        if len(piece) >= least and len(piece) + len(paragraph) > wished:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
    if len(piece.strip()) >= least:
        yield piece


def _json_samples(path: Path) -> Iterator[Sample]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json" and text.lstrip().startswith("["):
        yield from (_sample(row, f"{path}: entry {number}") for number, row in enumerate(json.loads(text), 1))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{path}:{number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadInput(f"not JSON: {error}", where=where, fix=ONE_A_LINE) from None
            yield _sample(row, where)


def _sample(row: Any, where: str) -> Sample:
    """One row as a sample, by the names its columns have in common data sets."""
    if isinstance(row, str):
        return Sample(text=row)
    if isinstance(row, Mapping):
        for name in CONVERSATIONS:
            if isinstance(row.get(name), list):
                return Sample(messages=tuple(_messages(row[name], where)))
        asked = next((row[name] for name in TEXTS if isinstance(row.get(name), str)), None)
        answered = next((row[name] for name in ANSWERS if isinstance(row.get(name), str)), None)
        if asked is not None and answered is not None:
            return Sample(messages=(("user", asked), ("assistant", answered)))
        if asked is not None:
            return Sample(text=asked)
    keys = ", ".join(row) if isinstance(row, Mapping) else type(row).__name__
    raise BadInput(f"no text in it ({keys})", where=where, fix=ONE_A_LINE)


def _messages(listed: Iterable[Any], where: str) -> Iterator[tuple[str, str]]:
    for message in listed:
        role = message.get("role", message.get("from")) if isinstance(message, Mapping) else None
        content = message.get("content", message.get("value")) if isinstance(message, Mapping) else None
        if not isinstance(role, str) or not isinstance(content, str):
            raise BadInput("a message without a role and a content", where=where, fix=ONE_A_LINE)
        yield ROLES.get(role, role), content


def _parquet_rows(path: Path) -> list[Any]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise BadInput(
            "parquet files need pyarrow, which is not installed",
            where=str(path),
            fix="pip install pyarrow, or give JSON lines",
        ) from None
    rows: list[Any] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def data_set_from_hub(name: str) -> Path:
    """A snapshot of a data set's readable files. BadInput when it cannot be fetched."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=[f"*{suffix}" for suffix in READ]))
    except ImportError:
        fix = "pip install 'quantplan[executor]', or name a local file"
        raise BadInput("huggingface_hub is not installed", where=name, fix=fix) from None
    except (OSError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"could not fetch the data set: {said}", where=name, fix="check its name and the network"
        ) from None
