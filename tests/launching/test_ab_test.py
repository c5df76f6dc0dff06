"""A/B tests: sample sizes against published ones, and routing files that hold only what was meant."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from planner.cli.main import cli
from planner.errors import BadInput
from planner.launching.ab_test import Comparison, requests_per_side
from planner.launching.routing import Split, render_split


@pytest.mark.parametrize(
    ("baseline", "drop", "power", "published"),
    [
        (0.75, 0.25, 0.90, 77),  # R, ?power.prop.test: power.prop.test(p1 = .50, p2 = .75, power = .90)  n = 76.7
        (0.70, 0.10, 0.80, 356),  # Fleiss, table A.4 without continuity correction: 0.60 against 0.70, power 80 %
    ],
)
def test_sample_sizes_are_the_published_ones(baseline: float, drop: float, power: float, published: int) -> None:
    assert requests_per_side(Comparison(baseline, drop, power=power, two_sided=True)) == published


def test_a_one_percent_drop_needs_tens_of_thousands_of_requests() -> None:
    ran = CliRunner().invoke(cli, ["ab", "--baseline", "0.7", "--drop", "0.01", "--share", "50", "--json"])
    answer = json.loads(ran.output)
    assert 26_000 < answer["requests_per_side"] < 26_500
    assert answer["requests_in_all"] == 2 * answer["requests_per_side"]


def test_an_uneven_split_needs_more_in_all() -> None:
    few, even = (
        json.loads(CliRunner().invoke(cli, ["ab", "--baseline", "0.7", "--share", share, "--json"]).output)
        for share in ("10", "50")
    )
    assert few["requests_in_all"] == 10 * few["requests_per_side"] == 5 * even["requests_in_all"]


def test_what_is_no_share_is_refused() -> None:
    with pytest.raises(BadInput, match="baseline is 70, not a share between 0 and 1"):
        Comparison(70, 0.01)
    with pytest.raises(BadInput, match="leaves nothing"):
        Comparison(0.5, 0.5)


SPLIT = Split('a "model"\nname', "http://127.0.0.1:8001", "http://gpu-2.example:8002", 10)


def test_all_three_routers_send_the_same_share() -> None:
    files = render_split(SPLIT)
    assert "    10%  quantized;" in files["nginx.conf"]
    envoy = yaml.safe_load(files["envoy.yaml"])["static_resources"]
    [host] = envoy["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    weights = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    assert weights == [{"name": "quantized", "weight": 10}, {"name": "original", "weight": 90}]
    assert [cluster["name"] for cluster in envoy["clusters"]] == ["quantized", "original"]
    models = yaml.safe_load(files["litellm.yaml"])["model_list"]
    assert [m["litellm_params"]["weight"] for m in models] == [10, 90]
    assert {m["model_name"] for m in models} == {'a "model"\nname'}
    assert models[0]["litellm_params"]["api_base"] == "http://gpu-2.example:8002/v1"


def test_nginx_itself_accepts_it(tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    conf = render_split(SPLIT)["nginx.conf"].replace("gpu-2.example", "127.0.0.1")
    (tmp_path / "all.conf").write_text(f"events {{}}\nhttp {{\n{conf}\n}}\n")
    subprocess.run([nginx, "-t", "-c", tmp_path / "all.conf"], check=True)


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "http://host", "http://a;b:80", "http://a b:80", "http://h:99999"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="not an address of a server"):
        render_split(Split("m", url, "http://127.0.0.1:1", 10))


def test_a_split_needs_two_sides() -> None:
    with pytest.raises(BadInput, match="a share of 100 % leaves one side empty"):
        Split("m", "http://a:1", "http://b:2", 100)
