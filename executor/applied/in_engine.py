"""What an engine really holds after loading: three kinds of evidence, one verdict. A launch that answers is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.applied.fingerprint import Fingerprint, Verdict, limits
from planner.errors import ExecutionFailed
from planner.figures import memory
from planner.schemes import scheme
from planner.units import GIB
from rules.vocabulary import KvFormat

SIXTEEN_BIT = {"bfloat16", "float16", "float32"}
KEPT = ("lm_head", "embed", "router", "gate.", "vision", "visual")
CACHE_DTYPES = {"16-bit": ("auto", "bfloat16", "float16", "half", "bf16", "fp16"), "fp8": ("fp8",), "int8": ("int8",)}
BYTES_OF_16_BITS = 2
LEAST_BYTES = 1 / 8  # of a weight: one bit
SURE: tuple[Verdict, ...] = ("wrong", "not-applied", "applied", "unknown")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a running engine; None where it could not be had.

    `layers`: what the engine's own process holds ([{name, method, kernel, weights, dtypes}], as
    `scripts/vllm_inspection.py` tells it). `tensor_types`: tensors by type, as llama.cpp read them. `weights_bytes`:
    weights in memory by the engine's own log. `fingerprint`: its log-probabilities against both checkpoints'.
    `cache_dtype`: of the KV cache, by the engine's metrics.
    """

    layers: Sequence[Mapping[str, Any]] | None = None
    tensor_types: Mapping[str, int] | None = None
    weights_bytes: int | None = None
    fingerprint: Fingerprint | None = None
    cache_dtype: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedInEngine:
    """The verdict and what it rests on; `layers` counts the linear layers by method, kernel and dtype."""

    verdict: Verdict
    says: tuple[str, ...]
    layers: Mapping[str, int]

    def as_plain(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "says": list(self.says), "layers": dict(self.layers)}


def applied_in_engine(
    format: str,
    evidence: Evidence,
    expected_bytes: float | None,
    expected_types: Mapping[str, int] | None = None,
    kv_cache: KvFormat = "16-bit",
) -> AppliedInEngine:
    """Judge a format by all the evidence there is: one piece that says "wrong" or "not applied" decides.

    `expected_bytes` is what the tensors of the checkpoint take on disk, where this run made it: then every linear layer
    is quantized. One that came ready-made may leave some out. `expected_types` are the tensors of a GGUF file by type.
    """
    found = [*_by_types(evidence.tensor_types, expected_types)]
    found += _by_bytes(evidence.weights_bytes, expected_bytes)
    found += _by_cache(evidence.cache_dtype, kv_cache)
    if scheme(format).is_quantized:
        found += _by_layers(evidence.layers, every=expected_bytes is not None)
    if evidence.fingerprint:
        found.append((evidence.fingerprint.verdict, evidence.fingerprint.says()))
    said = tuple(what for _, what in found) or (f"nothing this engine tells shows whether {format} is applied",)
    verdicts = {verdict for verdict, _ in found}
    verdict: Verdict = next((one for one in SURE if one in verdicts), "unknown")
    return AppliedInEngine(verdict, said, Counter(describe(layer) for layer in evidence.layers or ()))


def require_applied(format: str, applied: AppliedInEngine, where: str) -> None:
    """ExecutionFailed when the engine serves something else than the plan says."""
    if applied.verdict in ("wrong", "not-applied"):
        what = "wrongly applied" if applied.verdict == "wrong" else "not applied"
        reasons = "".join(f"\n  {reason}" for reason in applied.says)
        raise ExecutionFailed(
            f"{format} is {what} in the engine, although it started and answers:{reasons}",
            where=where,
            fix="serve another format or KV cache, or another version of the engine; report it to the engine's makers",
        )


def describe(layer: Mapping[str, Any]) -> str:
    kernel = f", {layer['kernel']}" if layer.get("kernel") else ""
    return f"{layer['method']}{kernel}, {'/'.join(sorted(layer['dtypes']))}"


def _by_layers(layers: Sequence[Mapping[str, Any]] | None, *, every: bool) -> Iterator[tuple[Verdict, str]]:
    """A layer is plain when it holds 16 bits or more for each weight; hidden when a kernel keeps them elsewhere."""
    held = [layer for layer in layers or () if not any(part in layer["name"] for part in KEPT)]
    if not held:
        return
    plain = [layer["name"] for layer in held if _is_plain(layer)]
    if plain and (every or len(plain) == len(held)):
        yield "not-applied", f"{len(plain)} of {len(held)} linear layers are held in 16 bits, for example {plain[0]}"
        return
    hidden = sum(sum(layer["dtypes"].values()) < layer["weights"] * LEAST_BYTES for layer in held)
    if hidden:
        yield "unknown", f"{hidden} of {len(held)} linear layers are kept by {held[0]['kernel']} where no tensor shows"
    else:
        yield "applied", f"{len(held) - len(plain)} of {len(held)} linear layers are held quantized"


def _is_plain(layer: Mapping[str, Any]) -> bool:
    floats = sum(size for dtype, size in layer["dtypes"].items() if dtype in SIXTEEN_BIT)
    return floats >= BYTES_OF_16_BITS * int(layer["weights"])


def _by_types(held: Mapping[str, int] | None, expected: Mapping[str, int] | None) -> Iterator[tuple[Verdict, str]]:
    """llama.cpp computes with the types it reads."""
    if held and expected:
        read = ", ".join(f"{count} x {name}" for name, count in sorted(held.items()))
        same = {name.upper(): count for name, count in expected.items()} == dict(held)
        yield "applied" if same else "not-applied", f"the engine read {read}"


def _by_cache(held: str | None, planned: KvFormat) -> Iterator[tuple[Verdict, str]]:
    """Another cache than planned tells against the engine; the planned one says nothing of the weights."""
    if held and not held.startswith(CACHE_DTYPES[planned]):
        yield "not-applied", f"the KV cache is {held}; planned: {planned}"


def _by_bytes(held: int | None, expected: float | None) -> Iterator[tuple[Verdict, str]]:
    """Engines that print the memory of the weights; never less than the file, and not the 16-bit size."""
    if held is None or not expected:
        return
    share = held / expected - 1
    says = f"the engine's log reports {memory(held / GIB)} of weights; the checkpoint has {memory(expected / GIB)}"
    if abs(share) <= limits()["weights_share"]:
        yield "applied", says
    else:
        yield "unknown", f"{says}: {share:+.1%}, which shows nothing"
