"""Models that accelerators hold only with the host's memory, in the table of what fits."""

from __future__ import annotations

import json

from click.testing import CliRunner

from planner.cli.fits_command import command


def fits(*arguments):
    done = CliRunner().invoke(command, [*arguments, "--users", "1", "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_a_model_too_large_whole_is_told_with_its_setting():
    (first, *_) = fits("llama-3.1-70b", "--on", "1xRTX-4090", "--host-memory-gib", "96")["fits"]
    assert (first["format"], first["engine"], first["fits"]) == ("gguf-q4_k_m", "llama.cpp", True)
    layers = int(first["offload"].removeprefix("-ngl ").removesuffix(" of 81"))
    assert 30 <= layers <= 41  # 39 GiB of weights on a card of 24 GB


def test_a_mixture_keeps_experts_behind():
    (first, *_) = fits("gpt-oss-120b", "--on", "1xRTX-4090+host:96GiB")["fits"]
    assert first["offload"].startswith("--n-cpu-moe ")


def test_nothing_is_offered_without_a_host_or_with_another_engine():
    assert not any(fit["offload"] for fit in fits("llama-3.1-70b", "--on", "1xRTX-4090")["fits"])
    asked = fits("llama-3.1-70b", "--on", "1xRTX-4090+host:96GiB", "--engine", "vllm")
    assert not any(fit["offload"] for fit in asked["fits"]) and asked["counts"]["offloaded"] == 0


def test_what_fits_whole_is_not_offered_in_parts():
    answer = fits("llama-3.1-8b", "--on", "1xRTX-4090+host:96GiB")
    assert not any(fit["offload"] for fit in answer["fits"])


def test_the_catalogue_ends_with_them_and_counts_them_apart():
    answer = fits("--on", "1xRTX-4090+host:96GiB", "--family", "llama-3")
    offered = [fit["offload"] is not None for fit in answer["fits"]]
    assert offered == sorted(offered) and sum(offered) == answer["counts"]["offloaded"] > 0
