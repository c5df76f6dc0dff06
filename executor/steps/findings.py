"""Step `findings`: predictions against measurements, stored for later plans."""

from __future__ import annotations

from executor.findings import as_plain, findings_of
from executor.resources import quantizing_findings
from executor.step import Result, StepContext


def findings(context: StepContext) -> Result:
    """{findings: [FindingRecord as JSON], inside, outside, unknown}: how many predictions held."""
    found = [
        *findings_of(context.plan, context.results),
        *quantizing_findings(context.plan, context.finished),
    ]
    return {
        "findings": [as_plain(finding) for finding in found],
        "inside": sum(finding.inside is True for finding in found),
        "outside": sum(finding.inside is False for finding in found),
        "unknown": sum(finding.inside is None for finding in found),
    }
