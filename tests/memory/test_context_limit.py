"""The longest request a server is started to admit: what was asked for, else what its cache surely holds."""

from __future__ import annotations

import pytest

from planner.memory.constants import engine_constants
from planner.memory.towers import images_profiled
from planner.models.catalogue import find
from planner.plan import Memory
from planner.planning import make_plan
from planner.request import Request, Workload
from planner.units import GIB
from tests.memory.test_sizing import A100, H100, HOST, gpu, sized

ASKED = Workload(context_tokens=1300)


def test_a_70b_on_one_a100_admits_all_its_cache_holds_but_the_usual_error(shape_of):
    """81,920 tokens of 80 layers x 2 x 8 heads x 128 x 2 bytes are 25 GiB: the pool less 1.1 GiB holds more."""
    memory = sized(shape_of("llama-3.1-70b"), A100, "awq-int4")
    pool = (memory.free_gib + memory.gib("KV cache")) * GIB
    sure = pool - engine_constants("vllm")["pool_error_gib"]["stated"] * GIB
    limit = memory.context_limit_tokens
    assert limit is not None and limit * 327_680 <= sure < (limit + 16) * 327_680
    assert 100_000 < limit < memory.max_context_tokens


def test_what_is_asked_for_is_the_limit_and_takes_as_much(shape_of):
    default, asked = (sized(shape_of("llama-3.1-70b"), A100, "awq-int4", workload=w) for w in (Workload(), ASKED))
    assert asked.context_limit_tokens == 1300
    assert (asked.used_gib, asked.free_gib) == (default.used_gib, default.free_gib)


def test_a_limit_is_never_longer_than_the_model_reads_nor_shorter_than_the_load(shape_of):
    assert sized(shape_of("llama-3-8b")).context_limit_tokens == 8192
    tight = sized(shape_of("llama-3.1-70b"), gpu("A100", 75.2), "fp8-weight-only", workload=Workload(concurrency=1))
    assert tight.fits and tight.max_context_tokens > 1300 and tight.context_limit_tokens == 1300


@pytest.mark.parametrize("engine", ["llama.cpp", "transformers"])
def test_an_engine_that_reserves_the_limit_for_every_request_keeps_to_the_load(shape_of, engine):
    format_id = "gguf-q4_k_m" if engine == "llama.cpp" else "nf4"
    memory = sized(shape_of("llama-3.1-8b"), H100, format_id, engine=engine)
    assert memory.context_limit_tokens == 1300


def test_on_a_cpu_the_limit_is_the_room_that_is_reserved(shape_of):
    """Eight requests of 1,300 tokens take 11 blocks of 128 each, so one may take all 88."""
    memory = sized(shape_of("llama-3.1-8b"), HOST, engine_version="0.32.0")
    assert memory.context_limit_tokens == 8 * 11 * 128
    assert memory.reported_kv_tokens == 89 * 128


def test_windows_are_counted_once_at_the_limit():
    """vLLM reports whole requests of the limit; half of gpt-oss's layers keep a window of 128 tokens."""
    memory = sized(find("gpt-oss-20b").shape, H100, "mxfp4")
    assert memory.context_limit_tokens == 131_072
    assert (memory.reported_kv_tokens or 0) > 1.4 * memory.kv_tokens


def test_no_longer_than_a_video_of_one_frame():
    """vLLM would profile as many frames as fit the longest request: 14 of Qwen2.5-VL's are 114,688 tokens."""
    shape = find("qwen2.5-vl-7b").shape
    assert sized(shape).context_limit_tokens == 32_767
    videos = [images_profiled(shape, 8192, context) for context in (32_767, 32_768, 128_000)]
    assert [video.tokens for video in videos if video] == [16_384, 32_768, 114_688]
    wide: Memory = sized(shape, workload=Workload(context_tokens=128_000, concurrency=1))
    assert wide.gib("activation peak") > 6 * sized(shape).gib("activation peak")


def test_every_server_that_shares_its_cache_is_told():
    flags = {"vllm": "--max-model-len", "sglang": "--context-length", "tensorrt-llm": "--max_seq_len"}
    for engine, flag in flags.items():
        plan = make_plan(Request.model_validate({"model": "llama-3.1-8b", "hardware": "1xL40S", "engine": engine}))
        arguments = plan.chosen.engine_arguments
        limit = int(arguments[arguments.index(flag) + 1])
        assert limit == plan.chosen.memory.context_limit_tokens and limit > 100_000


def test_a_cache_that_turned_out_smaller_is_first_asked_for_less():
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xL40S"))
    rung = next(rung for rung in plan.ladder if rung.on == "memory")
    assert rung.says == "requests of up to 1,300 tokens"
    arguments = plan.on_rung(rung).chosen.engine_arguments
    assert arguments[arguments.index("--max-model-len") + 1] == "1300"


def test_llama_cpp_has_no_such_rung():
    plan = make_plan(Request(model="llama-3.2-1b", hardware="cpu:16GB"))
    assert plan.chosen.engine == "llama.cpp"
    assert not any("context_tokens" in rung.change for rung in plan.ladder)
