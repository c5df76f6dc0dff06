"""`quantplan detect`: for people, for programs, and with a GPU it cannot plan for."""

import json

import pytest
from click.testing import CliRunner
from fake_nvml import FakeGpu, FakeNvml, FakeSlice, a100, rtx_4090

from planner.cli.main import cli
from planner.hardware import detection
from planner.hardware.hardware import Cpu

THIS_CPU = Cpu("Test CPU", 8, 64.0, ("avx2", "fma"), 41.5, 312.0, "2026-11-21", "C kernel")


def shown(monkeypatch: pytest.MonkeyPatch, *arguments: str, gpus: tuple[FakeGpu, ...] = ()) -> str:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", FakeNvml(*gpus))
    monkeypatch.setattr(detection, "read_cpu", lambda: THIS_CPU)
    monkeypatch.setattr(detection, "measured_cpu", lambda refresh=False: THIS_CPU)
    monkeypatch.setattr(detection, "free_memory_gib", lambda: 50.0)
    result = CliRunner().invoke(cli, ["detect", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_cpu_is_shown_with_its_rates_and_how_they_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown(monkeypatch)
    for said in (
        "Test CPU", "8 usable here", "64.0 GiB usable here, 50.0 GiB free now", "avx2 fma", "41.5 GB/s", "312 GFLOPS",
        "2026-11-21: C kernel (--refresh measures again)", "cpu: 64.0 GiB for a model in all",
        "- no GPU: the NVIDIA driver sees no GPU", "quantplan plan MODEL --on here",
    ):  # fmt: skip
        assert said in output


def test_gpus_are_shown_one_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown(monkeypatch, gpus=(a100(), a100(mig=[FakeSlice(3, 40960, 40000)])))
    assert "GPUs (NVIDIA driver 550.54.15)" in output
    assert "NVLink x12, PCIe 4 x16" in output
    assert "3g.40gib" in output
    assert "1xA100-80GB-SXM: 79.2 GiB for a model in all" in output


def test_a_gpu_without_catalogue_rates_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    output = shown(monkeypatch, gpus=(rtx_4090(name="NVIDIA Titan Z9"),))
    assert "NVIDIA Titan Z9" in output
    assert "It cannot be planned for yet: this machine's 'NVIDIA Titan Z9' is not in the catalogue" in output
    assert "bandwidth_gb_s: 1008" in output


def test_programs_get_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.loads(shown(monkeypatch, "--json", gpus=(a100(),)))
    assert answer["hardware"]["accelerator"]["name"] == "A100-80GB-SXM"
    assert answer["driver"]["driver_version"] == "550.54.15"
    assert answer["driver"]["gpus"][0]["ecc_enabled"] is True
    assert answer["cpu"]["bandwidth_gb_s"] == 41.5
    assert answer["problem"] is None


def test_the_catalogue_is_listed_for_people_and_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "RTX-PRO-6000-Workstation" in shown(monkeypatch, "--catalogue")
    listed = json.loads(shown(monkeypatch, "--catalogue", "--json"))
    assert len(listed) >= 60
    assert all(gpu["source"] and gpu["memory_source"] for gpu in listed)
