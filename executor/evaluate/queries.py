"""The user's own queries, answered by both models and compared one by one.

A global figure hides the long tail (A.pitfall.7), so the worst queries are listed by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.evaluate.repetition import repeated_share
from planner.errors import BadInput, ExecutionFailed

if TYPE_CHECKING:
    import httpx

KEYS = {"id", "prompt", "messages", "expected", "weight"}


@dataclass(frozen=True, slots=True)
class Query:
    """A prompt, or chat messages; `expected` must occur in a right answer; `weight`: how often it is asked."""

    id: str
    prompt: str | None
    messages: tuple[dict[str, str], ...] = ()
    expected: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One query's two answers. `agreement`: share of characters in common, 1 where they are alike.

    `right` says whether each answer holds what was expected; None where nothing was.
    """

    id: str
    before: str
    after: str
    agreement: float
    right_before: bool | None
    right_after: bool | None
    repeats_before: float
    repeats_after: float
    weight: float

    @property
    def got_worse(self) -> bool:
        return bool(self.right_before) and self.right_after is False


def read_queries(path: Path) -> list[Query]:
    """A JSON Lines file of {"prompt" or "messages", "expected", "weight", "id"}, or plain text, a query a line.

    BadInput names the line that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"cannot read the queries: {error.strerror}", where=str(path), fix="name a file") from None
    found = [_query(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadInput("no queries in it", where=str(path), fix="write one query a line")
    return found


async def answer(client: httpx.AsyncClient, model: str, query: Query, tokens: int, options: dict[str, Any]) -> str:
    """The model's greedy answer. ExecutionFailed when the server does not give one."""
    import httpx

    sampling = {"model": model, "max_tokens": tokens, "temperature": 0}
    chat = bool(query.messages)
    body = {**sampling, **({"messages": list(query.messages)} if chat else {"prompt": query.prompt}), **options}
    try:
        response = await client.post("/v1/chat/completions" if chat else "/v1/completions", json=body)
        response.raise_for_status()
        choice = response.json()["choices"][0]
        return str((choice["message"]["content"] if chat else choice["text"]) or "")
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise ExecutionFailed(f"query {query.id} was not answered: {error}", fix="read the server's log") from error


def compare(queries: Sequence[Query], before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """Each query's two answers side by side."""
    return [_pair(query, old, new) for query, old, new in zip(queries, before, after, strict=True)]


def summary(pairs: Sequence[Pair], worst: int = 10) -> dict[str, Any]:
    """Weighted means, what got worse, and the worst queries: what turned wrong first, then the least agreement."""
    total = sum(pair.weight for pair in pairs)
    judged = [pair for pair in pairs if pair.right_before is not None]
    judged_weight = sum(pair.weight for pair in judged)
    by_badness = sorted(pairs, key=lambda pair: (not pair.got_worse, pair.agreement))
    return {
        "queries": len(pairs),
        "same_answer": sum(pair.before == pair.after for pair in pairs),
        "mean_agreement": sum(pair.agreement * pair.weight for pair in pairs) / total,
        "right_before": _share(judged, judged_weight, "right_before"),
        "right_after": _share(judged, judged_weight, "right_after"),
        "turned_wrong": sum(pair.got_worse for pair in pairs),
        "empty_after": sum(not pair.after.strip() and bool(pair.before.strip()) for pair in pairs),
        "mean_repetition_before": sum(pair.repeats_before for pair in pairs) / len(pairs),
        "mean_repetition_after": sum(pair.repeats_after for pair in pairs) / len(pairs),
        "worst": [asdict(pair) for pair in by_badness[:worst]],
    }


def _pair(query: Query, before: str, after: str) -> Pair:
    def right(text: str) -> bool | None:
        return None if query.expected is None else query.expected.casefold() in text.casefold()

    return Pair(
        id=query.id,
        before=before,
        after=after,
        agreement=SequenceMatcher(None, before, after, autojunk=False).ratio(),
        right_before=right(before),
        right_after=right(after),
        repeats_before=repeated_share(before),
        repeats_after=repeated_share(after),
        weight=query.weight,
    )


def _share(pairs: Sequence[Pair], weight: float, name: str) -> float | None:
    return sum(pair.weight for pair in pairs if getattr(pair, name)) / weight if weight else None


def _query(line: str, number: int, path: Path) -> Query:
    if not line.lstrip().startswith("{"):
        return Query(str(number), line.strip())
    try:
        row = json.loads(line)
        if unknown := set(row) - KEYS:
            raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
        if not row.get("prompt") and not row.get("messages"):
            raise ValueError("neither prompt nor messages")
        messages = tuple({"role": str(m["role"]), "content": str(m["content"])} for m in row.get("messages", ()))
        expected = row.get("expected")
        return Query(str(row.get("id", number)), row.get("prompt"), messages, expected, float(row.get("weight", 1.0)))
    except (ValueError, LookupError, TypeError) as error:
        fix = 'write {"prompt": "...", "expected": "..."} on each line'
        raise BadInput(f"not a query: {error}", where=f"{path}:{number}", fix=fix) from None
