"""Reads a YAML file quickly, refuses a key said twice, and remembers where everything stood."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rules.broken import broken_yaml
from rules.errors import BrokenYaml

try:
    from yaml import CSafeLoader as FastLoader
except ImportError:  # PyYAML built without libyaml: the same result, ten times slower
    from yaml import SafeLoader as FastLoader  # type: ignore[assignment]

Steps = tuple[str | int, ...]

NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
CONSTANTS = {"true": True, "false": False, "null": None, "": None}


class Loader(FastLoader):
    """Leaves scalars as text: what they mean is decided by `_scalar`, as in YAML 1.2 (`no` and `on` are words)."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        return ""

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        """Paths decide no types here, so there is nothing to track."""

    def ascend_resolver(self) -> None:
        """See descend_resolver."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file's content as plain values; `place` finds the line and column of any part of it, counting from 1."""

    file: str
    content: Any
    root: yaml.Node

    def place(self, path: Steps, *, of_key: bool = False) -> tuple[int, int]:
        """Where the value at `path` starts (or its key); the nearest enclosing part when there is no such value."""
        node, mark = self.root, self.root.start_mark
        for step in path:
            key, value = _step_into(node, step)
            if value is None:
                break
            node, mark = value, (key if of_key and key is not None else value).start_mark
        return mark.line + 1, mark.column + 1

    def column_in_text(self, path: Steps) -> int:
        """The column where the text of a scalar starts: after its quote, if it has one."""
        node = self.root
        for step in path:
            node = _step_into(node, step)[1] or node
        quoted = isinstance(node, yaml.ScalarNode) and node.style in ("'", '"')
        column: int = node.start_mark.column
        return column + 1 + quoted


def read_document(file: Path) -> Document:
    """The file's content. BrokenYaml, with its place, when it is not YAML or says one key twice."""
    text = _text(file)
    loader = Loader(text)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise broken_yaml(error, text, file.name) from None
    finally:
        loader.dispose()
    if root is None:
        raise BrokenYaml("the file is empty", file=file.name, fix="start with `decision:` and `question:`")
    return Document(file.name, _plain(root, file.name), root)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BrokenYaml("the file is not UTF-8 text", file=file.name, fix="save it as UTF-8") from None


def _plain(node: yaml.Node, file: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, file)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, file) for item in node.value]
    assert isinstance(node, yaml.ScalarNode)
    return node.value if node.style else _scalar(node.value)


def _scalar(text: str) -> Any:
    """What unquoted text means: true, false, nothing, a number, or itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if not NUMBER.fullmatch(text):
        return text
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _mapping(node: yaml.MappingNode, file: str) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at_key(key, file, "a key is one word", "write `key: value`")
        if key.value in content:
            raise _at_key(key, file, f"the key `{key.value}` is there twice", "keep one of them")
        content[key.value] = _plain(value, file)
    return content


def _at_key(key: yaml.Node, file: str, message: str, fix: str) -> BrokenYaml:
    line, column = key.start_mark.line + 1, key.start_mark.column + 1
    return BrokenYaml(message, file=file, line=line, column=column, fix=fix)


def _step_into(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None, None
