"""What people type, and what it means; every refusal word for word."""

import pytest

from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("8xH100-SXM", "8xH100-80GB-SXM"),
        ("2xL40S", "2xL40S"),
        ("RTX4090", "1xRTX-4090"),
        ("4x RTX 4090", "4xRTX-4090"),
        ("4 x rtx_4090", "4xRTX-4090"),
        ("4×RTX-4090", "4xRTX-4090"),
        ("  MI300X ", "1xMI300X"),
        ("2*b200", "2xB200-180GB-SXM"),
        ("1xA100-PCIe", "1xA100-80GB-PCIe"),
        ("M3-Max", "1xM3-Max-128GB"),
        ("3xA10", "3xA10"),
        ("7900XTX", "1xRX-7900-XTX"),
        ("2x7900XTX", "2xRX-7900-XTX"),
        ("100000xT4", "100000xT4"),
    ],
)
def test_a_declaration_is_read(typed: str, label: str) -> None:
    found = resolve_hardware(typed)
    assert found.label == label
    assert found.notes == ()
    assert not found.detected


def test_memory_of_all_accelerators_together() -> None:
    assert resolve_hardware("2xH100-80GB-SXM").memory_gib == pytest.approx(2 * 79.19)


@pytest.mark.parametrize(
    ("typed", "label", "note"),
    [
        (
            "1xA100-80GB",
            "1xA100-80GB-SXM",
            "A100-80GB taken as A100-80GB-SXM; also in the catalogue: A100-80GB-PCIe",
        ),
        (
            "2xA100",
            "2xA100-80GB-SXM",
            "A100 taken as A100-80GB-SXM; also in the catalogue: A100-40GB-PCIe, A100-80GB-PCIe, A100-40GB-SXM",
        ),
        (
            "1xH100-80GB",
            "1xH100-80GB-SXM",
            "H100-80GB taken as H100-80GB-SXM; also in the catalogue: H100-80GB-PCIe",
        ),
    ],
)
def test_a_short_name_takes_the_common_card_and_says_so(typed: str, label: str, note: str) -> None:
    found = resolve_hardware(typed)
    assert (found.label, found.notes) == (label, (note,))


def test_a_declared_cpu() -> None:
    found = resolve_hardware("cpu:64GiB:16cores")
    assert found.cpu is not None
    assert (found.label, found.memory_gib, found.cpu.cores) == ("cpu:64GiB:16cores", 64.0, 16)
    assert found.cpu.bandwidth_gb_s is None
    assert found.notes == (
        "bandwidth and matrix rate of a declared CPU are unknown: `quantplan plan --on here` measures them",
    )


def test_gb_are_ten_to_the_nine_and_unstated_cores_are_unknown() -> None:
    found = resolve_hardware("CPU:64GB")
    assert found.memory_gib == pytest.approx(64e9 / 2**30)
    assert found.cpu is not None
    assert found.cpu.cores == 0
    assert found.notes[1:] == (
        "GB read as 10^9 bytes: 59.6 GiB (write GiB if you mean binary units)",
        "cores not declared: write cpu:64GB:16cores to give them",
    )


TO_FIX_UNKNOWN = (
    "To fix: `quantplan detect --catalogue` lists the known ones; describe another in a YAML file and pass its path"
)
TO_FIX_COUNT = "To fix: write COUNTxNAME, for example 2xL40S"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "  ",
            "no hardware given\nTo fix: write COUNTxNAME (2xL40S), cpu:64GB, `here` for this machine, "
            "or the path of a YAML file describing the GPU",
        ),
        (
            "8xH1000-SXM",
            "unknown accelerator 'H1000-SXM'\nDid you mean: H100-80GB-SXM, H800-80GB-SXM, H200-141GB-SXM?\n"
            + TO_FIX_UNKNOWN,
        ),
        ("qqqq", "unknown accelerator 'qqqq'\n" + TO_FIX_UNKNOWN),
        ("x" * 500, f"unknown accelerator '{'x' * 57}...'\n" + TO_FIX_UNKNOWN),
        (
            "0xA100",
            "'0' accelerators in '0xA100': the count is a whole number from 1 to 100000\n" + TO_FIX_COUNT,
        ),
        (
            "-2xH100",
            "'-2' accelerators in '-2xH100': the count is a whole number from 1 to 100000\n" + TO_FIX_COUNT,
        ),
        (
            "1.5xH100",
            "'1.5' accelerators in '1.5xH100': the count is a whole number from 1 to 100000\n" + TO_FIX_COUNT,
        ),
        (
            "100001xH100",
            "'100001' accelerators in '100001xH100': the count is a whole number from 1 to 100000\n" + TO_FIX_COUNT,
        ),
        (
            "9" * 5000 + "xH100",
            f"'{'9' * 57}...' accelerators in '{'9' * 57}...': the count is a whole number from 1 to 100000\n"
            + TO_FIX_COUNT,
        ),
        (
            "cpu:lots",
            "'cpu:lots' is not a CPU host\nTo fix: write cpu:64GB, cpu:64GiB:16cores, or cpu for this machine",
        ),
        ("cpu:0GB", "'cpu:0GB': a host has more than 0 and at most 1,048,576 GiB of memory"),
        ("cpu:9999999TiB", "'cpu:9999999TiB': a host has more than 0 and at most 1,048,576 GiB of memory"),
        ("cpu:8GB:0cores", "'cpu:8GB:0cores': a host has from 1 to 99999 cores"),
        ("2x./nowhere.yaml", "nowhere.yaml: cannot read the GPU file: No such file or directory"),
    ],
)
def test_a_refusal_word_for_word(typed: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_hardware(typed)
    assert str(refused.value) == message


def test_each_character_of_nonsense_is_refused_cleanly() -> None:
    for typed in (
        "²xA100",
        "①xA100",
        "1x",
        "x",
        "cpu:.GB",
        "cpu:1.2.3GB",
        "cpu64",
        "\x00",
        "8x8xA100",
        "٣xA100",
        "1__0xA100",
    ):
        with pytest.raises(BadInput):
            resolve_hardware(typed)
