"""The door to the speed model: one model, one layout, one workload -> TTFT, TPOT and throughput with intervals."""

from __future__ import annotations

from dataclasses import replace

from planner.hardware.hardware import Hardware
from planner.models.shape import Shape
from planner.request import Nodes, Pools, Workload
from planner.schemes import Scheme
from planner.speed.cpu import cpu_speed
from planner.speed.crossover import crossover_batch
from planner.speed.estimate import Estimate, Speed
from planner.speed.gpu import gpu_speed
from planner.speed.offload import HostShare, offloaded_speed
from planner.speed.work import Layout, Running, Stored
from planner.support import engines, kernel_for
from rules.vocabulary import EngineId

__all__ = ["Estimate", "Speed", "predict_crossover", "predict_speed"]


def predict_speed(
    shape: Shape,
    hardware: Hardware,
    scheme: Scheme,
    *,
    engine: EngineId,
    tensor_parallel: int,
    kv_format: str,
    weight_bytes_per_gpu: float,
    kv_bytes_per_token: float,
    workload: Workload,
    pipeline_parallel: int = 1,
    nodes: Nodes | None = None,
    on_host: HostShare | None = None,
    data_parallel: int = 1,
    pools: Pools | None = None,
) -> Speed:
    """Speed of one copy of the model on `tensor_parallel` accelerators, or on the CPU where there is none.

    `weight_bytes_per_gpu` and `kv_bytes_per_token` are what one accelerator holds (`kv_format` is already in the
    latter). Never raises for a combination it does not know: each figure abstains with the reason instead. A pipeline
    has `tensor_parallel` accelerators a stage; `nodes` tells how they stand and what joins those. `on_host`: the part
    of the model in the host's memory; `weight_bytes_per_gpu` is then that of the whole model. With `data_parallel`
    copies of the attention the experts are dealt out over all their accelerators; `pools` are servers of their own.
    """
    kernel = kernel_for(engine, scheme.id, hardware)
    if kernel is None:
        return Speed.unknown(f"{engine} has no {scheme.id} kernel for {hardware.label}")
    stages = pipeline_parallel
    if engines()[engine].splits_layers:  # its accelerators work one after the other
        weight_bytes_per_gpu, kv_bytes_per_token = (
            weight_bytes_per_gpu * (1 if on_host else tensor_parallel),
            kv_bytes_per_token * tensor_parallel,
        )
        tensor_parallel = 1
    stored = Stored.of(scheme, weight_bytes_per_gpu * stages, kv_bytes_per_token * stages)
    if hardware.accelerator is None:
        return cpu_speed(
            shape, hardware.cpu, scheme, engine=engine, kernel=kernel.name, stored=stored, workload=workload
        )
    if on_host is not None:
        as_fitted = replace(stored, plain_bits=16.0)  # offload_constants.yaml counts the head so
        run = Running(engine, kernel.name, Layout(), as_fitted)
        return offloaded_speed(shape, hardware.accelerator, hardware.cpu, scheme, run, on_host, workload)
    experts = tensor_parallel * data_parallel if data_parallel > 1 else 1
    layout = Layout(tensor_parallel, data_parallel, experts, stages)
    run = Running(engine, kernel.name, layout, stored)
    if pools is not None or data_parallel > 1 or (nodes and tensor_parallel > nodes.accelerators_per_node):
        from planner.speed import spread

        if pools is not None:
            return spread.pooled_speed(shape, hardware.accelerator, scheme, run, workload, nodes, pools)
        return spread.spread_speed(shape, hardware.accelerator, scheme, run, workload, nodes)
    return gpu_speed(shape, hardware.accelerator, scheme, run, workload, nodes)


def predict_crossover(
    shape: Shape,
    hardware: Hardware,
    scheme: Scheme,
    *,
    engine: EngineId,
    tensor_parallel: int,
    weight_bytes_per_gpu: float,
    kv_bytes_per_token: float,
    workload: Workload,
) -> int | None:
    """The number of requests decoding together from which weight-only quantization is no faster than 16 bits.

    Arguments as for `predict_speed`. None on a CPU, for other schemes, and where it pays at every batch.
    """
    kernel = kernel_for(engine, scheme.id, hardware)
    if kernel is None or hardware.accelerator is None:
        return None
    stored = Stored.of(scheme, weight_bytes_per_gpu, kv_bytes_per_token)
    run = Running(engine, kernel.name, Layout(tensor_parallel=tensor_parallel), stored)
    return crossover_batch(shape, hardware.accelerator, scheme, run, workload)
