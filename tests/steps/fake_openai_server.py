"""An OpenAI-compatible server with known delays, of equal standing with a real one: also runs as a program.

    python fake_openai_server.py [--die WORDS] [--say LINES_FILE] ... --port N

As a program it accepts any other argument, so that a test can put it in llama-server's place.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any


@dataclass
class FakeServer:
    """Answers like llama-server or vLLM. `sent`: when each token of each request was written (perf_counter seconds).

    `answer_text` makes the text of an answer from the prompt; `logprob` the log-probability of a prompt's token.
    """

    ttft_s: float = 0.0
    tpot_s: float = 0.0
    fail_every: int = 0
    break_every: int = 0
    omit_usage: bool = False
    metrics: str = ""
    answer_text: Callable[[Any], str] = lambda prompt: "first answer"
    logprob: Callable[[int], float | None] = lambda token: -1.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    sent: list[list[float]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    connections: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path = head.split(b" ", 2)[:2]
                await self.answer(path.decode(), await _body(head, reader) if method == b"POST" else {}, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/health":
            _json(writer, 200, {"status": "ok"})
        elif path == "/tokenize":
            text = body["content"] if "content" in body else body["prompt"]
            _json(writer, 200, {"tokens": [10 + ord(c) % 200 for c in text]})
        elif path == "/v1/models":
            _json(writer, 200, {"data": [{"id": "tiny"}]})
        elif path == "/metrics":
            _text(writer, self.metrics)
        elif path == "/v1/completions":
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await self.complete(body, writer)
            finally:
                self.in_flight -= 1
        else:
            _json(writer, 404, {"error": {"message": "no such path"}})
        await writer.drain()

    async def complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.requests.append(body)
        number = len(self.requests)
        if self.fail_every and number % self.fail_every == 0:
            _json(writer, 503, {"error": {"message": "out of slots"}})
            return
        if not body.get("stream"):
            choice: dict[str, Any] = {"text": self.answer_text(body["prompt"])}
            if "prompt_logprobs" in body:
                told = [{str(token): {"logprob": self.logprob(token)}} for token in body["prompt"][1:]]
                choice["prompt_logprobs"] = [None, *told]
            usage = {"prompt_tokens": len(body["prompt"]) // (4 if isinstance(body["prompt"], str) else 1)}
            _json(writer, 200, {"choices": [choice], "usage": usage})
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        written: list[float] = []
        self.sent.append(written)
        broken = self.break_every and number % self.break_every == 0
        for index in range(body["max_tokens"]):
            await asyncio.sleep(self.tpot_s if index else self.ttft_s)
            if broken and index == 2:
                _event(writer, {"error": {"message": "the slot was lost"}})
                break
            written.append(time.perf_counter())
            _event(writer, {"choices": [{"text": "x ", "finish_reason": None}]})
            await writer.drain()
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(written)}
        closing = {"choices": [{"text": "", "finish_reason": "length"}], "usage": usage}
        _event(writer, {"choices": closing["choices"]} if self.omit_usage else closing)
        _chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on 127.0.0.1; yields the URL."""
        server = await asyncio.start_server(self.handle, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _body(head: bytes, reader: asyncio.StreamReader) -> dict[str, Any]:
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body: dict[str, Any] = json.loads(await reader.readexactly(int(lengths[0])))
    return body


def _json(writer: asyncio.StreamWriter, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
    writer.write(body)


def _text(writer: asyncio.StreamWriter, text: str) -> None:
    body = text.encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _event(writer: asyncio.StreamWriter, content: dict[str, Any]) -> None:
    _chunk(writer, b"data: " + json.dumps(content).encode() + b"\n\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


async def _run(port: int) -> None:
    async with FakeServer().serving(port):
        await asyncio.Event().wait()


def main(arguments: list[str]) -> int:
    """Print the --say file, then serve on --port; with --die print its words and exit 1 instead."""
    options = dict(pairwise(arguments))
    if "--say" in options:
        print(Path(options["--say"]).read_text(encoding="utf-8"), flush=True)
    if "--die" in options:
        print(options["--die"], flush=True)
        return 1
    asyncio.run(_run(int(options["--port"])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
