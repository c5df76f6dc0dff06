"""Speculative decoding, against the paper's formula, published speed-ups, and what a user may get wrong."""

import json

import pytest
from click.testing import CliRunner

from planner.cli.simulate_command import command
from planner.cli.simulate_options import speculation_asked
from planner.errors import BadInput
from planner.models.resolving import resolve_model
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request, Workload
from planner.serving.drafting import draft_named
from planner.serving.from_plan import server_of, speculating
from planner.serving.server import Server
from planner.serving.speculation import Speculation, SpeculativeClock, stops_paying_at
from rules.vocabulary import FormatId

# Qwen3 with EAGLE-3 heads, vLLM 0.11.2, one H20, 2 drafted tokens, batch 1 (Tencent/AngelSlim, README, mean of four
# data sets): tokens a second without and with the head, tokens per step.
PUBLISHED = {
    "qwen3-1.7b": (381.05, 642.93, 2.17),
    "qwen3-4b": (233.26, 386.94, 2.07),
    "qwen3-8b": (151.81, 257.52, 1.99),
    "qwen3-14b": (93.26, 145.33, 1.79),
    "qwen3-32b": (43.32, 74.1, 1.91),
    "qwen3-30b-a3b": (320.87, 438.07, 2.04),
}


def plan_of(model: str = "llama-3.1-8b", hardware: str = "1xH100-80GB", format: FormatId = "bf16", **load: int) -> Plan:
    workload = Workload(**{"input_tokens": 500, "output_tokens": 500, "concurrency": 8, **load})
    return make_plan(Request(model=model, hardware=hardware, engine="vllm", format=format, workload=workload))


def with_draft(plan: Plan, draft: str, tokens: int = 3, acceptance: float = 0.7) -> tuple[Server, SpeculativeClock]:
    server = speculating(plan, server_of(plan), Speculation(draft, tokens, acceptance))
    assert isinstance(server.clock, SpeculativeClock)
    return server, server.clock


@pytest.mark.parametrize(
    ("acceptance", "drafted", "tokens"),
    [(0.0, 4, 1.0), (1.0, 4, 5.0), (0.5, 1, 1.5), (0.8, 3, 2.952), (0.6, 7, 2.458)],
)
def test_tokens_per_step_follow_leviathan(acceptance, drafted, tokens):
    """(1 - a^(k+1)) / (1 - a), and its limits: nothing accepted gives one token, everything k + 1."""
    assert Speculation("eagle", drafted, acceptance).tokens_per_step == pytest.approx(tokens, abs=0.001)


@pytest.mark.parametrize("model", PUBLISHED)
def test_speed_ups_of_eagle_heads_are_those_published(model):
    plain, drafted, tokens = PUBLISHED[model]
    acceptance = (4 * tokens - 3) ** 0.5 / 2 - 0.5  # 1 + a + a^2 = tokens
    _, clock = with_draft(plan_of(model, "1xH20", concurrency=1), "eagle", 2, acceptance)
    assert clock.speed_up(1, 750) == pytest.approx(drafted / plain, rel=0.06)


def test_a_head_shares_memory_with_the_cache_and_n_grams_take_none():
    plan = plan_of()
    before = server_of(plan).limits.kv_tokens
    heads, grams = with_draft(plan, "eagle")[0].limits, with_draft(plan, "ngram")[0].limits
    assert 0.9 * before < heads.kv_tokens < before
    assert grams.kv_tokens == before and grams.tokens_each == 4


def test_a_prompt_adds_to_speculated_steps_what_it_adds_to_plain_ones_and_whole_steps_pass_before_it():
    plan = plan_of()
    server, clock = with_draft(plan, "ngram")
    added = clock.prompt_step_ms(2048, 0, 8, 750) - clock.decode_step_ms(8, 750)
    plain = clock.target.prompt_step_ms(2048, 0, 8, 750) - clock.target.decode_step_ms(8, 750)
    assert added == pytest.approx(plain)
    assert clock.prompt_step_ms(2048) == clock.target.prompt_step_ms(2048)
    assert server.entry_steps == pytest.approx(server_of(plan).entry_steps * clock.speculation.tokens_per_step)


