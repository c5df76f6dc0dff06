"""From what was assessed to what a plan says of it: a whole candidate, or an alternative in few figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planner.candidate import Alternative, Candidate
from planner.costs.plan_cost import tokens_apart
from planner.costs.time_share import predicted_prompt_share
from planner.energy.predicting import Energy, predict_energy
from planner.memory.gguf_mix import gguf_bytes
from planner.memory.levers import levers
from planner.memory.sizing import loaded_weights, situation_for
from planner.memory.stages import stage_weights
from planner.models.shape import Shape
from planner.needs import Lever
from planner.planning.apart import dealt_arguments
from planner.planning.arguments import engine_arguments, engine_environment
from planner.planning.assessing import Assessed, Assessor, Layout
from planner.planning.extras import PLANNED_UNDER, extra_arguments
from planner.planning.offloading import WEIGHT_LABELS
from planner.planning.predictions import (
    cache_predictions,
    cost_prediction,
    energy_predictions,
    estimate_prediction,
    memory_predictions,
    offload_predictions,
    quality_prediction,
)
from planner.planning.spanning import nodes_of_copy
from planner.predicted import Cost, Span
from planner.quality import AS_PUBLISHED, Quality, expected_quality
from planner.request import Workload
from planner.schemes import Scheme, scheme
from planner.speed.estimate import Estimate
from planner.speed.predicting import predict_crossover
from planner.support import engines
from rules.vocabulary import FormatId


def candidate_of(assessor: Assessor, found: Assessed, more_arguments: tuple[str, ...] = ()) -> Candidate:
    """Everything about one way to serve the model; `more_arguments` follow the engine's own."""
    choice, layout, memory, speed = found.choice, found.layout, found.memory, found.speed
    hardware, share = assessor.hardware, assessor.share_of_cache(layout)
    quality = expected_quality(choice.format, assessor.params_b)
    split = layout.tensor_parallel, layout.pipeline_parallel
    arguments = engine_arguments(choice, split[0], share, hardware, memory, split[1])
    extras = extra_arguments(assessor.request.extras) if choice.engine in PLANNED_UNDER else []
    extras += dealt_arguments(layout.data_parallel, told="--enable-expert-parallel" in extras)
    return Candidate(
        format=choice.format,
        engine=choice.engine,
        engine_version=engines()[choice.engine].version_on(hardware),
        tensor_parallel=layout.tensor_parallel,
        pipeline_parallel=layout.pipeline_parallel,
        data_parallel=layout.data_parallel,
        expert_parallel=experts_dealt_over(assessor, layout),
        nodes=nodes_of_copy(split[0], split[1] * layout.data_parallel * layout.servers, assessor.request.nodes),
        replicas=layout.replicas,
        **(pooled(assessor, found, arguments) if layout.pools else {}),
        kv_cache=choice.kv_cache,
        group_size=choice.group_size,
        tool=choice.tool,
        kernel=found.kernel,
        memory=memory,
        predictions=(
            *memory_predictions(choice.engine, memory, artifact_bytes(assessor.model.shape, assessor.scheme(choice))),
            *offload_predictions(choice.engine, memory),
            *cache_predictions(choice.engine, memory, hardware),
            estimate_prediction("ttft_ms", speed.ttft_ms),
            estimate_prediction("tpot_ms", speed.tpot_ms),
            estimate_prediction("output_tokens_per_s", speed.output_tokens_per_s),
            quality_prediction(quality),
            cost_prediction(found.cost),
            *energy_predictions(energy(assessor, found)),
        ),
        cost=found.cost,
        quality=kept_quality(assessor, choice.format, quality),
        engine_arguments=(*arguments, *extras, *more_arguments),
        engine_environment=engine_environment(choice.engine, hardware),
        verdict="chosen",
    )


def pooled(assessor: Assessor, found: Assessed, arguments: tuple[str, ...]) -> dict[str, Any]:
    """What a candidate has besides where its prompts and tokens are on servers of their own."""
    from planner.planning.pooling import cache_transfer, pools_of

    return {"pools": pools_of(assessor, found, arguments), "cache_transfer": cache_transfer(assessor, found)}


def experts_dealt_over(assessor: Assessor, layout: Layout) -> int:
    """The accelerators over which whole experts lie; 1 where every one of them has a slice of each."""
    dealt = layout.data_parallel > 1 or assessor.request.extras.expert_parallel
    return layout.tensor_parallel * layout.data_parallel if dealt else 1


