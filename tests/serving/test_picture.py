"""The picture of waits against load: its curves are the ladder's figures, its level lines the targets."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from planner.cli.simulate_command import command
from planner.errors import BadInput

ASKED = ("llama-3.1-8b", "--on", "1xH100-80GB", "--rate", "2/s", "--ttft-ms", "300", "--tpot-ms", "15")


def drawn(path: Path, *more: str) -> tuple[str, dict]:
    answered = CliRunner().invoke(command, [*ASKED, *more, "--plot", str(path), "--json"])
    assert answered.exit_code == 0, answered.output
    return path.read_text(), json.loads(answered.output)


def heights(svg: str) -> list[list[float]]:
    """Of each line, the pixels from the top of the picture to each of its points."""
    lines = re.findall(r'<path d="(M [^"z]+)"[^>]*stroke-width="2.2"', svg)
    return [[float(y) for y in re.findall(r"[ML] [-\d.]+ ([-\d.]+)", line)] for line in lines]


def test_every_load_is_a_point_with_its_figure_and_targets_are_level(tmp_path):
    svg, content = drawn(tmp_path / "waits.svg", "--percentile", "95")
    height = float(ElementTree.fromstring(svg).attrib["height"])
    p50, p95, target, *_ = heights(svg)
    assert len(p50) == len(p95) == len(content["ladder"])
    assert len(set(target)) == 1 and ">300 ms</text>" in svg and ">15 ms</text>" in svg
    missed = [row["ttft_ms"]["p95"] > 300 for row in content["ladder"]]
    assert [at < target[0] for at in p95] == missed and any(missed) and not all(missed)
    assert all(0 <= at <= height for line in heights(svg) for at in line)
    assert "2 requests/s</text>" in svg and "p95: " in svg
    assert set(re.findall(r"https?://[^\s\"<]+", svg)) == {"http://www.w3.org/2000/svg"}


def test_a_target_of_the_mean_is_drawn_beside_the_mean(tmp_path):
    svg, _ = drawn(tmp_path / "waits.svg")
    assert ">mean</text>" in svg and "targets are of the mean" in svg


def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    nowhere = tmp_path / "missing" / "waits.svg"
    with pytest.raises(BadInput) as refusal:
        CliRunner().invoke(command, [*ASKED, "--plot", str(nowhere)], catch_exceptions=False, standalone_mode=False)
    assert str(refusal.value) == f"{nowhere}: cannot write: No such file or directory\nTo fix: name another file"
