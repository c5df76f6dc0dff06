"""How much of a text is program code, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable

CODE = re.compile(
    r"""^\s*(
        (def|class|import|from|return|elif|while|for|if|try|except|with|raise|yield|async|await)\b.*[:()=,.\w]$ |
        (public|private|protected|static|func|fn|let|const|var|struct|enum|package|using|namespace|template)\b.* |
        \#(include|define|ifdef|endif|pragma)\b.* | (SELECT|INSERT|UPDATE|CREATE|ALTER)\b.* |
        [\w.\[\]"']+\s*(=|\+=|-=|:=|<-)\s*\S.* | .*[;{}]\s*$ | [\w.]+\(.*\)\s*$ | [)\]}]+,?\s*$ | @\w+.* | >>>\s.*
    )""",
    re.VERBOSE,
)
SENTENCE = re.compile(r"[a-z]{2,}(\s+[A-Za-z'’-]+){4,}[.,]?$")


def code_share(texts: Iterable[str]) -> float:
    """The share of lines that look like code. Prose that only begins with such a word (`for example, ...`) does not."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return sum(looks_like_code(line) for line in lines) / len(lines) if lines else 0.0


def looks_like_code(line: str) -> bool:
    return CODE.match(line) is not None and SENTENCE.search(line) is None
