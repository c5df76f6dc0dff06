"""Whether a server answers."""

from __future__ import annotations

import json

TIMEOUT_S = 10.0
FIRST_ANSWER_WITHIN_S = 120.0


def can_be_asked(url: str) -> bool:
    """Whether the address holds outside a cluster: one of a Kubernetes Service does not."""
    return not url.endswith(".svc")


def is_healthy(url: str) -> bool:
    """Whether GET /health answers 200."""
    import httpx

    try:
        return httpx.get(f"{url}/health", timeout=TIMEOUT_S, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def answers(url: str, model_name: str) -> bool:
    """Whether it is healthy and completes a short prompt."""
    import httpx

    body = {"model": model_name, "prompt": "The ", "max_tokens": 4, "temperature": 0}
    try:
        answer = httpx.post(f"{url}/v1/completions", json=body, timeout=FIRST_ANSWER_WITHIN_S, trust_env=False)
        return answer.status_code == 200 and bool(answer.json()["choices"])
    except (httpx.HTTPError, json.JSONDecodeError, LookupError, TypeError):
        return False
