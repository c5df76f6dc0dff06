"""Power against published measurements that the test states itself, and what is not known."""

import pytest

from planner.energy.power import power_constants, power_support
from planner.energy.predicting import TDP_BOUND, Energy, predict_energy
from planner.energy.utilisation import Utilisation
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Hardware
from planner.models.catalogue import find
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.estimate import Estimate

GPUS = {gpu.name: gpu for gpu in known_accelerators()}


def energy(gpu: str, tokens_per_s: float | None, model: str = "llama-3.1-8b", **load: int) -> Energy:
    """BF16 on one accelerator with vLLM."""
    known = find(model)
    assert known is not None
    rate = Estimate(tokens_per_s, tokens_per_s, tokens_per_s, "") if tokens_per_s else Estimate.unknown("no constants")
    return predict_energy(
        known.shape,
        Hardware(label=gpu, accelerator=GPUS[gpu], count=1),
        scheme("bf16"),
        engine="vllm",
        tensor_parallel=1,
        weight_bytes_per_gpu=known.shape.parameters * 2,
        kv_bytes_per_token=131072,
        workload=Workload(**{"input_tokens": 200, "output_tokens": 400, "concurrency": 8, **load}),
        output_tokens_per_s=rate,
    )


@pytest.mark.parametrize(
    ("gpu", "concurrency", "tokens_per_s", "watts", "joules"),
    [
        ("H100-80GB-SXM", 16, 1953.571, 513, 0.2626),
        ("H100-80GB-SXM", 511, 9805.588, 688, 0.0702),
        ("B200-180GB-SXM", 8, 1637.264, 639, 0.391),
    ],
)
def test_published_runs_of_llama_8b(gpu, concurrency, tokens_per_s, watts, joules):
    """ML.ENERGY v3, Llama-3.1-8B-Instruct in BF16 on vLLM, chat: watts and joules within the 90 % interval, near it."""
    found = energy(gpu, tokens_per_s, concurrency=concurrency)
    assert found.watts_per_accelerator.value == pytest.approx(watts, rel=0.15)
    assert found.watts_per_accelerator.low < watts < found.watts_per_accelerator.high
    assert found.joules_per_output_token.value == pytest.approx(joules, rel=0.15)


def test_a_card_of_a_measured_class_borrows_and_says_so():
    found = energy("H200-141GB-SXM", 2000, concurrency=16).watts_per_accelerator
    assert found.source.startswith("constants of H100-80GB-SXM: ML.ENERGY v3")
    assert 300 < found.value < 700


def test_no_interval_passes_the_tdp():
    found = energy("H100-80GB-SXM", 9805, concurrency=511).watts_per_accelerator
    assert found.high == 700


@pytest.mark.parametrize(("bandwidth", "arithmetic"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_draw_stays_between_idle_and_the_tdp(bandwidth, arithmetic):
    share = power_constants().share_of_tdp(Utilisation(bandwidth, arithmetic, has_experts=True))
    assert power_constants().idle_share <= share <= 1


def test_without_measurements_there_is_only_the_bound_of_the_tdp():
    """An L40S has a TDP of 350 W by its datasheet: at 1000 tokens/s at most 0.35 J a token."""
    found = energy("L40S", 1000)
    watts, joules = found.watts_per_accelerator, found.joules_per_output_token
    assert (watts.value, watts.low, watts.high, watts.source) == (None, None, 350, TDP_BOUND)
    assert watts.abstained == "no power measurements of Ada accelerators are known"
    assert (joules.value, joules.high) == (None, pytest.approx(0.35))


def test_without_throughput_the_reason_is_kept():
    found = energy("H100-80GB-SXM", None)
    assert found.watts_per_accelerator.abstained == found.joules_per_output_token.abstained == "no constants"
    assert (found.watts_per_accelerator.high, found.joules_per_output_token.high) == (700, None)


def test_without_a_tdp_nothing_is_said():
    unstated = next(gpu for gpu in known_accelerators() if gpu.tdp_watts is None)
    found = energy(unstated.name, 100)
    assert found.watts_per_accelerator == Estimate.unknown(f"the TDP of {unstated.name} is unknown")


def test_a_cheaper_link_is_another_card():
    """The PCIe card of a class has half the power limit of the one that was measured: nothing is borrowed."""
    assert power_support(GPUS["H100-80GB-PCIe"]) is None
