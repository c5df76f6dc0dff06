"""How one copy of a plan lies on its accelerators, in words."""

from __future__ import annotations

from planner.candidate import Candidate


def how_it_lies(chosen: Candidate, split: str) -> str:
    """The copy over all its servers, stages and nodes; `split` says how one server of it is split."""
    on = f" on {chosen.nodes} nodes" if chosen.nodes > 1 else ""
    if chosen.pipeline_parallel > 1:
        return f"{split} in each of {chosen.pipeline_parallel} stages{on}"
    if chosen.data_parallel > 1:
        dealt = f"experts dealt over {chosen.expert_parallel} devices"
        return f"{chosen.data_parallel} copies of the attention, {dealt}{on}"
    if chosen.pools:
        servers = " and ".join(f"{pool.servers} {pool.role}" for pool in chosen.pools)
        return f"{servers} servers, each {split}{on}"
    return split + on
