"""How llama.cpp lays a model out: by layers over GPUs, and in the host's memory what they cannot hold."""

from __future__ import annotations

from planner.hardware.hardware import Hardware
from planner.memory.llama_fitting import Question, SplitMemory, fullest_gpu, largest_split
from planner.models.model import Model
from planner.models.shape import Shape
from planner.plan import Memory, Offload
from planner.planning.deciding import Choice
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.offload import HostShare
from planner.support import engines

ENGINE = "llama.cpp"
WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


def laid_out(
    evenly: Memory, model: Model, hardware: Hardware, choice: Choice, entry: Scheme, gpu_count: int, workload: Workload
) -> Memory:
    """The sum as llama.cpp lays the model out: by layers over several GPUs, the rest on the host where it must.

    `evenly` is the sum of equal shares; it stays for other engines, for one device that holds it, and on a CPU.
    """
    if choice.engine != ENGINE or hardware.accelerator is None or not entry.ggml:
        return evenly
    version = engines()[ENGINE].version_on(hardware)
    asked = Question(model, hardware, entry, version, gpu_count, choice.kv_cache, workload)
    whole = fullest_gpu(asked) if gpu_count > 1 else evenly
    if whole.fits or gpu_count < hardware.count:
        return whole
    found = largest_split(asked)
    return _joined(found, whole, model.shape.layer_count, gpu_count) if found else whole


def host_share(shape: Shape, offload: Offload | None) -> HostShare | None:
    """The part of the layers, and of the mixture layers' experts, that is the host's; None where nothing is."""
    if offload is None:
        return None
    mixtures = sum(group.count for group in shape.experts)
    behind = offload.cpu_expert_layers - (shape.layer_count - mixtures)
    return HostShare(
        layers=(offload.layers - offload.gpu_layers) / shape.layer_count,
        experts=max(0, behind) / mixtures if mixtures and offload.cpu_expert_layers else 0.0,
    )


def _joined(found: SplitMemory, whole: Memory, layer_count: int, gpu_count: int) -> Memory:
    """The fullest GPU's sum; what can be held is what the side holds that is full first."""
    gpu, host = found.gpu, found.host
    sides = [side for side in (gpu, host) if side.max_concurrency]
    return gpu.model_copy(
        update={
            "kv_bytes_per_token": whole.kv_bytes_per_token,
            "kv_tokens": min((side.kv_tokens for side in sides), default=0),
            "max_context_tokens": min((side.max_context_tokens for side in sides), default=0),
            "max_concurrency": min((side.max_concurrency for side in sides), default=0.0),
            "offload": Offload(
                gpu_layers=found.split.gpu_layers,
                layers=layer_count + 1,
                cpu_expert_layers=found.split.cpu_expert_layers,
                weights_gib=whole.gib(*WEIGHT_LABELS) * gpu_count,
                available_gib=host.available_gib,
                terms=host.terms,
                free_gib=host.free_gib,
            ),
        }
    )
