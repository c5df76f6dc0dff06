"""One streamed completion as its client saw it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

Prompt = Sequence[int] | str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: when it was sent, when its first and last tokens arrived (seconds on one clock), and how many.

    `error` says why it failed and `error_kind` in one word; a failed exchange counts as an error and nowhere else.
    """

    sent_s: float
    first_token_s: float | None
    last_token_s: float | None
    ended_s: float
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    error: str | None = None
    error_kind: str | None = None
    planned_output_tokens: int | None = None

    @property
    def ttft_ms(self) -> float | None:
        """Time to first token: from sending the request to the first streamed token."""
        return None if self.first_token_s is None else (self.first_token_s - self.sent_s) * 1000

    @property
    def tpot_ms(self) -> float | None:
        """Time per output token after the first: (last - first) / (tokens - 1); None with fewer than two."""
        if self.first_token_s is None or self.last_token_s is None or self.output_tokens < 2:
            return None
        return (self.last_token_s - self.first_token_s) * 1000 / (self.output_tokens - 1)

    @property
    def latency_ms(self) -> float:
        return (self.ended_s - self.sent_s) * 1000


@dataclass(slots=True)
class _Stream:
    """What has been read of one stream so far."""

    first_s: float | None = None
    last_s: float | None = None
    chunks: int = 0
    usage: Mapping[str, Any] | None = None

    def read(self, event: Mapping[str, Any], now_s: float) -> None:
        """Take in one event. A chunk with text, or one that ends nothing, is a token; the closing one is not."""
        if event.get("error"):
            raise StreamFailed(_message(event["error"]))
        self.usage = event.get("usage") or self.usage
        for choice in event.get("choices", ()):
            if choice.get("text") or choice.get("finish_reason") is None:
                self.first_s = now_s if self.first_s is None else self.first_s
                self.last_s = now_s
                self.chunks += 1


class StreamFailed(Exception):
    """The server answered with an error status, sent an error, or ended a stream without a token."""

    def __init__(self, message: str, kind: str = "stream") -> None:
        super().__init__(message)
        self.kind = kind


async def complete(
    client: httpx.AsyncClient, model: str, prompt: Prompt, output_tokens: int, options: Mapping[str, Any]
) -> Exchange:
    """Send one prompt, token ids or text, to /v1/completions and read its stream to the end. Never raises on failure.

    Token counts are the server's own `usage`; without it, streamed chunks are counted. An option that is None is left
    out of the request.
    """
    import httpx

    stream, sent_s, error, error_kind = _Stream(), time.perf_counter(), None, None
    try:
        await _read_stream(client, _body(model, prompt, output_tokens, options), stream)
    except (httpx.HTTPError, StreamFailed, ValueError, LookupError, TypeError, AttributeError) as problem:
        error = f"{type(problem).__name__}: {problem}".removeprefix("StreamFailed: ").strip()
        error_kind = kind_of(problem)
    usage = stream.usage or {}
    return Exchange(
        sent_s=sent_s,
        first_token_s=stream.first_s,
        last_token_s=stream.last_s,
        ended_s=time.perf_counter(),
        input_tokens=usage.get("prompt_tokens", 0 if isinstance(prompt, str) else len(prompt)),
        output_tokens=usage.get("completion_tokens", stream.chunks),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        error=error,
        error_kind=error_kind,
        planned_output_tokens=output_tokens,
    )


def kind_of(problem: Exception) -> str:
    """An error in one word: `http-503`, `timeout`, `connection`, `stream` or `answer` (not what the API promises)."""
    import httpx

    if isinstance(problem, StreamFailed):
        return problem.kind
    if isinstance(problem, httpx.TimeoutException):
        return "timeout"
    return "connection" if isinstance(problem, httpx.HTTPError) else "answer"


def _body(model: str, prompt: Prompt, output_tokens: int, options: Mapping[str, Any]) -> dict[str, Any]:
    body = {
        "model": model,
        "prompt": prompt if isinstance(prompt, str) else list(prompt),
        "max_tokens": output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        **options,
    }
    return {name: value for name, value in body.items() if value is not None}


async def _read_stream(client: httpx.AsyncClient, body: Mapping[str, Any], stream: _Stream) -> None:
    """Server-sent events: one `data: {...}` line an event, `data: [DONE]` at the end."""
    async with client.stream("POST", "/v1/completions", json=body) as response:
        if response.status_code != 200:
            said = f"HTTP {response.status_code}: {_message(await response.aread())}"
            raise StreamFailed(said, f"http-{response.status_code}")
        async for line in response.aiter_lines():
            now_s = time.perf_counter()
            field, _, data = line.partition(":")
            if field == "error":
                raise StreamFailed(_message(data))
            if field == "data" and data.strip() != "[DONE]":
                stream.read(json.loads(data), now_s)
    if stream.first_s is None:
        raise StreamFailed("the stream ended without a token")


def _message(error: Any) -> str:
    """The readable part of an error body."""
    if isinstance(error, bytes):
        error = error.decode(errors="replace")
    if isinstance(error, str):
        try:
            error = json.loads(error)
        except ValueError:
            return str(error)[:200]
    inner = error.get("error", error) if isinstance(error, dict) else error
    return str(inner.get("message", inner) if isinstance(inner, dict) else inner)[:200]
