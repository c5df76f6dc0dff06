"""The sweep's columns are the planner's own sizes: a random sample of candidates against `size_memory`, one by one."""

import random

import numpy as np
import pytest

from planner.fits.candidates import Columns, Fleet, Offer, layout_sizes, offers
from planner.fits.sweep import sweep
from planner.hardware.resolving import resolve_hardware
from planner.memory.sizing import layout_problem, size_memory
from planner.memory.weights import weight_bytes
from planner.models.catalogue import entries, model_of
from planner.models.model import Checkpoint, Model, StoredTensor
from planner.plan import Memory
from planner.request import Workload
from planner.schemes import scheme
from planner.support import engines
from planner.units import GIB

FAMILIES = (
    "llama-3.1-70b", "llama-2-7b", "mixtral-8x7b", "qwen3-30b-a3b", "gpt-oss-20b", "deepseek-v2-lite", "gemma-2-9b",
    "gemma-3-12b", "qwen3-next-80b-a3b", "jamba-mini", "granite-4.0-h-tiny", "falcon-mamba-7b", "phi-3-mini",
    "llama-3.2-11b-vision", "bge-m3", "falcon-7b", "qwen2.5-0.5b", "smollm2-135m",
)  # fmt: skip
USERS = 8
WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


def catalogue(names: tuple[str, ...] = FAMILIES) -> tuple[Model, ...]:
    return tuple(model_of(entry) for entry in entries() if entry.name in names)


def sized(model: Model, columns: Columns, number: int, offer: Offer, hardware: str, context: int) -> Memory:
    place = resolve_hardware(hardware)
    return size_memory(
        model,
        place,
        scheme(offer.format),
        engine=offer.engine,
        engine_version=engines()[offer.engine].version_on(place),
        tensor_parallel=int(columns.tensor_parallel[number]),
        kv_format=offer.kv_format,
        workload=Workload(context_tokens=context, concurrency=-(-USERS // int(columns.replicas[number]))),
    )


@pytest.mark.parametrize("hardware", ["1xA100-80GB", "4xH100-80GB", "1xT4", "2xB200", "1xM3-Ultra-512GB", "8xMI300X",
                                      "cpu:64GB:16cores"])  # fmt: skip
def test_a_random_sample_equals_the_sizes_one_by_one(hardware: str) -> None:
    models, place = catalogue(), resolve_hardware(hardware)
    assert len(models) == len(FAMILIES)
    offered = offers(place)
    contexts = [min(6000, model.shape.max_context_tokens) for model in models]
    columns = sweep(Fleet(models), (place,), offered, contexts, USERS)
    for number in random.Random(hardware).sample(range(len(columns)), 60):
        model, offer = models[columns.model[number]], offered[columns.offer[number]]
        memory = sized(model, columns, number, offer, hardware, contexts[columns.model[number]])
        what = f"{model.name} {offer}"
        weights_gib = sum(memory.gib(label) for label in WEIGHT_LABELS)
        assert columns.weight_bytes[number] / GIB == pytest.approx(weights_gib, rel=1e-9), what
        assert columns.free_bytes[number] / GIB == pytest.approx(
            memory.free_gib, rel=1e-9, abs=1e-9 * memory.available_gib
        ), what
        assert bool(columns.fits[number]) == memory.fits, what
        assert columns.longest_context[number] == memory.max_context_tokens, what
        users = memory.max_concurrency * columns.replicas[number]
        if np.isnan(columns.users[number]):
            assert memory.kv_bytes_per_token == 0 and users == 0, what
        else:
            assert columns.users[number] == pytest.approx(users, rel=1e-6), what


def test_every_possible_combination_is_swept_once() -> None:
    models, place = catalogue(("llama-3.1-8b", "smollm2-135m")), resolve_hardware("4xA100-80GB")
    offered = offers(place)
    columns = sweep(Fleet(models), (place,), offered, [4096, 4096], USERS)
    seen = list(zip(columns.model, columns.offer, columns.tensor_parallel, strict=True))
    possible = [
        (n, o, size)
        for n, model in enumerate(models)
        for o in range(len(offered))
        for size in layout_sizes(4)
        if layout_problem(model.shape, size) is None
    ]
    assert sorted(seen) == sorted(possible)
    assert {n for n, _, size in seen if size == 4} == {0}, "nine heads do not divide over four accelerators"


def test_layout_sizes_are_powers_of_two_and_all_together() -> None:
    assert layout_sizes(0) == (1,)
    assert layout_sizes(1) == (1,)
    assert layout_sizes(6) == (1, 2, 4, 6)
    assert layout_sizes(8) == (1, 2, 4, 8)
    assert layout_sizes(100_000)[-1] == 64


def test_a_checkpoint_on_disk_weighs_what_its_headers_say() -> None:
    (plain,) = catalogue(("llama-3.1-8b",))
    bytes = 20 * 10**9
    checkpoint = Checkpoint("here", "bf16", bytes, (StoredTensor("all.weight", "BF16", (1,), bytes),))
    model = Model(plain.name, plain.shape, "directory", "here", checkpoint=checkpoint)
    place = resolve_hardware("1xA100-80GB")
    offered = tuple(o for o in offers(place) if o.engine == "tensorrt-llm" and o.kv_format == "16-bit")
    columns = sweep(Fleet((model,)), (place,), offered, [4096], USERS)
    held = {offered[o].format: held for o, held in zip(columns.offer, columns.weight_bytes, strict=True)}
    assert held["bf16"] == pytest.approx(bytes)
    assert held["awq-int4"] == pytest.approx(weight_bytes(plain.shape, scheme("awq-int4")).total)


def test_places_that_are_swept_together_are_those_swept_apart() -> None:
    """One sweep over several kinds of accelerators gives each its own columns, in another order."""
    models = catalogue(("mixtral-8x7b", "gpt-oss-20b", "deepseek-v2-lite"))
    places = [resolve_hardware(label) for label in ("4xH100-80GB", "4xL40S", "4xT4")]
    offered, contexts = offers(places[0]), [4096] * len(models)
    together = sweep(Fleet(models), places, offered, contexts, USERS)
    assert set(together.place) == {0, 1, 2}
    for number, place in enumerate(places):
        alone, found = sweep(Fleet(models), (place,), offered, contexts, USERS), together.rows(together.place == number)
        for name in ("model", "offer", "tensor_parallel", "weight_bytes", "pool_bytes", "users", "longest_context"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name), err_msg=f"{place.label} {name}")
