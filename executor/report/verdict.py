"""Go or no-go: what must hold, what did, and what came as a surprise."""

from __future__ import annotations

from collections.abc import Sequence

from executor.report.document import Check, Finding, QualityResult, Verdict
from executor.step import Result


def judge(
    findings: Sequence[Finding],
    quality: QualityResult | None,
    load: Result,
    artifact: Result,
    changed_originals: Sequence[str],
) -> Verdict:
    """Go unless a check failed. A prediction outside its interval is a surprise to look at, not a reason to stop."""
    checks = (_quality(quality), _artifact(artifact), _load(load), _original(changed_originals))
    surprises = tuple(finding.name for finding in findings if finding.inside is False)
    failed = [check.name for check in checks if check.held is False]
    return Verdict(
        go=not failed,
        headline=_headline(failed, findings),
        checks=checks,
        surprises=surprises,
    )


def _headline(failed: Sequence[str], findings: Sequence[Finding]) -> str:
    known = [finding for finding in findings if finding.inside is not None]
    inside = sum(finding.inside is True for finding in known)
    held = f"{inside} of {len(known)} predictions held"
    return f"No-go: {', '.join(failed)} failed. {held}." if failed else f"Go: every check passed. {held}."


def _quality(quality: QualityResult | None) -> Check:
    if quality is None or quality.tolerable is None:
        return Check(name="quality", held=None, says="perplexity before and after was not compared")
    grown = f"perplexity {quality.increase:+.3f} ({quality.increase_percent:+.2f} %)"
    limits = f"tolerated: below {quality.max_increase} or {quality.max_increase_percent} %, {quality.tolerance_source}"
    return Check(name="quality", held=quality.tolerable, says=f"{grown}; {limits}")


def _artifact(artifact: Result) -> Check:
    if not artifact:
        return Check(name="scheme", held=None, says="no file was made, so none was checked")
    types = ", ".join(f"{count} x {name}" for name, count in sorted(artifact["types"].items()))
    return Check(name="scheme", held=True, says=f"every tensor is stored as planned: {types}")


def _load(load: Result) -> Check:
    if not load:
        return Check(name="load", held=None, says="no load was sent")
    answered = load["requests"] - load["errors"]
    return Check(name="load", held=not load["errors"], says=f"{answered} of {load['requests']} requests answered")


def _original(changed: Sequence[str]) -> Check:
    if changed:
        return Check(name="original", held=False, says=f"changed during the run: {', '.join(changed)}")
    return Check(name="original", held=True, says="the full-precision files are unchanged (SHA-256)")
