"""What everybody who serves models knows fits, and what does not (article B's table of hardware, model cards)."""

from functools import cache
from itertools import pairwise

import pytest

from planner.fits.fit import Fit
from planner.fits.on_hardware import all_fits, best_fits, outcome_on
from planner.fits.over_accelerators import everywhere
from planner.fits.question import Question
from planner.hardware.resolving import resolve_hardware
from planner.models.catalogue import entries, find, model_of
from planner.models.model import Model

ONE_USER = Question(users=1, context_tokens=4096)
EIGHT_USERS = Question()


@cache
def catalogue() -> tuple[Model, ...]:
    return tuple(model_of(entry) for entry in entries())


def named(name: str) -> Model:
    model = find(name)
    assert model is not None
    return model


def formats_that_fit(name: str, hardware: str, question: Question = ONE_USER) -> set[str]:
    answer = all_fits(outcome_on(resolve_hardware(hardware), (named(name),), question))
    return {fit.format for fit in answer.fits if fit.fits}


@cache
def best_on(hardware: str, question: Question = EIGHT_USERS) -> dict[str, Fit]:
    answer = best_fits(resolve_hardware(hardware), catalogue(), question)
    return {fit.model: fit for fit in answer.fits}


def test_70b_on_one_a100() -> None:
    formats = formats_that_fit("llama-3.1-70b", "1xA100-80GB")
    assert "awq-int4" in formats and "gptq-int4" in formats
    assert not formats & {"bf16", "fp16", "gguf-bf16"}


def test_405b_in_4_bits_needs_four_a100() -> None:
    assert "awq-int4" not in formats_that_fit("llama-3.1-405b", "2xA100-80GB")
    assert "awq-int4" in formats_that_fit("llama-3.1-405b", "4xA100-80GB")
    assert "bf16" not in formats_that_fit("llama-3.1-405b", "8xA100-80GB")


@pytest.mark.parametrize(
    ("name", "hardware"),
    [("llama-2-7b", "1xRTX-4090"), ("llama-3.1-8b", "1xRTX-4090"), ("llama-2-13b", "1xRTX-4090"),
     ("yi-34b", "1xL40S"), ("codellama-34b", "1xL40S"), ("llama-3.1-70b", "1xA100-80GB"),
     ("qwen2.5-72b", "1xA100-80GB"), ("llama-3.1-405b", "4xA100-80GB")],
)  # fmt: skip
def test_article_b_hardware_table(name: str, hardware: str) -> None:
    assert formats_that_fit(name, hardware) & {"awq-int4", "gptq-int4"}
    assert name in best_on(hardware, ONE_USER)


@pytest.mark.parametrize(
    ("name", "hardware"),
    [("llama-3.1-70b", "1xRTX-4090"), ("yi-34b", "1xT4"), ("llama-3.1-405b", "1xH200"), ("deepseek-v3", "4xH100-80GB")],
)
def test_what_is_known_not_to_fit(name: str, hardware: str) -> None:
    assert not formats_that_fit(name, hardware) & {"bf16", "fp8", "int8-w8a8", "awq-int4", "gptq-int4"}


def test_the_best_of_70b_on_a100_is_awq_on_vllm_as_the_articles_say() -> None:
    best = best_on("1xA100-80GB")["llama-3.1-70b"]
    assert (best.format, best.engine, best.kv_cache, best.tensor_parallel) == ("awq-int4", "vllm", "16-bit", 1)
    assert best.weights_gib == pytest.approx(37.1, abs=0.5), "TheBloke's and the maker's AWQ files are 39.8 GB"


def test_a_small_model_keeps_its_16_bits() -> None:
    best = best_on("1xA100-80GB")["llama-3.1-8b"]
    assert (best.format, best.quality, best.recovery_percent) == ("bf16", "reference", 100.0)


def test_gpt_oss_stays_as_its_maker_published_it() -> None:
    best = best_on("1xA100-80GB")["gpt-oss-120b"]
    assert (best.format, best.quality) == ("mxfp4", "as published")


def test_fp8_is_never_first_on_an_a100() -> None:
    assert not [fit.model for fit in best_on("1xA100-80GB").values() if "fp8" in (fit.format, fit.kv_cache)]


def test_nothing_advised_against_is_first() -> None:
    assert not [fit for fit in best_on("1xA100-80GB").values() if fit.reason or not fit.fits]


def test_more_memory_never_holds_less() -> None:
    names = [set(best_on(hardware)) for hardware in ("1xA100-40GB", "1xA100-80GB", "2xA100-80GB", "4xA100-80GB")]
    for smaller, larger in pairwise(names):
        assert smaller <= larger
    assert len(names[0]) < len(names[-1])


def test_more_users_never_hold_more() -> None:
    held = [len(best_on("1xL40S", Question(users=users))) for users in (1, 8, 64, 512)]
    assert held == sorted(held, reverse=True) and held[0] > held[-1]


def test_where_70b_fits() -> None:
    fits = {fit.hardware: fit for fit in everywhere(named("llama-3.1-70b"), Question()).answer().fits}
    assert fits["1xA100-80GB-SXM"].format == "awq-int4"
    assert "1xRTX-4090" not in fits and fits["4xRTX-4090"].fits
    assert not any(hardware.startswith(("2xM", "4xM2", "8xM4")) for hardware in fits if "MI" not in hardware)
    prices = [fit.usd_per_hour for fit in fits.values()]
    known = [price for price in prices if price is not None]
    assert known == sorted(known) and prices[: len(known)] == known, "known prices first, cheapest first"
    assert all(fit.price_source for fit in fits.values() if fit.usd_per_hour)


def test_each_accelerator_is_named_once_with_its_fewest() -> None:
    swept = everywhere(named("llama-3.1-70b"), Question())
    names = [fit.hardware.partition("x")[2] for fit in swept.answer().fits]
    assert len(names) == len(set(names))
    assert swept.answer().counts.fitting == len(names)
    tried = [o.hardware.label for o in swept.outcomes if o.hardware.label.endswith("xA100-40GB-SXM")]
    assert tried == ["1xA100-40GB-SXM", "2xA100-40GB-SXM"]
