"""From a finished run's findings to lessons, and why a run teaches nothing where it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from executor.run import Run
from executor.step import Result
from planner.catalog import load_yaml
from planner.learned.correcting import FIGURES
from planner.learned.lessons import Lesson, configuration, held, lessons_path, machine_name, read_lessons, write_lessons
from planner.plan import Plan


def learn(run: Run, results: Mapping[str, Result]) -> str:
    """Keep the run's speeds for later plans on this machine, once. Returns what to tell of it, if anything."""
    if not run.plan.hardware.detected:
        return ""
    path = lessons_path(run.workspace.home)
    load = next((results[s.name] for s in run.plan.stages if s.kind == "load-test"), {})
    if why := reason_against(run, load):
        return f"nothing learnt: {why}"
    new = list(lessons_of(run.plan, run.run_id, results))
    with held(path):
        known = read_lessons(path)
        if not new or any(lesson.run_id == run.run_id for lesson in known):
            return ""
        write_lessons(path, [*known, *new])
    return "kept for later plans on this machine (quantplan learned)"


def reason_against(run: Run, load: Result) -> str:
    """Why what was measured says nothing of this machine in general."""
    if run.elsewhere:
        return "it was measured on another machine"
    if run.options.cores is not None:
        return "the run was held to fewer cores than the machine has"
    if not load:
        return "no load was sent"
    if load.get("errors"):
        return f"{load['errors']} requests failed"
    cpu = load.get("cpu", {})
    share = cpu.get("other_cores", 0.0) / cpu["machine_cores"] if cpu.get("machine_cores") else 0.0
    if share > float(load_yaml("learning.yaml")["quiet"]["other_cores_share"]):
        return f"other programs used {cpu['other_cores']:.1f} of {cpu['machine_cores']:.0f} cores"
    return ""


def lessons_of(plan: Plan, run_id: str, results: Mapping[str, Result]) -> Iterator[Lesson]:
    """The speeds that were both predicted and measured; predictions as they were before anything was learnt."""
    chosen, hardware = plan.chosen, plan.hardware
    found = next((results[s.name] for s in plan.stages if s.kind == "findings"), {})
    measured = {finding["name"]: finding["measured"] for finding in found.get("findings", ())}
    for prediction in chosen.predictions:
        base = prediction.before_learning or prediction.value
        if prediction.name in FIGURES and base and measured.get(prediction.name):
            yield Lesson(
                machine=machine_name(hardware.name, hardware.count, hardware.memory_gib),
                engine=chosen.engine,
                engine_version=chosen.engine_version,
                kernel=chosen.kernel,
                configuration=configuration(plan.model.name, chosen.format, plan.request.workload),
                figure=prediction.name,
                predicted=base,
                measured=measured[prediction.name],
                run_id=run_id,
                measured_at=time.time(),
            )
