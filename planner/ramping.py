"""A plan that also finds the largest load within its targets: `quantplan apply --ramp`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from planner.errors import BadInput
from planner.plan import Plan, Stage

Given = TypeVar("Given", Stage, Stage | str)
MOST_CLIENTS = 256
PERCENTILE = 95
AFTER = "load-test"


def with_ramp(plan: Plan) -> Plan:
    """The plan and each rung of its ladder with a stage `ramp` behind the load test; another plan, so another run.

    The stage carries what the simulator says of the largest load, or why it says nothing. BadInput for a plan that
    sends no load or has no target to miss.
    """
    level = plan.request.service_level
    if level.ttft_ms is None and level.tpot_ms is None:
        raise BadInput(
            "a ramp needs a target to miss", where="--ramp", fix="plan again with --ttft-ms, --tpot-ms or both"
        )
    if all(stage.kind != AFTER for stage in plan.stages):
        raise BadInput("the plan serves nothing, so there is no load to raise", where="--ramp", fix="leave --ramp out")
    stage = Stage(name="ramp", kind="ramp", parameters={"at": f"p{PERCENTILE}", **_simulated(plan)})
    ways = {
        says: way.model_copy(update={"stages": tuple(_behind_load_test(way.stages, stage.name))})
        for says, way in plan.ways.items()
    }
    stages = tuple(_behind_load_test(plan.stages, stage))
    return plan.model_copy(update={"stages": stages, "ways": ways}).sealed()


def _behind_load_test(stages: Iterable[Given], ramp: Given) -> Iterator[Given]:
    for stage in stages:
        yield stage
        if (stage if isinstance(stage, str) else stage.name) == AFTER:
            yield ramp


def _simulated(plan: Plan) -> dict[str, Any]:
    """{predicted, abstained}: the largest number of requests in flight within the targets; 0 where one is too many."""
    from planner.serving.capacity import Targets
    from planner.serving.from_plan import server_of
    from planner.serving.simulating import simulate
    from planner.serving.traffic import Traffic

    try:
        server = server_of(plan)
    except BadInput as nothing_known:
        return {"predicted": None, "abstained": nothing_known.what}
    workload, level = plan.request.workload, plan.request.service_level
    targets = Targets(level.ttft_ms, level.tpot_ms, PERCENTILE)

    def meets(clients: int) -> bool:
        traffic = Traffic(workload.input_tokens, workload.output_tokens, clients=clients)
        return targets.met_by(simulate(server, traffic))

    meeting, missing = 0, 1
    while missing <= MOST_CLIENTS and meets(missing):
        meeting, missing = missing, 2 * missing
    while missing - meeting > 1 and missing <= MOST_CLIENTS:
        middle = (meeting + missing) // 2
        meeting, missing = (middle, missing) if meets(middle) else (meeting, middle)
    return {"predicted": meeting, "abstained": None}
