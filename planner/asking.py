"""From loose options (command line, web form) to a checked `Request`, with errors people can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from planner.errors import BadInput
from planner.request import Request

A_REQUEST = 'write {"model": "llama-3.1-8b", "hardware": "1xL4"}, one a line; `quantplan plan --json` shows all keys'
PLACES = {
    "workload": ("input_tokens", "output_tokens", "context_tokens", "concurrency", "requests_per_s",
                 "prefix_hit_rate", "task", "precision_critical", "multi_turn", "quality_validated", "fine_tunes"),
    "service_level": ("ttft_ms", "tpot_ms", "percentile"),
    "price": ("usd_per_hour", "provider", "utilisation"),
    "extras": ("draft", "draft_model", "draft_tokens", "max_loras", "max_lora_rank", "expert_parallel"),
}  # fmt: skip


def read_requests(path: Path) -> list[Request]:
    """The requests of a file: one a line (JSON Lines), or one JSON object; a plan stands for the request it answers.

    BadInput names the line that is no request.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot read the requests: {error.strerror}", where=str(path), fix=A_REQUEST) from None
    try:
        whole = json.loads(text)
    except ValueError:
        lines = enumerate(text.splitlines(), 1)
        return [_request_of_line(line, f"{path}:{number}") for number, line in lines if line.strip()]
    listed = whole if isinstance(whole, list) else [whole]
    return [request_of(content, str(path)) for content in listed]


def _request_of_line(line: str, where: str) -> Request:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise BadInput(f"not JSON: {error}", where=where, fix=A_REQUEST) from None
    return request_of(content, where)


def request_of(content: Any, where: str) -> Request:
    """The request that a JSON value states, or that a plan answers. BadInput names the key that is wrong."""
    asked = content["request"] if isinstance(content, dict) and "schema_version" in content else content
    try:
        return Request.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the request"
        raise BadInput(f"{place}: {first['msg'].lower()}", where=where, fix=A_REQUEST) from None


def request_from(options: Mapping[str, Any]) -> Request:
    """The request these options ask for; absent (None) options take their defaults. BadInput names the option."""
    content: dict[str, Any] = {
        "model": options["model"],
        "hardware": hardware_text(options["hardware"], options),
        "format": options.get("format_"),
        "engine": options.get("engine"),
        "tensor_parallel": options.get("tensor_parallel"),
        "kv_cache": options.get("kv_cache"),
        "tool": options.get("tool"),
        "variant": options.get("variant"),
        "calibration": options.get("calibration"),
        "make_only": options.get("make_only", False),
        "objective": options.get("objective") or "tree",
    }
    for group, names in PLACES.items():
        content[group] = {name: options[name] for name in names if options.get(name) is not None}
    content["price"] |= _prices_asked_for(options)
    content["workload"]["may_calibrate"] = not options.get("no_calibration", False)
    try:
        return Request.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1])
        raise BadInput(
            f"--{name.replace('_', '-')} {first['input']}: {first['msg'].lower()}",
            fix="see `quantplan plan --help` for what it takes",
        ) from None


def hardware_text(hardware: str, options: Mapping[str, Any]) -> str:
    """The hardware with the host that options declare beside it: `1xL4` -> `1xL4+host:64GiB:80GB/s`."""
    memory_gib, bandwidth = options.get("host_memory_gib"), options.get("host_bandwidth_gb_s")
    if memory_gib is None:
        if bandwidth is not None:
            raise BadInput("--host-bandwidth-gb-s without --host-memory-gib", fix="give the host's memory, too")
        return hardware
    return f"{hardware}+host:{memory_gib:g}GiB" + (f":{bandwidth:g}GB/s" if bandwidth is not None else "")


def _prices_asked_for(options: Mapping[str, Any]) -> dict[str, str]:
    """The kind of price, and the price file: the one named, else the environment's, unless a price is given."""
    from planner.prices.table import own_price_file

    file = own_price_file(options.get("prices")) if options.get("usd_per_hour") is None else options.get("prices")
    found = {"kind": options.get("price_kind"), "file": str(file) if file else None}
    return {name: value for name, value in found.items() if value}
