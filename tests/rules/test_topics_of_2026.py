"""What an engineer of 2026 expects beyond the two articles: each topic has a rule, with a source and its date."""

import pytest

from rules.book import load_book

TOPICS = {
    "FP8 on Ada and newer": ("fp8-units-fp8", "published-fp8", "no-fp8-units-no-fp8"),
    "NVFP4 and MXFP4 on Blackwell": ("validated-on-blackwell-nvfp4", "unvalidated-quality-no-fp4", "fp4-next-to-fp8"),
    "weight-only FP8 through Marlin": ("marlin-fp8-weight-only", "stored-fp8-on-older-gpu-weight-only"),
    "FP8 KV cache with scales": ("long-context-fp8-kv", "fp8-kv-calibrate-its-scales"),
    "W4A8": ("hopper-many-requests-w4a8",),
    "mixture of experts": (
        "experts-over-many-gpus-expert-parallel",
        "experts-alone-at-4-bit-keep-attention",
        "routers-stay-in-16-bits",
        "experts-no-bitsandbytes",
        "latent-attention-data-parallel",
    ),
    "long contexts": (
        "long-prompts-chunk-size",
        "shared-beginnings-prefix-caching",
        "very-long-contexts-offload-kv",
        "long-dialogues-prefix-caching",
    ),
    "speculative decoding": (
        "few-requests-speculate",
        "own-heads-speculate-with-mtp",
        "published-eagle-heads-speculate",
    ),
    "disaggregated prefill": ("long-prompts-on-many-gpus-disaggregate",),
    "LoRA serving": ("fine-tunes-as-adapters",),
    "tools": ("agents-name-the-tool-parser",),
    "reasoning": ("reasoning-at-4-bit-validate", "reasoning-generates-long", "reasoning-names-its-parser"),
    "small models": ("small-model-no-int4", "small-model-8-bit", "small-model-q4-k-m-compare-q8-0"),
    "embedding models": ("embeddings-are-pooled",),
    "old GPUs": (
        "before-ampere-no-bf16",
        "older-gpu-fp16",
        "before-turing-no-8-bit-kernels",
        "before-ampere-no-marlin",
    ),
    "consumer cards over PCIe": ("no-fast-link-prefer-copies", "no-fast-link-split-by-layers"),
    "unified memory": (
        "unified-memory-leave-room-for-the-system",
        "unified-memory-few-at-once",
        "apple-gguf",
        "apple-raises-its-wired-limit",
    ),
    "AMD by engine": ("amd-4-bit-check-the-kernel",),
    "Intel by engine": ("intel-8-bit-check-the-kernel",),
}
RULES = {rule.id: rule for chapter in load_book().chapters.values() for rule in chapter.rules}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_has_rules_with_dated_sources_and_examples(topic: str) -> None:
    sources = load_book().sources
    for name in TOPICS[topic]:
        rule = RULES[name]
        assert rule.examples
        assert all(sources[cited].date for cited in rule.sources)


def test_a_refusal_names_hardware_that_holds_such_a_model() -> None:
    from planner.planning.pipeline import make_plan
    from planner.request import Request
    from planner.unfeasible import NoFeasiblePlan

    with pytest.raises(NoFeasiblePlan) as caught:
        make_plan(Request(model="llama-3.1-70b", hardware="1xRTX-4090"))
    assert caught.value.fix.endswith("an A100 80GB for a 70B in AWQ, four for a 405B [B.gpu_choice, B.memory_table]")
