"""What is told where a file is not YAML: the author's own mistake, where the parser names what it stumbled over."""

from __future__ import annotations

import yaml

from rules.errors import BrokenYaml

DEFAULT_FIX = "indent with spaces, and put quotes around text that holds `: ` or starts with a sign"
TAB = ("a tab stands where YAML takes only spaces", "replace it by spaces; an editor can show tabs, and do so for all")
OPEN_QUOTE = ("a quote that opens here is never closed", "close it, or leave it out")
OUT_OF_LINE = "line it up: the keys of one rule begin in one column, and so do the `- ` of one list"
MISALIGNED = ("expected '-' indicator", "expected key", "expected <block end>")


def broken_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> BrokenYaml:
    """The problem with its line and column, counting from 1."""
    mark, problem = error.problem_mark or error.context_mark, error.problem or ""
    said, fix = f"not YAML: {problem}", DEFAULT_FIX
    if mark and _is_tab(text, mark):
        said, fix = TAB
    elif "end of stream" in problem and "quoted" in (error.context or ""):
        mark, (said, fix) = error.context_mark, OPEN_QUOTE
    elif any(words in problem for words in MISALIGNED):
        fix = OUT_OF_LINE
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return BrokenYaml(said, file=file, line=line, column=column, fix=fix)


def _is_tab(text: str, mark: yaml.Mark) -> bool:
    lines = text.splitlines()
    return mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"
