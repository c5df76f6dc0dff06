"""A YAML file as a checked, frozen message; every problem names its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from planner.errors import BadInput, nearest
from planner.request import Frozen

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

MAX_FILE_BYTES = 5_000_000
Message = TypeVar("Message", bound=Frozen)


class Refused(ValueError):
    """A message's validator refuses a value for this reason; the reader adds the file and the line."""

    def __init__(self, reason: BadInput) -> None:
        super().__init__(reason.what)
        self.reason = reason


def read_document(path: Path, kind: type[Message], what: str) -> Message:
    """The file as a `kind` (`what`: its name in errors). BadInput names the line of whatever is wrong with it."""
    return parse_document(_text(path, what), path, kind, what)


def parse_document(text: str, path: Path, kind: type[Message], what: str) -> Message:
    """The same for text that came from elsewhere; `path` is what errors call it."""
    import yaml

    try:
        root = _composed(path, text, what)
        return kind.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise _told(path, root, error, kind) from None
    except RecursionError:
        raise BadInput(f"{what} is not nested so deeply", where=str(path)) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise BadInput(f"not YAML: {str(error).partition(chr(10))[0]}", where=str(path)) from None


def _text(path: Path, what: str) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{what} larger than {MAX_FILE_BYTES:,} bytes is not read", where=str(path))
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"cannot read {what}: {reason}", where=str(path)) from None


def _composed(path: Path, text: str, what: str) -> Node:
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"not YAML: {error.problem}", where=f"{path}:{line}") from None
    if not isinstance(root, yaml.MappingNode):
        raise BadInput(f"{what} is a mapping of `key: value` lines", where=f"{path}:1")
    _require_unique(path, root)
    return root


def _require_unique(path: Path, root: Node) -> None:
    """BadInput for a key that is given twice: YAML would silently keep the last. Aliases are looked at once."""
    import yaml

    left, known = [root], set()
    while left:
        node = left.pop()
        if id(node) in known:
            continue
        known.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _require_unique_keys(path, node)
            left += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def _require_unique_keys(path: Path, node: MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        name = str(key.value)
        if name in seen:
            where = f"{path}:{key.start_mark.line + 1}"
            raise BadInput(f"{name} is given twice", where=where, fix="keep one of the lines")
        seen.add(name)


def _told(path: Path, root: Node, error: ValidationError, kind: type[Frozen]) -> BadInput:
    problems = error.errors()
    problem = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    place = [part for part in problem["loc"] if isinstance(part, str | int)]
    where = f"{path}:{_line(root, place)}"
    key = str(place[-1]) if place else ""
    if problem["type"] == "extra_forbidden":
        known = _keys_at(kind, place[:-1])
        fix = f"known keys: {', '.join(known)}" if known else ""
        return BadInput(f"unknown key {key!r}", where=where, nearest=nearest(key, known), fix=fix)
    reason = getattr((problem.get("ctx") or {}).get("error"), "reason", None)
    if isinstance(reason, BadInput):
        return BadInput(reason.what, where=where, nearest=reason.nearest, fix=reason.fix)
    name = ".".join(str(part) for part in place)
    if problem["type"] == "missing":
        return BadInput(f"{name} is missing", where=where, fix=f"add a line `{key}: ...`")
    said = problem["msg"].removeprefix("Value error, ")
    return BadInput(f"{name}: {said}" if name else said, where=where)


def _line(root: Node, place: Sequence[str | int]) -> int:
    """The line of the deepest part of `place` that the document has."""
    import yaml

    node, line = root, root.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _keys_at(kind: Any, place: Sequence[str | int]) -> list[str]:
    """The keys a message knows at a place inside it; none where it is no message."""
    for part in place:
        if isinstance(part, str):
            kind = _message_in(kind.model_fields[part].annotation)
        if kind is None:
            return []
    return list(kind.model_fields)


def _message_in(annotation: Any) -> Any:
    """The message an annotation holds: itself, or one of the types within (`tuple[NodeType, ...]`, `Link | None`)."""
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((found for part in inner if (found := _message_in(part)) is not None), None)
