"""A GPU described in a YAML file: read, and refused with the line where it is wrong."""

from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.hardware.catalogue import find_accelerator
from planner.hardware.gpu_file import describe_gpu, read_gpu_file
from planner.hardware.resolving import resolve_hardware

GOOD = """\
# a card that does not exist
name: Card-X
vendor: other
architecture: X1
memory_gb: 32
bandwidth_gb_s: 1000
fp16_tflops: 200
source: maker's page, 2026-11
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my-gpu.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_described_gpu_is_used_like_any_other(tmp_path: Path) -> None:
    found = resolve_hardware(f"2x{written(tmp_path, GOOD)}")
    assert (found.label, found.count) == ("2xCard-X", 2)
    assert found.accelerator is not None
    assert found.accelerator.bandwidth_gb_s == 1000
    assert found.accelerator.fp8_tflops is None


def test_memory_defaults_to_the_stickers_bytes_and_says_so(tmp_path: Path) -> None:
    gpu = read_gpu_file(written(tmp_path, GOOD))
    assert gpu.memory_gib == pytest.approx(32e9 / 2**30, abs=0.01)
    assert gpu.memory_source == "declared: 32 GB in bytes, nothing reserved"


def test_a_catalogue_card_written_to_a_file_reads_back_the_same(tmp_path: Path) -> None:
    import yaml

    l40s = find_accelerator("L40S")
    assert l40s is not None
    again = read_gpu_file(written(tmp_path, yaml.safe_dump(describe_gpu(l40s))))
    assert describe_gpu(again) == describe_gpu(l40s)


REQUIRED = "To fix: name, vendor, architecture, memory_gb, bandwidth_gb_s, fp16_tflops and source are required"
NOT_A_MAPPING = f"a GPU file is a mapping of `key: value` lines\n{REQUIRED}"
KNOWN_KEYS = (
    "To fix: known keys: name, vendor, architecture, memory_gb, bandwidth_gb_s, fp16_tflops, source, memory_gib, "
    "compute_capability, fp8_tflops, int8_tops, fp4_tflops, interconnect, link_gb_s, tdp_watts, unified_memory, note, "
    "host_memory_gib, host_bandwidth_gb_s"
)
NOT_YAML = "To fix: one `key: value` per line"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            GOOD + "bandwith_gb_s: 5\n",
            9,
            f"unknown key 'bandwith_gb_s'\nDid you mean: bandwidth_gb_s, host_bandwidth_gb_s, link_gb_s?\n{KNOWN_KEYS}",
        ),
        (GOOD + "memory_gb: 64\n", 9, "memory_gb is given twice\nTo fix: keep one of the lines"),
        (GOOD.replace("1000", "-3"), 6, "bandwidth_gb_s: Input should be greater than 0, not -3"),
        (GOOD.replace("1000", ".inf"), 6, "bandwidth_gb_s: Input should be a finite number, not inf"),
        (GOOD.replace("1000", "[1]"), 6, "bandwidth_gb_s: Input should be a valid number, not [1]"),
        (GOOD.replace("fp16_tflops: 200\n", ""), 1, f"fp16_tflops is missing\n{REQUIRED}"),
        ("- a list\n", 1, NOT_A_MAPPING),
        ("", 1, NOT_A_MAPPING),
        ("name: [\n", 2, f"not YAML: expected the node content, but found '<stream end>'\n{NOT_YAML}"),
        (
            "a: !!python/name:os.system\n",
            1,
            "not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'\n"
            + NOT_YAML,
        ),
    ],
)
def test_a_bad_file_is_refused_at_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        read_gpu_file(path)
    assert str(refused.value) == f"{path}:{line}: {message}"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, "#" * 100_001)
    with pytest.raises(BadInput) as refused:
        read_gpu_file(path)
    assert str(refused.value) == f"{path}: a GPU file is a few lines; this one exceeds 100,000 bytes"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my-gpu.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput) as refused:
        read_gpu_file(path)
    assert str(refused.value) == f"{path}: cannot read the GPU file: it is not UTF-8 text"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_hardware(str(tmp_path) + "/")
    assert str(refused.value) == f"{tmp_path}: cannot read the GPU file: Is a directory"
