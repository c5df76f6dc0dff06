"""What a model's card says of its languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FENCE = "---"


def card_languages(directory: Path) -> tuple[str, ...]:
    """The two-letter codes under `language` in README.md's front matter; empty when the card does not say."""
    path = directory / "README.md"
    if not path.is_file():
        return ()
    stated = _front_matter(path.read_text(encoding="utf-8", errors="replace")).get("language", ())
    listed = [stated] if isinstance(stated, str) else stated
    return tuple(str(name).lower() for name in listed or () if len(str(name)) == 2)


def _front_matter(text: str) -> dict[str, Any]:
    if not text.startswith(FENCE):
        return {}
    try:
        content = yaml.safe_load(text.split(FENCE, 2)[1])
    except (yaml.YAMLError, IndexError):
        return {}
    return content if isinstance(content, dict) else {}
