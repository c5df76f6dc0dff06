"""From loose options (command line, web form) to a checked `Request`, with errors people can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from planner.errors import BadInput
from planner.request import Request

PLACES = {
    "workload": ("input_tokens", "output_tokens", "context_tokens", "concurrency", "task", "precision_critical",
                 "multi_turn", "quality_validated"),
    "service_level": ("ttft_ms", "tpot_ms"),
    "price": ("usd_per_hour", "provider", "utilisation"),
}  # fmt: skip


def request_from(options: Mapping[str, Any]) -> Request:
    """The request these options ask for; absent (None) options take their defaults. BadInput names the option."""
    content: dict[str, Any] = {
        "model": options["model"],
        "hardware": options["hardware"],
        "format": options.get("format_"),
        "engine": options.get("engine"),
        "tensor_parallel": options.get("tensor_parallel"),
        "kv_cache": options.get("kv_cache"),
        "objective": options.get("objective") or "tree",
    }
    for group, names in PLACES.items():
        content[group] = {name: options[name] for name in names if options.get(name) is not None}
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
