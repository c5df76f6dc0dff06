"""Which language a text is in: by its script, and among Latin ones by their commonest words. Else "unknown"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

UNKNOWN = "unknown"
TABLE = Path(__file__).with_name("languages.yaml")
WORD = re.compile(r"[^\W\d_]+")


@cache
def table() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return content


def language_of(text: str) -> str:
    """The language's two-letter code, or "unknown" where no script and no vocabulary of the table stands out."""
    letters = [ord(letter) for letter in text if letter.isalpha()]
    if not letters:
        return UNKNOWN
    by_script = Counter(_script_of(letter) for letter in letters)
    for entry in table()["scripts"]:
        if (
            entry.get("outweighs")
            and by_script[entry["language"]] >= entry["at_share"] * by_script[entry["outweighs"]] > 0
        ):
            return str(entry["language"])
    script, count = by_script.most_common(1)[0]
    if script is not None and count > len(letters) / 2:
        return script
    return _latin_language(text)


def languages_of(texts: Iterable[str]) -> dict[str, float]:
    """The share of texts in each language, largest first."""
    counts = Counter(language_of(text) for text in texts)
    return {language: count / counts.total() for language, count in counts.most_common()}


@cache
def _script_of(letter: int) -> str | None:
    for entry in table()["scripts"]:
        if any(low <= letter <= high for low, high in entry["ranges"]):
            return str(entry["language"])
    return None


def _latin_language(text: str) -> str:
    words = [word.lower() for word in WORD.findall(text)]
    votes = Counter({language: sum(word in set_ for word in words) for language, set_ in _vocabularies().items()})
    (best, most), (_, second) = votes.most_common(2)
    enough = most >= table()["least_share_of_words"] * max(len(words), 1)
    return best if enough and most >= table()["least_lead"] * second else UNKNOWN


@cache
def _vocabularies() -> dict[str, frozenset[str]]:
    return {language: frozenset(words) for language, words in table()["words"].items()}
