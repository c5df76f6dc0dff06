"""Power and energy of a plan, in words for terminal and pages: one line, and where it comes from."""

from __future__ import annotations

from planner.energy.electricity import electricity_usd_of, site_electricity
from planner.figures import figure, interval, usd
from planner.plan import Candidate, Prediction

FIGURES = "watts_per_accelerator", "joules_per_output_token"


def energy_lines(candidate: Candidate) -> tuple[str, ...]:
    """The line, and its sources where it tells figures; nothing for a plan made before energy was predicted."""
    found = {p.name: p for p in candidate.predictions if p.name in FIGURES}
    if len(found) < len(FIGURES):
        return ()
    watts, joules = (found[name] for name in FIGURES)
    if watts.value is None or joules.value is None:
        return (_bound(watts, joules),)
    site = site_electricity()
    cost = usd(electricity_usd_of(joules.value, site.usd_per_kwh, site.power_usage_effectiveness))
    drawn = f"{figure(watts.value)} W per accelerator {interval(watts)}"
    spent = f"{figure(joules.value)} J per output token {interval(joules)}"
    line = f"{drawn}, {spent}: electricity {cost} per 1M output tokens"
    price = f"${site.usd_per_kwh:g} per kWh x {site.power_usage_effectiveness:g} for the site ({site.source})"
    return line, f"{watts.source}, accelerators only; electricity at {price}"


def _bound(watts: Prediction, joules: Prediction) -> str:
    """What the TDP bounds, and why nothing nearer is said."""
    if watts.high is None:
        return f"unknown: {watts.abstained}"
    spent = f" and {figure(joules.high)} J per output token" if joules.high is not None else ""
    return f"at most {figure(watts.high)} W per accelerator{spent} (bound by the TDP): {watts.abstained}"
