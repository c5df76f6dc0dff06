"""A layout that the user insists on and that cannot be is refused in words."""

import pytest

from planner.errors import BadInput
from planner.planning import make_plan
from planner.request import Request


@pytest.mark.parametrize(
    ("model", "hardware", "wanted", "says"),
    [
        ("llama-3.1-8b", "1xL4", 2, "--tensor-parallel 2: 1xL4 has 1"),
        ("llama-3.1-8b", "4xL4", 3, "--tensor-parallel 3: 32 attention heads do not divide over 3"),
        ("llama-3.1-8b", "cpu:64GB", 2, "--tensor-parallel 2: cpu:64GB has 1"),
    ],
)
def test_an_impossible_layout(model: str, hardware: str, wanted: int, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        make_plan(Request(model=model, hardware=hardware, tensor_parallel=wanted))
    assert str(caught.value).startswith(says)
    assert str(caught.value).endswith("To fix: leave it out: the rules choose a layout that is possible")
