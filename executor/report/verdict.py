"""Go or no-go: what must hold, what did, and what came as a surprise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from executor.report.document import Check, Finding, QualityResult, Verdict
from executor.step import Result
from planner.request import ServiceLevel


def judge(
    findings: Sequence[Finding],
    quality: QualityResult | None,
    load: Result,
    artifact: Result,
    changed_originals: Sequence[str],
    service_level: ServiceLevel,
    calibrated: Result | None = None,
    applied: Result | None = None,
) -> Verdict:
    """Go unless a check failed. A prediction outside its interval is a surprise to look at, not a reason to stop."""
    checks = (
        _quality(quality),
        _artifact(artifact),
        *_calibration(calibrated or {}),
        *_applied(applied or {}),
        _load(load),
        *_service_level(load, service_level),
        _original(changed_originals),
    )
    surprises = tuple(finding.name for finding in findings if finding.inside is False)
    return Verdict(
        go=all(check.held is not False for check in checks),
        headline=f"{_decision(checks)} {_count(findings)}",
        checks=checks,
        surprises=surprises,
    )


def _decision(checks: Sequence[Check]) -> str:
    failed = [check.name for check in checks if check.held is False]
    unknown = [check.name for check in checks if check.held is None]
    if failed:
        return f"No-go: {', '.join(failed)} failed."
    return f"Go, with {', '.join(unknown)} unchecked." if unknown else "Go: every check passed."


def _count(findings: Sequence[Finding]) -> str:
    known = [finding for finding in findings if finding.inside is not None]
    inside = sum(finding.inside is True for finding in known)
    return f"{inside} of {len(known)} predictions held."


def _quality(quality: QualityResult | None) -> Check:
    if quality is None or quality.tolerable is None:
        return Check(name="quality", held=None, says="perplexity before and after was not compared")
    grown = f"perplexity {quality.increase:+.3f} ({quality.increase_percent:+.2f} %)"
    limits = f"tolerated: below {quality.max_increase} or {quality.max_increase_percent} % [{quality.tolerance_source}]"
    return Check(name="quality", held=quality.tolerable, says=f"{grown}; {limits}")


def _artifact(artifact: Result) -> Check:
    if not artifact:
        return Check(name="scheme", held=None, says="no file was made, so none was checked")
    stored = artifact.get("types") or artifact.get("schemes") or {}
    types = "; ".join(f"{count} x {name}" for name, count in sorted(stored.items()))
    return Check(name="scheme", held=True, says=f"every tensor is stored as planned: {types}{_bytes(artifact)}")


def _bytes(artifact: Result) -> str:
    if "bytes_error" not in artifact:
        return ""
    return f"; {artifact['bytes_error']:+.3%} bytes against the plan" if artifact["bytes_error"] else "; to the byte"


def _calibration(calibrated: Result) -> Iterator[Check]:
    """Warnings leave it unchecked: whether the text suits the purpose is the user's to say."""
    if calibrated:
        warnings = calibrated["warnings"]
        of = f"{calibrated['samples']} samples of {calibrated['source']}"
        yield Check(name="calibration", held=None if warnings else True, says="; ".join([of, *warnings]))


def _applied(applied: Result) -> Iterator[Check]:
    """What the server was found to hold and compute; a wrong scheme has failed its step before."""
    if applied:
        held = True if applied["verdict"] == "applied" else None
        yield Check(name="scheme in the engine", held=held, says="; ".join(applied["says"]))


def _load(load: Result) -> Check:
    if not load:
        return Check(name="load", held=None, says="no load was sent")
    answered = load["requests"] - load["errors"]
    return Check(name="load", held=not load["errors"], says=f"{answered} of {load['requests']} requests answered")


def _service_level(load: Result, level: ServiceLevel) -> Iterator[Check]:
    """Measured means against the targets of the request, where it set any."""
    for name, target in (("ttft_ms", level.ttft_ms), ("tpot_ms", level.tpot_ms)):
        if target is not None:
            measured = (load.get(name) or {}).get("mean")
            held = None if measured is None else measured <= target
            found = "not measured" if measured is None else f"{measured:.3g} ms on average"
            says = f"{found}; at most {target:g} ms asked"
            yield Check(name=f"target {name.removesuffix('_ms')}", held=held, says=says)


def _original(changed: Sequence[str]) -> Check:
    if changed:
        return Check(name="original", held=False, says=f"changed during the run: {', '.join(changed)}")
    return Check(name="original", held=True, says="the full-precision files are unchanged (SHA-256)")
