"""A cluster file: what it may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.clusters.reading import as_yaml, read_cluster
from planner.errors import BadInput

HOUSE = """\
name: house
between_nodes: {kind: infiniband, gbit_s: 400, latency_us: 5}
nodes:
  - {name: h100, gpu: H100-80GB-SXM, gpus: 8, count: 4, racks: 2}
  - name: l40s
    gpu: L40S
    gpus: 4
    count: 6
    inside: pcie
    price: {usd_per_node_hour: 4}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        read_cluster(path)
    return str(caught.value).replace(str(path), "cluster.yaml")


def test_nodes_their_links_and_prices(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, HOUSE))
    h100, l40s = cluster.nodes
    assert cluster.gpus == 4 * 8 + 6 * 4
    assert (h100.accelerator.name, h100.hardware.label) == ("H100-80GB-SXM", "8xH100-80GB-SXM")
    assert h100.accelerator.interconnect == "nvlink" and l40s.accelerator.interconnect == "pcie"
    assert l40s.usd_per_node_hour == 4.0 and l40s.hourly is not None and l40s.hourly.usd_per_hour == 1.0
    assert h100.hourly is not None and h100.hourly.as_of.startswith("20")  # a dated line of the price table
    assert [h100.rack_of(number) for number in range(4)] == [0, 1, 0, 1]
    link = cluster.link_of(l40s)
    assert link is not None and link.says == "400 Gb/s infiniband, 5 us"


def test_a_cluster_written_is_the_cluster_read(tmp_path: Path) -> None:
    cluster = read_cluster(written(tmp_path, HOUSE))
    assert read_cluster(written(tmp_path, as_yaml(cluster))) == cluster


def test_an_unknown_key_is_named_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    assert refused(tmp_path, HOUSE.replace("racks: 2", "rack: 2")) == (
        "cluster.yaml:4: unknown key 'rack'\nDid you mean: racks, price?\n"
        "To fix: known keys: name, gpu, gpus, count, racks, inside, inside_gb_s, between_nodes, price, host_memory_gib"
    )


def test_an_unknown_accelerator_is_named_with_the_nearest(tmp_path: Path) -> None:
    assert refused(tmp_path, HOUSE.replace("gpu: L40S", "gpu: L40X")).startswith(
        "cluster.yaml:6: unknown accelerator 'L40X'\nDid you mean: L40"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("count: 6", "count: -6"), "cluster.yaml:8: nodes.1.count: Input should be greater than or equal to 0"),
        (("    gpus: 4\n", ""), "cluster.yaml:5: nodes.1.gpus is missing\nTo fix: add a line `gpus: ...`"),
        (("name: l40s", "name: h100"), "cluster.yaml:1: two node types are named 'h100'"),
        (("    gpus: 4\n", "    gpus: 4\n    gpus: 8\n"), "cluster.yaml:8: gpus is given twice\nTo fix: keep one"),
        (("gbit_s: 400", "gbit_s: fast"), "cluster.yaml:2: between_nodes.gbit_s: Input should be a valid number"),
        (("name: house", "name: ["), "cluster.yaml:3: not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert refused(tmp_path, HOUSE.replace(*change)).startswith(message)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read a cluster file: No such file"):
        read_cluster(tmp_path / "nowhere.yaml")