def alternative_of(assessor: Assessor, found: Assessed) -> Alternative:
    """One of the neighbours, as a plan shows it beside the choice."""
    memory, speed, cost = found.memory, found.speed, found.cost
    quality = expected_quality(found.format, assessor.params_b)
    return Alternative(
        format=found.format,
        engine=found.choice.engine,
        tensor_parallel=found.layout.tensor_parallel,
        replicas=found.layout.replicas,
        kv_cache=found.choice.kv_cache,
        weights_gib=memory.gib(*WEIGHT_LABELS),
        used_gib=memory.used_gib,
        free_gib=memory.free_gib,
        kv_tokens=memory.kv_tokens,
        ttft_ms=span(speed.ttft_ms),
        tpot_ms=span(speed.tpot_ms),
        output_tokens_per_s=span(speed.output_tokens_per_s),
        usd_per_1m_output_tokens=_cost_span(cost),
        quality=kept_quality(assessor, found.format, quality),
        verdict=found.verdict,
        reasons=found.reasons,
        offloaded=memory.offload.says if memory.offload else "",
    )


def span(estimate: Estimate) -> Span | None:
    """The figure with its interval; None where it is not known."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return Span(value=estimate.value, low=estimate.low, high=estimate.high)


def _cost_span(cost: Cost | None) -> Span | None:
    if cost is None or cost.usd_per_1m_output_tokens is None or cost.low is None or cost.high is None:
        return None
    return Span(value=cost.usd_per_1m_output_tokens, low=cost.low, high=cost.high)


def kept_quality(assessor: Assessor, format: FormatId, quality: Quality) -> str:
    """What is lost, in a phrase; nothing where the model's own checkpoint is in this (quantized) format."""
    is_stored_so = assessor.model.stored_format == format and scheme(format).is_quantized
    return AS_PUBLISHED if is_stored_so else quality.phrase


def energy(assessor: Assessor, found: Assessed) -> Energy:
    """What one replica draws, and its energy for a token: that of all replicas, which share the load evenly."""
    if found.layout.pipeline_parallel > 1:
        return Energy.unknown("no power measurements of pipelines are known")
    if found.layout.is_apart:
        return Energy.unknown("no power measurements of such a layout are known")
    if found.memory.offload:
        return Energy.unknown("no power measurements with layers in host memory are known")
    rate = found.speed.output_tokens_per_s.times(1 / found.layout.replicas)
    return predict_energy(**assessor.running(found.choice, found.layout, found.memory), output_tokens_per_s=rate)


def prompt_share(assessor: Assessor, found: Assessed, workload: Workload | None = None) -> float | None:
    """The share of one replica's time that reading prompts takes; None with layers in host memory.

    `workload` is what it serves; None: its share of the load.
    """
    if pools := found.layout.pools:
        return pools.prefill / pools.servers
    if found.memory.offload or found.layout.is_apart:
        return None
    return predicted_prompt_share(**assessor.running(found.choice, found.layout, found.memory, workload))


def with_tokens_apart(assessor: Assessor, found: Assessed) -> Assessed:
    """The same with what its input and output tokens cost apart, where speed and price are known."""
    tokens_per_s = found.speed.output_tokens_per_s.value
    if found.cost is None or not tokens_per_s:
        return found
    share = prompt_share(assessor, found)
    return replace(found, cost=tokens_apart(found.cost, tokens_per_s, assessor.request.workload, share))


def crossover_batch(assessor: Assessor, found: Assessed) -> int | None:
    """The number of requests decoding together from which these weights are no faster than 16-bit ones."""
    if found.memory.offload or found.layout.is_apart:
        return None
    return predict_crossover(**assessor.running(found.choice, found.layout, found.memory))


def freeing_levers(assessor: Assessor, found: Assessed) -> tuple[Lever, ...]:
    """Settings that would free memory, largest gain first."""
    if found.memory.offload or found.layout.is_apart:
        return ()
    choice, tensor_parallel, stages = found.choice, found.layout.tensor_parallel, found.layout.pipeline_parallel
    entry, shape = assessor.scheme(choice), assessor.model.shape
    loaded = loaded_weights(assessor.model, entry, choice.group_size, tensor_parallel, choice.engine)
    situation = situation_for(
        shape,
        assessor.hardware,
        entry,
        stage_weights(loaded, shape, tensor_parallel, stages),
        engine=choice.engine,
        engine_version=engines()[choice.engine].version_on(assessor.hardware),
        tensor_parallel=tensor_parallel,
        kv_format=choice.kv_cache,
        workload=assessor.share(found.layout),
        pipeline_parallel=stages,
    )
    return tuple(levers(situation, choice.engine))


def artifact_bytes(shape: Shape, entry: Scheme) -> int | None:
    """Bytes of all tensors of the file a quantizer will write; known to the byte for GGUF, else None."""
    return gguf_bytes(shape, entry.ggml) if entry.ggml else None
