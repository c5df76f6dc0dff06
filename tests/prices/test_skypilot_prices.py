"""SkyPilot's catalogue as a price source: rows of its published files, as it lays them on a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.catalog import load_yaml
from planner.cli.main import cli
from planner.errors import BadInput
from planner.hardware.catalogue import find_accelerator
from planner.planning import make_plan
from planner.prices import PriceLine, find_price, price_table
from planner.prices.skypilot import asked_of
from planner.request import Price, Request
from tests.prices.catalogue import CLOUDS, NEBIUS, VERDA, set_day, written

BOTH = {"nebius": NEBIUS, "verda": VERDA}


def lines(named: str) -> dict[tuple[str, str, str], PriceLine]:
    return {(line.name, line.provider, line.price_type): line for line in price_table(named).lines if line.file}


def test_the_cheapest_machine_of_each_cloud_counts_by_the_accelerator(tmp_path: Path) -> None:
    written(tmp_path)
    found = lines(f"skypilot:{tmp_path}")
    assert found["L40S", "Nebius", "on-demand"].usd_per_hour == 1.5484
    assert found["H200-141GB-SXM", "Nebius", "on-demand"].usd_per_hour == 28.00 / 8
    assert found["H200-141GB-SXM", "Nebius", "spot"].usd_per_hour == 11.60 / 8
    of_eight = found["H200-141GB-SXM", "Nebius", "on-demand"].source
    machine = "gpu-h200-sxm_8gpu-128vcpu-1600gb in us-central1, 8 in one machine"
    assert of_eight == f"{machine}; SkyPilot's nebius/vms.csv (v8)"


def test_a_card_is_told_by_its_instance_where_skypilots_name_means_several(tmp_path: Path) -> None:
    written(tmp_path)
    found = lines(f"skypilot:{tmp_path}")
    assert found["H100-80GB-PCIe", "Lambda", "on-demand"].usd_per_hour == 2.49
    assert found["H100-80GB-SXM", "Lambda", "on-demand"].usd_per_hour == 23.92 / 8
    assert found["H100-80GB-SXM", "Verda", "spot"].usd_per_hour == 0.8015
    assert found["RTX-A6000", "Lambda", "on-demand"].usd_per_hour == 1.09


def test_google_prices_its_accelerators_apart_from_their_machine(tmp_path: Path) -> None:
    written(tmp_path)
    found = lines(f"skypilot:{tmp_path}")
    on_demand, spot = (found["A100-40GB-SXM", "Google Cloud", kind] for kind in ("on-demand", "spot"))
    assert on_demand.usd_per_hour == pytest.approx(2.93391 + 0.73948)
    assert "a2-highgpu-1g in us-central1" in on_demand.source
    assert spot.usd_per_hour == pytest.approx(1.14750 + 0.31824)
    assert "a2-highgpu-1g in europe-west4" in spot.source


def test_what_is_not_known_for_sure_is_left_out_by_name(tmp_path: Path) -> None:
    written(tmp_path)
    told = {(each.name, each.providers): each.why for each in price_table(f"skypilot:{tmp_path}").left_out}
    assert told == {
        ("A100", ("Seeweb",)): "which of several cards it is, is not known",
        ("K80", ("AWS",)): "not in the catalogue of accelerators",
        ("L4", ("AWS",)): "only a part of an accelerator",
        ("L4", ("Seeweb",)): "SkyPilot tells another memory than that of L4",
        ("RTX-PRO-6000", ("Verda",)): "not in the catalogue of accelerators",
        ("T4", ("Google Cloud",)): "priced apart from the machine it stands in",
    }


def test_prices_carry_the_day_on_which_skypilot_fetched_them(tmp_path: Path) -> None:
    version = written(tmp_path, BOTH, fetched="2026-11-02")
    for cloud in BOTH:  # SkyPilot touches a file that it could not renew
        set_day(version / cloud / "vms.csv", "2026-11-20")
    changed = version / "verda" / "vms.csv"
    changed.write_text(VERDA.replace("2.29", "2.09"))
    set_day(changed, "2026-11-19")
    found = lines(f"skypilot:{tmp_path}")
    assert found["H100-80GB-SXM", "Nebius", "on-demand"].as_of == "2026-11-02"
    assert found["H100-80GB-SXM", "Verda", "on-demand"].as_of == "2026-11-19"


def test_the_newest_version_is_read_wherever_it_lies(tmp_path: Path) -> None:
    written(tmp_path / "catalogs", {"nebius": NEBIUS.replace("2.95", "3.95")})
    (tmp_path / "catalogs" / "v8").rename(tmp_path / "catalogs" / "v7")
    version = written(tmp_path / "catalogs", {"nebius": NEBIUS})
    for folder in (tmp_path, tmp_path / "catalogs", version):
        assert lines(f"skypilot:{folder}")["H100-80GB-SXM", "Nebius", "on-demand"].usd_per_hour == 2.95


def test_skypilots_own_folder_is_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKY_RUNTIME_DIR", str(tmp_path))
    written(tmp_path / ".sky" / "catalogs", BOTH)
    line = find_price("H100-80GB-SXM", table=price_table("skypilot"))
    assert line is not None and (line.provider, line.usd_per_hour, line.is_default) == ("Verda", 2.29, True)
    spot = find_price("H100-80GB-SXM", provider="Nebius", kind="spot", table=price_table("skypilot"))
    assert spot is not None and spot.usd_per_hour == 1.25


def test_lines_of_the_same_cloud_are_renewed_and_those_of_others_stay(tmp_path: Path) -> None:
    written(tmp_path, BOTH)
    table = price_table(f"skypilot:{tmp_path}")
    h100 = [line for line in table.by_name["H100-80GB-SXM"] if line.price_type == "on-demand"]
    assert [line.as_of for line in h100 if line.provider == "Nebius"] == ["2026-11-02"]
    assert "AWS" in {line.provider for line in h100}


def test_of_a_region_only_its_offers_are_there(tmp_path: Path) -> None:
    written(tmp_path)
    table = price_table(f"skypilot:{tmp_path}@eu*")
    assert {(line.name, line.provider) for line in table.lines} == {
        ("A100-40GB-SXM", "Google Cloud"), ("H100-80GB-SXM", "Nebius"), ("L40S", "Nebius")}  # fmt: skip


def test_an_unknown_region_is_refused_with_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, {"nebius": NEBIUS})
    with pytest.raises(BadInput) as refused:
        price_table(f"skypilot:{tmp_path}@eu-nort1")
    assert str(refused.value) == (
        "SkyPilot's catalogue offers no accelerator in region 'eu-nort1'\n"
        "Did you mean: eu-north1, us-central1?\n"
        "To fix: name a region, or a pattern such as 'eu-*'; without one the cheapest region is taken"
    )


def test_where_there_is_no_catalogue_it_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        price_table(f"skypilot:{tmp_path}")
    assert str(refused.value) == (
        f"{tmp_path}: there is no catalogue of SkyPilot\n"
        "To fix: `pip install skypilot` and `sky gpus list --all` put it there; or name its folder: skypilot:FOLDER"
    )


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    version = written(tmp_path, {"nebius": NEBIUS.replace("SpotPrice", "Preemptible")})
    with pytest.raises(BadInput) as refused:
        price_table(f"skypilot:{tmp_path}")
    assert str(refused.value) == (
        f"{version}/nebius/vms.csv: column SpotPrice is missing in SkyPilot's catalogue\n"
        "To fix: delete the file and run `sky gpus list --all`: SkyPilot then fetches it again"
    )


@pytest.mark.parametrize("named", ["prices.csv", "./skypilot", "skypilots", "my/skypilot"])
def test_a_file_is_no_catalogue_of_skypilots(named: str) -> None:
    assert asked_of(named) is None


def test_a_plan_takes_the_price_and_names_it(tmp_path: Path) -> None:
    written(tmp_path)
    asked = Request(model="llama-3.1-8b", hardware="1xL40S", price=Price(file=f"skypilot:{tmp_path}"))
    cost = make_plan(asked).chosen.cost
    assert cost is not None and cost.usd_per_hour == 1.5484
    assert "gpu-l40s-a_1gpu-8vcpu-32gb in eu-north1; SkyPilot's nebius/vms.csv (v8)" in cost.price_source


def test_the_command_lists_them_and_what_it_left_out(tmp_path: Path) -> None:
    written(tmp_path)
    told = CliRunner().invoke(cli, ["prices", "--prices", f"skypilot:{tmp_path}", "--region", "eu-*"])
    assert told.exit_code == 0
    (row,) = (line for line in told.output.splitlines() if line.startswith("L40S"))
    assert row.split()[:5] == ["L40S", "1.548", "Nebius", "on-demand", "2026-11-02"]
    refused = CliRunner().invoke(cli, ["prices", "--region", "eu-*"])
    assert str(refused.exception) == "only SkyPilot's prices are by region\nTo fix: --prices skypilot --region eu-*"
    told = CliRunner().invoke(cli, ["prices", "--prices", f"skypilot:{tmp_path}"])
    assert "Left out of SkyPilot's, priced apart from the machine it stands in: T4 (Google Cloud)" in told.output


def test_offers_of_skypilot_make_a_market(tmp_path: Path) -> None:
    written(tmp_path)
    market = tmp_path / "market.yaml"
    named = f"skypilot:{tmp_path}"
    told = CliRunner().invoke(cli, ["cluster", "--offers", "H100", "--prices", named, "--out", str(market)])
    assert told.exit_code == 0, told.output
    asked = ["--cluster", str(market), "--rate", "20/s", "--tpot-ms", "50", "--spare-nodes", "0"]
    told = CliRunner().invoke(cli, ["fleet", "llama-3.1-8b", *asked])
    assert told.exit_code == 0 and "$18.32 an hour" in told.output  # 8 of Verda's at 2.29, the cheapest there is


def test_every_entry_names_an_accelerator_of_the_catalogue() -> None:
    entries = load_yaml("skypilot_prices.yaml")["gpus"]
    assert {entry["gpu"] for entry in entries if find_accelerator(entry["gpu"]) is None} == set()
    assert set(CLOUDS) <= set(load_yaml("skypilot_prices.yaml")["clouds"])
