"""Prompts of an exact length in tokens, cut from real text; or of about that length, where only text is taken."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, islice, repeat
from typing import TYPE_CHECKING, Any

from executor.engines.engine import Engine
from planner.errors import ExecutionFailed

if TYPE_CHECKING:
    import httpx

SAMPLE_CHARACTERS = 2000


async def prompts_for(
    client: httpx.AsyncClient, engine: Engine, model: str, text: str, lengths: Sequence[int]
) -> list[list[int]] | list[str]:
    """One prompt a length: token ids where the server tokenizes, so exactly as long; else text of about that length."""
    asked = engine.tokenize_request(model, text)
    if asked is not None:
        return cut_prompts(await tokenize(client, asked), lengths)
    per_token = await characters_per_token(client, model, text[:SAMPLE_CHARACTERS])
    return cut_texts(text, [round(length * per_token) for length in lengths])


async def tokenize(client: httpx.AsyncClient, request: tuple[str, dict[str, Any]]) -> list[int]:
    """The text's token ids as the server itself makes them. ExecutionFailed when it cannot."""
    import httpx

    path, body = request
    try:
        response = await client.post(path, json=body)
        response.raise_for_status()
        ids: list[int] = response.json()["tokens"]
    except (httpx.HTTPError, ValueError, LookupError) as error:
        raise ExecutionFailed(f"the server could not tokenize the prompt text: {error}", fix="read its log") from error
    if not ids:
        raise ExecutionFailed("the prompt text has no tokens", fix="give a text that is not empty")
    return ids


async def characters_per_token(client: httpx.AsyncClient, model: str, sample: str) -> float:
    """From the server's own count of a sample's tokens. ExecutionFailed when it does not count."""
    import httpx

    try:
        response = await client.post("/v1/completions", json={"model": model, "prompt": sample, "max_tokens": 1})
        response.raise_for_status()
        return len(sample) / int(response.json()["usage"]["prompt_tokens"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError, ZeroDivisionError) as error:
        raise ExecutionFailed(f"the server does not count a prompt's tokens: {error}", fix="read its log") from error


def cut_prompts(ids: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Prompts of exactly those lengths, one after the other from the text, which starts again at its end.

    Starts are spread over the whole text, so that no two prompts begin alike while there are enough tokens.
    """
    starts = _starts(len(ids), lengths)
    return [_cut(ids, start % len(ids), length) for start, length in zip(starts, lengths, strict=True)]


def cut_texts(text: str, lengths: Sequence[int]) -> list[str]:
    """The same in characters."""
    starts = _starts(len(text), lengths)
    return ["".join(_cut(text, start % len(text), length)) for start, length in zip(starts, lengths, strict=True)]


def _starts(available: int, lengths: Sequence[int]) -> list[int]:
    """Where each prompt begins: behind the one before, or closer together where the text is too short for that."""
    if sum(lengths) <= available:
        return [0, *accumulate(lengths)][:-1] if lengths else []
    stride = max(1, available // max(len(lengths), 1))
    return [index * stride for index in range(len(lengths))]


def _cut(source: Sequence[Any], start: int, length: int) -> list[Any]:
    endless = chain(source[start:], chain.from_iterable(repeat(source)))
    return list(islice(endless, length))