def test_an_eagle_3_head_is_about_as_large_as_a_published_one():
    """AngelSlim/Qwen3-8B_eagle3: q, k, v of twice the width, o, MLP, fusion of three states, a head of 32,000."""
    attention = 8192 * (4096 + 1024 + 1024) + 4096 * 4096
    published = attention + 3 * 4096 * 12288 + 4096 * 12288 + 32000 * 4096
    shape = draft_named("eagle", resolve_model("qwen3-8b")).shape
    assert shape is not None
    assert shape.parameters == pytest.approx(published, rel=0.12)


def test_a_larger_draft_costs_more():
    plan = plan_of("llama-3.1-70b", "4xH100-80GB")
    small, large = (with_draft(plan, name)[1].speed_up(1, 750) for name in ("llama-3.2-1b", "llama-3.2-3b"))
    assert small > large > 1


def test_mtp_is_for_models_that_ship_it():
    plan = plan_of("deepseek-v3", "8xH200", "fp8", concurrency=4)
    assert with_draft(plan, "mtp", 1, 0.85)[1].speed_up(4, 750) > 1.0


def test_with_short_contexts_it_stops_paying_and_just_there():
    _, clock = with_draft(plan_of(), "ngram", 3, 0.2)
    batch = stops_paying_at(clock, 200, 2000)
    assert batch is not None and batch > 1
    assert clock.speed_up(batch - 1, 200) > 1 >= clock.speed_up(batch, 200)
    assert stops_paying_at(clock, 200, batch - 1) is None
    never = with_draft(plan_of(), "eagle", 3, 0.0)[1]
    assert stops_paying_at(never, 200, 2000) == 1


def simulated(*options: str) -> str:
    return CliRunner().invoke(command, ["llama-3.1-8b", "--on", "1xH100-80GB", *options]).output


def test_the_command_tells_tokens_speed_up_and_where_it_ends():
    asked = ("--rate", "2/s", "--speculate", "eagle", "--draft-tokens", "3", "--acceptance", "0.7")
    shown = " ".join(simulated(*asked).split())
    assert "Speculating with eagle: 2.53 tokens a step; tokens come 2." in shown
    assert "pays up to batch" in shown or "stops paying at batch" in shown
    with_it = json.loads(simulated(*asked, "--json"))
    without = json.loads(simulated("--rate", "2/s", "--json"))
    ratio = without["asked"]["tpot_ms"]["mean"] / with_it["asked"]["tpot_ms"]["mean"]
    assert with_it["speculation"]["speed_up_at_load"] == pytest.approx(ratio)
    assert without["speculation"] is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            ("eagle", 3, 1.5),
            "acceptance 1.5: a share of drafted tokens lies from 0 to 1\nTo fix: give --acceptance 0.7 for 70 %",
        ),
        (("eagle", 0, 0.5), "0 drafted tokens: a draft has at least one\nTo fix: give --draft-tokens 3"),
        (
            ("eagle", None, None),
            "speculative decoding without --draft-tokens and --acceptance\n"
            "To fix: give all of --speculate eagle --draft-tokens 3 --acceptance 0.7 (as measured with your own texts)",
        ),
    ],
)
def test_impossible_speculation_is_refused(given, says):
    with pytest.raises(BadInput) as refusal:
        speculation_asked(*given)
    assert str(refusal.value) == says


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        ("eagel", "--speculate: no model is called 'eagel'\nDid you mean: eagle?\nTo fix: use eagle, mtp or ngram, or"),
        (
            "mtp",
            "llama-3.1-8b ships no multi-token-prediction layers\nTo fix: use --speculate eagle or ngram",
        ),
        (
            "qwen3-0.6b",
            "qwen3-0.6b cannot draft for llama-3.1-8b: its vocabulary has 151,936 tokens, not 128,256\n"
            "To fix: name a smaller model of the target's own family",
        ),
        (
            "llama-3.1-405b",
            "llama-3.1-405b leaves no room for a KV cache: its weights take 756 GiB on each accelerator\n"
            "To fix: name a smaller draft, use --speculate ngram, or plan for more memory",
        ),
    ],
)
def test_a_draft_that_cannot_be_is_refused(draft, says):
    with pytest.raises(BadInput) as refusal:
        with_draft(plan_of(), draft)
    assert str(refusal.value).startswith(says)
