"""A stand-in for the `pynvml` module: the same names, answers and errors, for machines made up in a test."""

from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

GIB = 2**30
MIB = 2**20


class NVMLError(Exception):
    """What pynvml raises for a question this device, driver or state has no answer to."""


@dataclass
class FakeSlice:
    """A MIG instance."""

    slices: int
    total_mib: int
    free_mib: int


@dataclass
class FakeGpu:
    """One GPU. None means: the driver answers 'Not Supported'."""

    name: str
    total_mib: int | None
    free_mib: int = 0
    reserved_mib: int = 0
    capability: tuple[int, int] = (8, 0)
    clock_mhz: int | None = None
    bus_bits: int | None = None
    nvlinks: int = 0
    pcie: tuple[int, int] = (4, 16)
    ecc: int | None = 1
    power_mw: int = 400_000
    mig: list[FakeSlice] = field(default_factory=list)
    mig_most: int = 7


class FakeNvml(ModuleType):
    """The module: `nvmlInit` first, `nvmlShutdown` last, one device per `FakeGpu`."""

    NVMLError = NVMLError
    NVML_CLOCK_MEM = 2
    NVML_NVLINK_MAX_LINKS = 18
    nvmlMemory_v2 = 0x2000028

    def __init__(self, *gpus: FakeGpu, driver: str | None = "550.54.15", knows_reserve: bool = True) -> None:
        super().__init__("pynvml")
        self.gpus, self.driver, self.knows_reserve = gpus, driver, knows_reserve
        self.ready, self.shutdowns = False, 0

    def nvmlInit(self) -> None:
        if self.driver is None:
            raise NVMLError("NVML Shared Library Not Found")
        self.ready = True

    def nvmlShutdown(self) -> None:
        self.ready, self.shutdowns = False, self.shutdowns + 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self._all())

    def nvmlSystemGetDriverVersion(self) -> str:
        return str(self.driver)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self._all()[index]

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:
        return gpu.name

    def nvmlDeviceGetMemoryInfo(self, device: FakeGpu | FakeSlice, version: int | None = None) -> SimpleNamespace:
        if version and not self.knows_reserve:
            raise NVMLError("Function Not Found")
        total = supported(device.total_mib) * MIB
        reserved = getattr(device, "reserved_mib", 0) * MIB if version else 0
        return SimpleNamespace(total=total, free=device.free_mib * MIB, reserved=reserved)

    def nvmlDeviceGetCudaComputeCapability(self, gpu: FakeGpu) -> tuple[int, int]:
        return gpu.capability

    def nvmlDeviceGetEccMode(self, gpu: FakeGpu) -> tuple[int, int]:
        return supported(gpu.ecc), supported(gpu.ecc)

    def nvmlDeviceGetMaxPcieLinkGeneration(self, gpu: FakeGpu) -> int:
        return gpu.pcie[0]

    def nvmlDeviceGetMaxPcieLinkWidth(self, gpu: FakeGpu) -> int:
        return gpu.pcie[1]

    def nvmlDeviceGetPowerManagementDefaultLimit(self, gpu: FakeGpu) -> int:
        return gpu.power_mw

    def nvmlDeviceGetMaxClockInfo(self, gpu: FakeGpu, clock: int) -> int:
        assert clock == self.NVML_CLOCK_MEM
        return int(supported(gpu.clock_mhz))

    def nvmlDeviceGetMemoryBusWidth(self, gpu: FakeGpu) -> int:
        return int(supported(gpu.bus_bits))

    def nvmlDeviceGetNvLinkState(self, gpu: FakeGpu, link: int) -> int:
        if not gpu.nvlinks:
            raise NVMLError("Not Supported")
        return int(link < gpu.nvlinks)

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> tuple[int, int]:
        return (1, 1) if gpu.mig else (0, 0)

    def nvmlDeviceGetMaxMigDeviceCount(self, gpu: FakeGpu) -> int:
        return gpu.mig_most

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: FakeGpu, index: int) -> FakeSlice:
        if index >= len(gpu.mig):
            raise NVMLError("Not Found")
        return gpu.mig[index]

    def nvmlDeviceGetAttributes(self, mig: FakeSlice) -> SimpleNamespace:
        return SimpleNamespace(gpuInstanceSliceCount=mig.slices, memorySizeMB=mig.total_mib)

    def _all(self) -> tuple[FakeGpu, ...]:
        if not self.ready:
            raise NVMLError("Uninitialized")
        return self.gpus


def supported(value: Any) -> Any:
    if value is None:
        raise NVMLError("Not Supported")
    return value


def a100(**changes: Any) -> FakeGpu:
    """An A100 80 GB SXM as its driver describes it: 81920 MiB, of which it keeps some."""
    facts: dict[str, Any] = {
        "name": "NVIDIA A100-SXM4-80GB", "total_mib": 81920, "free_mib": 80506, "reserved_mib": 869,
        "clock_mhz": 1593, "bus_bits": 5120, "nvlinks": 12,
    }  # fmt: skip
    return FakeGpu(**{**facts, **changes})


def rtx_4090(**changes: Any) -> FakeGpu:
    """An RTX 4090 as its driver describes it."""
    facts: dict[str, Any] = {
        "name": "NVIDIA GeForce RTX 4090", "total_mib": 24564, "free_mib": 23900, "reserved_mib": 382,
        "capability": (8, 9), "clock_mhz": 10501, "bus_bits": 384, "ecc": 0, "power_mw": 450_000,
    }  # fmt: skip
    return FakeGpu(**{**facts, **changes})
