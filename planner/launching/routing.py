"""Sends a share of requests to the quantized model and the rest to the original: an A/B test (A.eval.business)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.errors import BadInput
from planner.launching import quoting
from planner.templates import template_directory

FILES = {name: f"routing.{name}.j2" for name in ("nginx.conf", "envoy.yaml", "litellm.yaml")}


@dataclass(frozen=True, slots=True)
class Split:
    """Two servers and the share (percent, whole) of requests that goes to the quantized one."""

    model: str
    original_url: str
    quantized_url: str
    percent: int

    def __post_init__(self) -> None:
        if not 0 < self.percent < 100:
            raise BadInput(f"a share of {self.percent} % leaves one side empty", fix="give 1 to 99, for example 10")


def render_split(split: Split) -> dict[str, str]:
    """The same split for nginx, Envoy and LiteLLM; a user (their key or address) stays on one side with nginx."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory() / "launch"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # every value is a checked address, a number, or goes through `json`
    )
    environment.filters |= {"json": quoting.json_text, "one_line": quoting.one_line}
    values: Mapping[str, Any] = {
        "split": split,
        "original": _host_and_port(split.original_url),
        "quantized": _host_and_port(split.quantized_url),
    }
    return {name: environment.get_template(template).render(**values) for name, template in FILES.items()}


def _host_and_port(url: str) -> tuple[str, int]:
    """BadInput unless the address is http://HOST:PORT of plain characters."""
    from urllib.parse import urlsplit

    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError:
        host, port = None, None
    plain = host is not None and all(c.isascii() and (c.isalnum() or c in ".-") for c in host)
    if host is None or port is None or not plain:
        raise BadInput("not an address of a server", where=url, fix="write it as http://HOST:PORT")
    return host, port
