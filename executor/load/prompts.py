"""Prompts of an exact length in tokens, cut from real text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING

from executor.engines.engine import Engine
from planner.errors import ExecutionFailed

if TYPE_CHECKING:
    import httpx


async def tokenize(client: httpx.AsyncClient, engine: Engine, text: str) -> list[int]:
    """The text's token ids as the server itself makes them. ExecutionFailed when it cannot."""
    import httpx

    path, body = engine.tokenize_request(text)
    try:
        response = await client.post(path, json=body)
        response.raise_for_status()
        ids: list[int] = response.json()["tokens"]
    except (httpx.HTTPError, ValueError, LookupError) as error:
        raise ExecutionFailed(f"the server could not tokenize the prompt text: {error}", fix="read its log") from error
    if not ids:
        raise ExecutionFailed("the prompt text has no tokens", fix="give a text that is not empty")
    return ids


def cut_prompts(ids: Sequence[int], count: int, input_tokens: int) -> list[list[int]]:
    """`count` prompts of exactly `input_tokens`, one after the other from the text, which starts again at its end.

    Starts are spread over the whole text, so that no two prompts begin alike while there are enough tokens.
    """
    stride = input_tokens if count * input_tokens <= len(ids) else max(1, len(ids) // count)
    return [_cut(ids, index * stride % len(ids), input_tokens) for index in range(count)]


def _cut(ids: Sequence[int], start: int, length: int) -> list[int]:
    endless = chain(ids[start:], chain.from_iterable(repeat(ids)))
    return list(islice(endless, length))
