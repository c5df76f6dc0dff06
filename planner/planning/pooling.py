"""Prompt and decode servers of one copy, as a plan describes them."""

from __future__ import annotations

from planner.candidate import CacheTransfer, Pool
from planner.planning.apart import pool_arguments
from planner.planning.arguments import engine_arguments
from planner.planning.assessing import Assessed, Assessor
from planner.planning.offloading import WEIGHT_LABELS
from planner.units import GIB


def pools_of(assessor: Assessor, found: Assessed, decode_arguments: tuple[str, ...]) -> tuple[Pool, Pool]:
    """The prompt servers and the decode servers; a decode server is the one whose memory the candidate shows."""
    choice, layout, pools = found.choice, found.layout, found.layout.pools
    assert pools is not None
    memory, prompts = assessor.prompt_memory(choice, layout)
    part = assessor.share(layout).model_copy(update={"concurrency": prompts})
    prompt_arguments = engine_arguments(choice, layout.tensor_parallel, part, assessor.hardware, memory)
    size, requests = layout.tensor_parallel, assessor.share_of_cache(layout).concurrency
    return (
        Pool(
            role="prefill",
            servers=pools.prefill,
            tensor_parallel=size,
            concurrency=prompts,
            memory=memory,
            engine_arguments=(*prompt_arguments, *pool_arguments(choice.engine, "prefill")),
        ),
        Pool(
            role="decode",
            servers=pools.decode,
            tensor_parallel=size,
            concurrency=requests,
            memory=found.memory,
            engine_arguments=(*decode_arguments, *pool_arguments(choice.engine, "decode")),
        ),
    )


def cache_transfer(assessor: Assessor, found: Assessed) -> CacheTransfer | None:
    """What handing one prompt's cache over costs; None where the link is not known."""
    from planner.speed.gpu import peaks_of
    from planner.speed.spread import cache_bytes, handing_over_ms, spans
    from planner.speed.work import Layout, Running, Stored

    accelerator, layout, nodes = assessor.hardware.accelerator, found.layout, assessor.request.nodes
    asked = assessor.running(found.choice, layout, found.memory)
    peaks = peaks_of(accelerator, asked["scheme"].activation, found.kernel) if accelerator else None
    if accelerator is None or peaks is None or layout.pools is None:
        return None
    stored = Stored(0.0, found.memory.gib(*WEIGHT_LABELS) * GIB, found.memory.kv_bytes_per_token)
    run = Running(found.engine, found.kernel, Layout(layout.tensor_parallel), stored)
    workload = asked["workload"]
    moving_ms = handing_over_ms(accelerator, peaks, run, workload, nodes, layout.pools)
    if moving_ms is None:
        return None
    between = spans(layout.tensor_parallel * layout.servers, nodes)
    over = f"{nodes.gbit_s:g} Gb/s {nodes.link} between nodes" if nodes and between else "the link inside a node"
    return CacheTransfer(gib_per_prompt=cache_bytes(run, workload) / GIB, ms_per_prompt=moving_ms, over=over)
