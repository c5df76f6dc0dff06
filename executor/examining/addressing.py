"""`bench`: which server is asked, and how it is spoken to."""

from __future__ import annotations

from executor.engines import ENGINES
from executor.engines.engine import Engine
from executor.engines.openai import OpenAiServer
from planner.errors import BadInput, ExecutionFailed


def engine_named(name: str | None) -> Engine:
    """How to speak to a server. BadInput for an engine that is not known."""
    if name is None:
        return OpenAiServer()
    if name not in ENGINES:
        raise BadInput(f"no engine {name!r}", nearest=ENGINES, fix="leave --engine out for any other server")
    return ENGINES[name]


def model_at(url: str) -> str:
    """The first model a server lists. ExecutionFailed when it does not answer."""
    import httpx

    try:
        response = httpx.get(f"{url}/v1/models", timeout=10.0, trust_env=False)
        response.raise_for_status()
        return str(response.json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise ExecutionFailed(
            f"no OpenAI-compatible server answers there: {error}", where=url, fix="check the address, or name --model"
        ) from error
