"""The way to a stage: everything asked for up to it, as one short name. A result holds while its way does."""

from __future__ import annotations

import hashlib
import json

from planner.plan import Plan, Stage

LENGTH = 16


def way_to(plan: Plan, stage: Stage) -> str:
    """A digest of the kinds and parameters of the stages up to and including this one."""
    upto = plan.stages[: plan.stages.index(stage) + 1]
    content = json.dumps([[s.name, s.kind, s.parameters] for s in upto], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:LENGTH]
