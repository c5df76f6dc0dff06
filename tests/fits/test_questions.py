"""Filters, and the exact words for nonsense."""

from functools import cache

import pytest

from planner.errors import BadInput
from planner.fits.fit import Fit
from planner.fits.on_hardware import all_fits, best_fits, outcome_on
from planner.fits.over_accelerators import everywhere
from planner.fits.question import Question, known_tasks, selected
from planner.hardware.resolving import resolve_hardware
from planner.models.catalogue import entries, find, model_of
from planner.models.model import Model


@cache
def catalogue() -> tuple[Model, ...]:
    return tuple(model_of(entry) for entry in entries())


def fits(question: Question, hardware: str = "1xL40S") -> tuple[Fit, ...]:
    return best_fits(resolve_hardware(hardware), catalogue(), question).fits


def names(task: str) -> set[str]:
    return {model.name for model in selected(catalogue(), Question(task=task))}


def test_tasks_are_told_by_names_and_configurations() -> None:
    assert {"qwen2.5-coder-7b", "starcoder2-7b", "codellama-34b", "devstral-small-24b"} <= names("code")
    assert {"bge-m3", "qwen3-embedding-8b", "e5-mistral-7b", "modernbert-base"} <= names("embedding")
    assert {"qwen2.5-vl-7b", "llama-3.2-11b-vision"} <= names("vision")
    assert "llama-3.1-8b" in names("chat") and not {"phi-2", "bert-base"} & names("chat")
    assert not names("code") & names("embedding")


def test_a_family_is_a_model_type_or_how_names_begin() -> None:
    assert {m.shape.family for m in selected(catalogue(), Question(family="qwen3_moe"))} == {"qwen3_moe"}
    begun = {m.name for m in selected(catalogue(), Question(family="Qwen3"))}
    assert {"qwen3-8b", "qwen3-30b-a3b", "qwen3.5-9b"} <= begun and "qwen2-7b" not in begun


def test_engine_and_format_are_the_only_ones_shown() -> None:
    shown = fits(Question(engine="sglang", format="awq-int4"))
    assert shown and {(fit.engine, fit.format) for fit in shown} == {("sglang", "awq-int4")}


def test_a_format_insisted_on_is_not_vetoed() -> None:
    assert "llama-3.2-1b" in {fit.model for fit in fits(Question(format="awq-int4"))}


def test_min_context_leaves_only_models_and_layouts_that_reach_it() -> None:
    shown = fits(Question(min_context=100_000))
    assert shown and all(fit.longest_context_tokens >= 100_000 for fit in shown)


def test_context_and_users_are_held() -> None:
    shown = fits(Question(context_tokens=16_384, users=20))
    assert shown and all(fit.users is None or fit.users >= 20 for fit in shown)
    assert all(fit.context_tokens == 16_384 <= fit.longest_context_tokens for fit in shown)


def test_without_a_context_short_models_are_asked_for_their_own() -> None:
    by_name = {fit.model: fit for fit in fits(Question())}
    assert by_name["llama-2-7b"].context_tokens == 4096
    assert by_name["llama-3.1-8b"].context_tokens == 8192


def test_models_made_for_less_are_counted_apart() -> None:
    counts = best_fits(resolve_hardware("1xL40S"), catalogue(), Question(context_tokens=100_000)).counts
    assert counts.too_short > 50
    assert counts.fitting + counts.without_room + counts.advised_against + counts.too_short == counts.models


def test_limit_shows_the_largest() -> None:
    assert fits(Question(limit=3)) == fits(Question())[:3]
    sizes = [fit.params_b for fit in fits(Question())]
    assert sizes == sorted(sizes, reverse=True)


def test_everything_says_why_not() -> None:
    model = find("llama-3.1-70b")
    assert model
    shown = all_fits(outcome_on(resolve_hardware("1xA100-80GB"), (model,), Question())).fits
    by = {(fit.format, fit.engine, fit.kv_cache): fit for fit in shown}
    assert len(by) == len(shown)
    assert by["bf16", "vllm", "16-bit"].reason.endswith("GiB short")
    assert by["awq-int4", "vllm", "fp8"].reason == "rule no-fp8-units-no-fp8"
    assert by["awq-int4", "vllm", "16-bit"].reason == "" == shown[0].reason
    states = [(not fit.fits, bool(fit.reason)) for fit in shown]
    assert states == sorted(states), "what fits first"


def test_why_a_context_is_not_reached() -> None:
    model = find("llama-2-7b")
    assert model
    outcome = outcome_on(resolve_hardware("1xA100-80GB"), (model,), Question(min_context=8192))
    assert {fit.reason for fit in all_fits(outcome).fits if fit.free_gib > 0} == {"made for 4,096 tokens"}


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            Question(users=0),
            "--users 0: not from 1 to 1,000,000 requests at once\nTo fix: give --users 1",
        ),
        (
            Question(context_tokens=-5),
            "--context-tokens -5: not from 1 to 100,000,000 tokens\nTo fix: give --context-tokens 1",
        ),
        (
            Question(min_context=-1),
            "--min-context -1: not from 0 to 100,000,000 tokens\nTo fix: give --min-context 1",
        ),
        (Question(limit=0), "--limit 0: not from 1 to 1,000,000 rows\nTo fix: give --limit 1"),
        (
            Question(task="embeding"),
            "--task embeding: the catalogue does not know what such a task is\nDid you mean: embedding?\n"
            "To fix: use one of: chat, code, embedding, vision",
        ),
        (
            Question(family="llama", task="embedding"),
            "no model of the catalogue passes the filters\nTo fix: leave out --family or --task",
        ),
    ],
)
def test_nonsense_is_refused_in_these_words(question: Question, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        fits(question)
    assert str(refused.value) == words


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    models = [model for model in catalogue() if model.name in ("llama-3.1-8b", "qwen3-30b-a3b")]
    with pytest.raises(BadInput) as refused:
        selected(models, Question(family="lama"))
    assert str(refused.value) == (
        "--family lama: no model of the catalogue is of that family\nDid you mean: llama?\n"
        "To fix: give a model_type of config.json (llama, qwen3_moe), or how the names begin (qwen3)"
    )


def test_an_engine_without_kernels_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        fits(Question(engine="vllm"), "1xM2-24GB")
    assert str(refused.value) == "no kernel for vllm on 1xM2-24GB\nTo fix: engines with kernels there: llama.cpp"


def test_a_model_made_for_less_is_refused_everywhere() -> None:
    model = find("phi-2")
    assert model
    with pytest.raises(BadInput) as refused:
        everywhere(model, Question(context_tokens=9999))
    assert str(refused.value) == "phi-2 was made for 2,048 tokens, not 9,999\nTo fix: ask for at most 2048 tokens"


def test_the_known_tasks() -> None:
    assert tuple(known_tasks()) == ("chat", "code", "embedding", "vision")
