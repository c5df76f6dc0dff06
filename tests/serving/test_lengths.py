"""Lengths of requests: uniform ones, those of a file, and files that are none."""

from random import Random
from statistics import mean, pstdev

import pytest
from click.testing import CliRunner

from planner.cli.simulate_command import command
from planner.cli.simulate_options import lengths_asked
from planner.errors import BadInput
from planner.request import Workload
from planner.serving.lengths import Lognormal, Recorded, Uniform, read_lengths
from planner.serving.traffic import Source, Traffic


def test_uniform_lengths_keep_their_mean_their_bounds_and_the_spread_of_a_uniform_distribution():
    random, lengths = Random(1), Uniform(1000, 100, 0.5)
    prompts = [lengths.draw(random)[0] for _ in range(20_000)]
    assert (min(prompts), max(prompts)) == (500, 1500)
    assert mean(prompts) == pytest.approx(1000, rel=0.01)
    assert pstdev(prompts) == pytest.approx(1000 / 12**0.5, rel=0.02)


def test_pairs_of_a_file_are_drawn_whole(tmp_path):
    path = tmp_path / "real.csv"
    path.write_text("input_tokens,output_tokens\n10,1000\n\n2000, 20\n")
    recorded = read_lengths(path)
    assert recorded == Recorded(((10, 1000), (2000, 20)), "real.csv")
    assert (recorded.mean_input_tokens, recorded.mean_output_tokens) == (1005, 510)
    source = Source.of(Traffic(1005, 510, clients=1, lengths=recorded), 10_000, seed=0)
    asked = [source.request(0.0) for _ in range(100)]
    assert {(one.prompt_tokens, one.output_tokens) for one in asked} == {(10, 1000), (2000, 20)}


def test_the_command_takes_a_file_and_long_requests_make_the_tail(tmp_path):
    path = tmp_path / "real.csv"
    path.write_text("100,100\n" * 90 + "8000,100\n" * 10)
    on = ["llama-3.1-8b", "--on", "1xH100-80GB", "--rate", "2/s"]
    shown = CliRunner().invoke(command, [*on, "--lengths", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "890 tokens in, 100 out, drawn from the 100 requests of real.csv" in " ".join(shown.output.split())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "{path}: no lengths in it\nTo fix: write one input_tokens,output_tokens a line, such as 812,240"),
        (
            "812,240\n812;240\n",
            "{path}:2: '812;240' is not a pair of token counts\n"
            "To fix: write input_tokens,output_tokens, such as 812,240",
        ),
        (
            "812,0\n",
            "{path}:1: '812,0' is not a pair of token counts\n"
            "To fix: write input_tokens,output_tokens, such as 812,240",
        ),
        (
            "812,-3\n",
            "{path}:1: '812,-3' is not a pair of token counts\n"
            "To fix: write input_tokens,output_tokens, such as 812,240",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(tmp_path, content, says):
    path = tmp_path / "lengths.csv"
    path.write_text(content)
    with pytest.raises(BadInput) as refusal:
        read_lengths(path)
    assert str(refusal.value) == says.format(path=path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput) as refusal:
        read_lengths(tmp_path / "none.csv")
    assert str(refusal.value) == (
        f"{tmp_path / 'none.csv'}: cannot read lengths: No such file or directory\n"
        "To fix: name a file of input_tokens,output_tokens"
    )


def test_requests_longer_than_the_server_takes_are_refused():
    with pytest.raises(BadInput) as refusal:
        Recorded(((10, 10), (5000, 300)), "real.csv").require_within(4096)
    assert str(refusal.value) == (
        "real.csv: 1 of 2 requests are longer than the 4,096 tokens that the server takes; the longest has 5,300\n"
        "To fix: leave them out, or plan for more memory or a model of longer context"
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            (800, None, None, None, "real.csv"),
            "--lengths and --input-tokens both say how long requests are\nTo fix: leave one of them out",
        ),
        (
            (None, None, 0.5, 0.5, None),
            "--length-range and --length-spread both say how long requests are\nTo fix: leave one of them out",
        ),
        (
            (None, None, None, 1.0, None),
            "length range 1: it lies from 0 to below 1\n"
            "To fix: give --length-range 0.5 for lengths from half the mean to one and a half",
        ),
        ((None, None, -1.0, None, None), "length spread -1: it lies from 0 to 5 (standard deviation / mean)"),
    ],
)
def test_lengths_that_exclude_each_other_are_refused(given, says):
    with pytest.raises(BadInput) as refusal:
        lengths_asked(Workload(), *given)
    assert str(refusal.value) == says


def test_without_options_every_request_is_as_planned():
    assert lengths_asked(Workload(input_tokens=7, output_tokens=9), None, None, None, None, None) == (
        7,
        9,
        Lognormal(7, 9, 0.0),
    )
