"""Text for the small demonstration model: the prose inside the Python standard library.

Docstrings, comment blocks and the language reference shipped as `pydoc_data.topics`, all under the
Python Software Foundation License. A document (one module, one topic) is wholly for training or wholly held out.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SKIPPED_FOLDERS = {"site-packages", "test", "tests", "idle_test", "__pycache__"}
HELD_OUT_PERCENT = 6
TYPEWRITER = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "•": "*", "→": "->"}
)
LETTERS_IN_PROSE = 0.78
UNWANTED = (">>>", "opyright", "<s>", "</s>", "<unk>")  # sessions, notices, and the tokenizer's own special tokens


@dataclass(frozen=True)
class Document:
    """The prose of one module or topic: its name and its paragraphs in reading order."""

    name: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs) + "\n"

    @property
    def is_held_out(self) -> bool:
        """Decided by the name alone, so that a document never changes sides."""
        digest = hashlib.sha256(self.name.encode()).digest()
        return int.from_bytes(digest[:4], "big") % 100 < HELD_OUT_PERCENT


@dataclass(frozen=True)
class Corpus:
    """Documents to train on and documents held out; no paragraph is in both, and none occurs twice."""

    training: tuple[Document, ...]
    held_out: tuple[Document, ...]


def gather_corpus() -> Corpus:
    """Read the running interpreter's standard library into training and held-out documents.

    The text depends on the Python version alone. A paragraph that several documents share stays with the first,
    training documents before held-out ones.
    """
    documents = sorted([*_modules(), *_topics()], key=lambda document: (document.is_held_out, document.name))
    seen: set[str] = set()
    unique = [_without_repeats(document, seen) for document in documents]
    kept = [document for document in unique if document.paragraphs]
    return Corpus(
        training=tuple(document for document in kept if not document.is_held_out),
        held_out=tuple(document for document in kept if document.is_held_out),
    )


def split_paragraphs(text: str) -> list[str]:
    """The blocks of a text that blank lines separate, without trailing blanks."""
    blocks = re.split(r"\n\s*\n", text.strip("\n"))
    return [stripped for block in blocks if (stripped := "\n".join(line.rstrip() for line in block.splitlines()))]


def normalise(paragraph: str) -> str:
    """The paragraph with its white space collapsed: two paragraphs are the same when these are equal."""
    return " ".join(paragraph.split())


def excerpt(documents: tuple[Document, ...], max_bytes: int) -> str:
    """Whole documents, spread evenly over the list, while they fit in max_bytes of UTF-8."""
    chosen: list[str] = []
    left_bytes = max_bytes
    for document in sorted(documents, key=lambda document: hashlib.sha256(document.text.encode()).digest()):
        needed_bytes = len(document.text.encode()) + 1
        if needed_bytes <= left_bytes:
            chosen.append(document.text)
            left_bytes -= needed_bytes
    return "\n".join(chosen)


def _modules() -> Iterator[Document]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if SKIPPED_FOLDERS.isdisjoint(relative.parts) and relative.parts[0] != "pydoc_data":
            yield Document(".".join(relative.with_suffix("").parts), tuple(_prose_of_source(path)))


def _topics() -> Iterator[Document]:
    from pydoc_data.topics import topics

    for name, text in sorted(topics.items()):
        paragraphs = split_paragraphs(text.translate(TYPEWRITER))
        paragraphs = [part for part in paragraphs if _is_clean(part) and not set(part) <= set("*=-~ ")]
        yield Document(f"topic {name}", tuple(paragraphs))


def _prose_of_source(path: Path) -> Iterator[str]:
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (UnicodeDecodeError, SyntaxError):  # the library ships a few files that are meant to be unreadable
        return
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (docstring := ast.get_docstring(node)):
            yield from (part for part in split_paragraphs(docstring) if _is_clean(part))
    yield from (block for block in _comment_blocks(source) if _is_clean(block) and _is_prose(block))


def _comment_blocks(source: str) -> Iterator[str]:
    lines = [line.strip() for line in source.splitlines()]
    texts = [line.lstrip("#")[1:] if line.startswith(("# ", "## ")) else "" for line in lines]
    yield from (inspect.cleandoc(block) for block in split_paragraphs("\n".join(texts)) if "\n" in block)


def _is_clean(paragraph: str) -> bool:
    return paragraph.isascii() and not any(mark in paragraph for mark in UNWANTED)


def _is_prose(paragraph: str) -> bool:
    letters = sum(character.isalpha() or character.isspace() for character in paragraph)
    return letters / len(paragraph) > LETTERS_IN_PROSE and ". " in paragraph + " "


def _without_repeats(document: Document, seen: set[str]) -> Document:
    kept = []
    for paragraph in document.paragraphs:
        if (key := normalise(paragraph)) not in seen:
            seen.add(key)
            kept.append(paragraph)
    return Document(document.name, tuple(kept))
