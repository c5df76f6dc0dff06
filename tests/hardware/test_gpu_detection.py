"""GPUs through the driver: what is read, how it is judged, and what happens without a driver."""

import pytest
from fake_nvml import FakeGpu, FakeNvml, FakeSlice, a100, rtx_4090

from planner.errors import BadInput
from planner.hardware import detection
from planner.hardware.detection import detect
from planner.hardware.hardware import Cpu, Hardware
from planner.hardware.nvml import read_driver

THIS_CPU = Cpu("Test CPU", 8, 64.0, ("avx2",), 40.0, 300.0, "2026-11-21", "by hand")


@pytest.fixture(autouse=True)
def quiet_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A known CPU: these tests measure nothing."""
    monkeypatch.setattr(detection, "read_cpu", lambda: THIS_CPU)
    monkeypatch.setattr(detection, "measured_cpu", lambda refresh=False: THIS_CPU)
    monkeypatch.setattr(detection, "free_memory_gib", lambda: 50.0)


def seen(*gpus: FakeGpu) -> Hardware:
    return detect(pynvml=FakeNvml(*gpus))


def test_eight_a100_over_nvlink() -> None:
    found = seen(*[a100() for _ in range(8)])
    assert (found.label, found.count, found.detected) == ("8xA100-80GB-SXM", 8, True)
    assert found.accelerator is not None
    assert found.accelerator.fp16_tflops == 312
    assert found.accelerator.interconnect == "nvlink"
    assert found.notes == ()


def test_memory_is_what_the_driver_leaves_and_free_is_the_least_of_the_group() -> None:
    found = seen(a100(), a100(free_mib=40960))
    assert found.accelerator is not None
    assert found.accelerator.memory_gib == pytest.approx((81920 - 869) / 1024)
    assert found.accelerator.memory_source == "measured: NVIDIA driver 550.54.15"
    assert found.free_memory_gib == 40.0


def test_an_old_driver_that_does_not_tell_its_reserve_gives_all_of_it() -> None:
    found = detect(pynvml=FakeNvml(a100(), knows_reserve=False))
    assert found.memory_gib == 80.0


@pytest.mark.parametrize(
    ("clock_mhz", "bus_bits", "published_gb_s"),
    [
        pytest.param(10501, 384, 1008, id="RTX 4090, NVIDIA Ada whitepaper"),
        pytest.param(1593, 5120, 2039, id="A100 80 GB SXM, NVIDIA A100 datasheet"),
        pytest.param(2619, 5120, 3352, id="H100 SXM, NVIDIA H100 datasheet (3.35 TB/s)"),
        pytest.param(5001, 256, 320, id="T4, NVIDIA T4 datasheet"),
        pytest.param(14001, 512, 1792, id="RTX 5090, NVIDIA RTX Blackwell whitepaper"),
    ],
)
def test_bandwidth_from_clock_and_bus_is_the_published_one(clock_mhz: int, bus_bits: int, published_gb_s: int) -> None:
    reading = read_driver(FakeNvml(a100(clock_mhz=clock_mhz, bus_bits=bus_bits))).gpus[0]
    assert reading.bandwidth_gb_s == pytest.approx(published_gb_s, rel=0.002)


def test_the_driver_is_released_whatever_happens() -> None:
    nvml = FakeNvml(a100())
    read_driver(nvml)
    assert (nvml.shutdowns, nvml.ready) == (1, False)


def test_a_reading_tells_ecc_links_and_capability() -> None:
    reading = read_driver(FakeNvml(rtx_4090(ecc=None))).gpus[0]
    assert reading.ecc_enabled is None
    assert (reading.pcie_generation, reading.pcie_width, reading.nvlinks) == (4, 16, 0)
    assert reading.compute_capability == 8.9
    assert read_driver(FakeNvml(a100())).gpus[0].ecc_enabled is True
    assert read_driver(FakeNvml(a100())).gpus[0].nvlinks == 12


def test_no_driver_means_the_cpu_and_says_so() -> None:
    found = detect(pynvml=FakeNvml(driver=None))
    assert (found.label, found.accelerator, found.cpu) == ("cpu", None, THIS_CPU)
    assert found.free_memory_gib == 50.0
    assert found.notes == (
        "no GPU: no NVIDIA driver (NVML Shared Library Not Found); "
        "AMD, Intel and Apple GPUs are not detected, declare them: --on 1xMI300X",
    )


def test_a_driver_without_gpus_means_the_cpu() -> None:
    assert detect(pynvml=FakeNvml()).notes[0].startswith("no GPU: the NVIDIA driver sees no GPU;")


def test_a_machine_without_pynvml_is_told_which_extra_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    assert read_driver().absence == "pynvml is not installed (pip install 'quantplan[nvidia]')"


def test_mixed_gpus_plan_for_the_larger_group_and_say_what_is_left_aside() -> None:
    found = seen(a100(), rtx_4090(), a100())
    assert found.label == "2xA100-80GB-SXM"
    assert found.notes == (
        "mixed GPUs: of the equal ones, these 2 have the most memory; left aside: NVIDIA GeForce RTX 4090",
    )


def test_an_nvlink_card_whose_links_are_down_talks_over_pcie() -> None:
    found = seen(a100(nvlinks=0), a100(nvlinks=0))
    assert found.accelerator is not None
    assert (found.accelerator.interconnect, found.accelerator.link_gb_s) == ("pcie", 64.0)


def test_a_mig_slice_gets_its_share_of_memory_bandwidth_and_rates() -> None:
    """A 3g.40gb slice of an A100 80 GB: 4 of 8 memory slices, 3 of 7 compute slices (NVIDIA MIG user guide)."""
    whole = a100(reserved_mib=0, mig=[FakeSlice(slices=3, total_mib=40960, free_mib=40000)])
    found = seen(whole)
    assert found.accelerator is not None
    assert found.label == "1xA100-80GB-SXM-MIG-3g.40gib"
    assert found.accelerator.memory_gib == 40.0
    assert found.accelerator.bandwidth_gb_s == pytest.approx(2039 / 2)
    assert found.accelerator.fp16_tflops == pytest.approx(312 * 3 / 7)
    assert found.notes == ("a MIG slice: bandwidth by its share of memory, rates by its share of multiprocessors",)


def test_equal_mig_slices_are_one_group() -> None:
    whole = a100(mig=[FakeSlice(2, 20480, 20000), FakeSlice(2, 20480, 19000), FakeSlice(1, 10240, 10000)])
    found = seen(whole)
    assert found.count == 2
    assert found.free_memory_gib == pytest.approx(19000 / 1024)


def test_a_partitioned_gpu_without_instances_is_no_gpu() -> None:
    gpu = a100(mig=[FakeSlice(1, 10240, 10000)], mig_most=0)
    assert detect(pynvml=FakeNvml(gpu)).accelerator is None


def test_memory_unlike_the_catalogues_is_remarked_on() -> None:
    found = seen(rtx_4090(total_mib=49140, reserved_mib=633))
    assert found.notes == (
        "the driver reports 47.4 GiB where RTX-4090 has 23.6: its other figures are the catalogue's",
    )


def test_a_gpu_that_shares_the_hosts_memory_has_the_hosts_memory() -> None:
    found = seen(FakeGpu("NVIDIA GB10", None, capability=(12, 1), ecc=None))
    assert found.accelerator is not None
    assert (found.memory_gib, found.free_memory_gib) == (64.0, 50.0)
    assert found.accelerator.memory_source == "measured: the host's memory, which it shares"


def test_a_gpu_not_in_the_catalogue_is_refused_with_a_file_to_fill_in() -> None:
    with pytest.raises(BadInput) as refused:
        seen(
            rtx_4090(
                name="NVIDIA GeForce RTX 4090 Laptop GPU",
                total_mib=16376,
                reserved_mib=381,
                clock_mhz=9001,
                bus_bits=256,
            )
        )
    assert str(refused.value) == (
        "this machine's 'NVIDIA GeForce RTX 4090 Laptop GPU' is not in the catalogue: its matrix rates are unknown\n"
        "Did you mean: RTX-4090, RTX-4070-Ti, RTX-4060-Ti-16GB?\n"
        "To fix: write this to my-gpu.yaml, fill in the ?, and plan `--on ./my-gpu.yaml`:\n"
        "  name: NVIDIA-GeForce-RTX-4090-Laptop-GPU\n"
        "  vendor: nvidia\n"
        "  architecture: ?\n"
        "  memory_gb: 17\n"
        "  memory_gib: 15.62\n"
        "  bandwidth_gb_s: 576\n"
        "  fp16_tflops: ?\n"
        "  compute_capability: 8.9\n"
        "  source: driver and ?"
    )
