"""Fit the power model and print how far it is from published measurements.

usage: python benchmarks/energy.py --truth DIR [--fit]

DIR holds energy.csv: watts and joules of vLLM on H100 and B200 (ML.ENERGY v3). Errors are printed in sample, with every
model predicted from the others, and with either GPU type predicted from the other; watts at the measured throughput and
at the one that the speed model predicts. `--fit` rewrites planner/catalog/energy_constants.yaml.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from energy_cases import Case, published
from energy_fitting import fit, held_out, write_constants
from published_folder import folder_with

from planner.energy.power import PowerConstants, power_support
from planner.energy.predicting import estimated_watts, joules_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with energy.csv")
    parser.add_argument("--fit", action="store_true", help="rewrite the constants")
    given = parser.parse_args()
    truth = folder_with(("energy.csv",), given.truth, command="make bench-energy", script="benchmarks/energy.py")
    cases = published(truth / "energy.csv")
    constants = fit(cases)
    print(f"{len(cases)} runs, {len({case.group for case in cases})} architectures\n{constants}")
    by_model = held_out(cases, [case.group for case in cases])
    by_gpu = held_out(cases, [case.accelerator.name for case in cases])
    report_watts(cases, constants, by_model, by_gpu)
    if given.fit:
        write_constants(cases, constants, by_model, by_gpu)
    report_plan(cases)


def report_watts(
    cases: Sequence[Case],
    constants: PowerConstants,
    by_model: Sequence[PowerConstants],
    by_gpu: Sequence[PowerConstants],
) -> None:
    """Watts an accelerator: in sample and held out, at the measured and at the predicted throughput."""
    ways = (
        ("in sample", [constants] * len(cases)),
        ("leave one model out", by_model),
        ("leave one GPU type out", by_gpu),
    )
    for title, fitted in ways:
        print(f"\n{title}")
        for named, rates in (("measured", "output_tokens_per_s"), ("predicted", "predicted_tokens_per_s")):
            errors = [case.log_error(f, getattr(case, rates)) for case, f in zip(cases, fitted, strict=True)]
            _line(f"watts at {named} throughput", errors)
    mean = float(np.exp(np.mean([np.log(case.share_of_tdp) for case in cases])))
    print("\nfor comparison")
    _line(f"always {mean:.0%} of the TDP", [np.log(case.share_of_tdp / mean) for case in cases])
    _line("always the TDP", [np.log(case.share_of_tdp) for case in cases])


def report_plan(cases: Sequence[Case]) -> None:
    """What a plan says with the constants in the catalogue: predicted throughput, watts and joules, with intervals."""
    print("\nas a plan predicts them (constants of the catalogue, throughput of the speed model)")
    watts, joules, rates, held = [], [], [], []
    for case in cases:
        support, rate = power_support(case.accelerator), case.predicted_rate
        assert support is not None and rate.value is not None
        drawn = estimated_watts(case.load, case.accelerator, support, rate.value)
        spent = joules_of(drawn, case.gpus, rate, support)
        watts.append(np.log(case.watts / drawn.value))
        joules.append(np.log(case.joules / spent.value))
        rates.append(np.log(case.output_tokens_per_s / rate.value))
        held.append((drawn.low <= case.watts <= drawn.high, spent.low <= case.joules <= spent.high))
    for title, errors in (("throughput", rates), ("watts", watts), ("joules a token", joules)):
        _line(title, errors)
    inside = np.mean(held, axis=0)
    print(f"  90 % intervals hold {inside[0]:.0%} of watts and {inside[1]:.0%} of joules")


def _line(title: str, errors: Sequence[float]) -> None:
    relative = np.abs(np.expm1(-np.array(errors)))
    print(f"  {title:32s} mean {relative.mean():6.1%}   median {np.median(relative):6.1%}")


if __name__ == "__main__":
    main()
