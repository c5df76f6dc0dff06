"""The accelerator catalogue: enough of it, every figure sourced, and right where the makers' figures are known."""

import re
from collections import Counter

import pytest

from planner.hardware.catalogue import entries, find_accelerator, known_accelerators, similar_names, spelling_key
from planner.hardware.hardware import Accelerator

ALL = known_accelerators()
each_accelerator = pytest.mark.parametrize("gpu", ALL, ids=lambda gpu: gpu.name)


def test_there_are_at_least_sixty() -> None:
    assert len(ALL) >= 60


def test_no_spelling_means_two_cards() -> None:
    spellings = Counter(
        key for e in entries() for key in {spelling_key(n) for n in (e.accelerator.name, *e.aliases, *e.assumed_for)}
    )
    assert [key for key, count in spellings.items() if count > 1] == []


@each_accelerator
def test_every_line_has_its_sources(gpu: Accelerator) -> None:
    assert gpu.source
    assert gpu.memory_source.startswith(("measured: ", "estimated: "))


@each_accelerator
def test_where_sources_disagree_a_note_says_what_was_taken(gpu: Accelerator) -> None:
    assert "compared with" not in gpu.source or gpu.note


@each_accelerator
def test_an_engine_never_sees_more_than_the_sticker(gpu: Accelerator) -> None:
    assert 0.65 * gpu.memory_gb <= gpu.memory_gib <= gpu.memory_gb


@each_accelerator
def test_an_estimated_memory_is_the_product_it_claims(gpu: Accelerator) -> None:
    claim = re.match(r"estimated: ([\d.]+) x ([\d.]+) \(", gpu.memory_source)
    if claim:
        assert gpu.memory_gib == pytest.approx(float(claim[1]) * float(claim[2]), abs=0.006)


@each_accelerator
def test_halving_the_bits_doubles_the_rate(gpu: Accelerator) -> None:
    """True of tensor units from FP16 to FP4, but for Gaudi 3, whose FP16 and FP8 are one published rate."""
    if gpu.fp8_tflops and gpu.name != "Gaudi-3":
        assert gpu.fp8_tflops == pytest.approx(2 * gpu.fp16_tflops, rel=0.03)
    if gpu.fp4_tflops:
        assert gpu.fp4_tflops / (gpu.fp8_tflops or 1) == pytest.approx(fp4_over_fp8(gpu), rel=0.03)


def fp4_over_fp8(gpu: Accelerator) -> int:
    """2, but 3 on Blackwell Ultra (extra FP4) and 4 where FP8 is slowed: GeForce with FP32 accumulate, and Thor."""
    if gpu.architecture == "Blackwell Ultra":
        return 3
    return 4 if gpu.name.startswith(("RTX-50", "Jetson-AGX-Thor")) else 2


@each_accelerator
def test_fp8_and_fp4_exist_where_the_architecture_has_them(gpu: Accelerator) -> None:
    if gpu.compute_capability is not None:
        assert (gpu.fp8_tflops is not None) == (gpu.compute_capability >= 8.9)
        assert (gpu.fp4_tflops is not None) == (gpu.compute_capability >= 10.0)


@pytest.mark.parametrize(
    ("name", "bandwidth_gb_s", "fp16_tflops", "watts"),
    [
        pytest.param("A100-80GB-SXM", 2039, 312, 400, id="NVIDIA A100 datasheet"),
        pytest.param("A100-80GB-PCIe", 1935, 312, 300, id="NVIDIA A100 PCIe datasheet"),
        pytest.param("H100-80GB-SXM", 3350, 989, 700, id="NVIDIA H100 datasheet"),
        pytest.param("H200-141GB-SXM", 4800, 989, 700, id="NVIDIA H200 datasheet"),
        pytest.param("L40S", 864, 362, 350, id="NVIDIA L40S datasheet"),
        pytest.param("L4", 300, 121, 72, id="NVIDIA L4 datasheet"),
        pytest.param("V100-16GB-SXM", 900, 125, 300, id="NVIDIA V100 datasheet"),
        pytest.param("RTX-4090", 1008, 165.2, 450, id="NVIDIA Ada whitepaper"),
        pytest.param("MI300X", 5300, 1307.4, 750, id="AMD MI300X data sheet"),
    ],
)
def test_the_makers_figures(name: str, bandwidth_gb_s: float, fp16_tflops: float, watts: float) -> None:
    gpu = find_accelerator(name)
    assert gpu is not None
    assert gpu.bandwidth_gb_s == pytest.approx(bandwidth_gb_s, rel=0.002)
    assert gpu.fp16_tflops == pytest.approx(fp16_tflops, rel=0.002)
    assert gpu.tdp_watts == watts


@pytest.mark.parametrize(
    ("name", "seen_gib"),
    [
        pytest.param("H100-80GB-SXM", 79.19, id="vLLM 0.19.0, llm-d-planner logs"),
        pytest.param("H100-80GB-SXM", 79.22, id="vllm-project/vllm#12126"),
        pytest.param("A100-80GB-SXM", 79.14, id="PyTorch, lianqi1008/Control-GIC#6"),
        pytest.param("A100-40GB-SXM", 39.50, id="vllm-project/vllm#12330"),
        pytest.param("L40S", 44.42, id="vLLM 0.10.2 log"),
        pytest.param("RTX-3090", 23.58, id="vllm-project/vllm#10517"),
        pytest.param("RTX-4090", 23.61, id="PyTorch, pinokiofactory/flux-webui#11"),
        pytest.param("RTX-4080", 15.56, id="vllm-project/vllm#10797"),
        pytest.param("H200-141GB-SXM", 139.81, id="vLLM 0.7.3 log"),
        pytest.param("MI300X", 191.98, id="vLLM on ROCm log"),
    ],
)
def test_memory_is_what_engines_print(name: str, seen_gib: float) -> None:
    gpu = find_accelerator(name)
    assert gpu is not None
    assert gpu.memory_gib == pytest.approx(seen_gib, rel=0.002)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100-80GB-SXM"),
        ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIe"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB-SXM"),
        ("NVIDIA H100 PCIe", "H100-80GB-PCIe"),
        ("NVIDIA H100 NVL", "H100-94GB-NVL"),
        ("NVIDIA H200", "H200-141GB-SXM"),
        ("NVIDIA B200", "B200-180GB-SXM"),
        ("NVIDIA GH200 480GB", "GH200-96GB"),
        ("NVIDIA GB10", "GB10-128GB"),
        ("NVIDIA L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100-16GB-SXM"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000-Server"),
    ],
)
def test_a_drivers_name_finds_its_card(spelling: str, name: str) -> None:
    gpu = find_accelerator(spelling)
    assert gpu is not None
    assert gpu.name == name


def test_similar_names_are_names_of_the_catalogue() -> None:
    assert similar_names("L40X")[0] in ("L40", "L40S")
    assert similar_names("zzzzzz") == ()
