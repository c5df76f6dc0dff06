"""The user's own environment for quantizing: taken when it is named and new enough, refused with what it lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from executor.toolchains import own_python as own
from executor.toolchains.catalog import catalog
from planner.errors import BadInput

SPEC = catalog().torch_quantize
GOOD = {
    "torch": "2.11.0+cu130", "llmcompressor": "0.14.0.1", "bitsandbytes": "0.50.2", "gptqmodel": "7.6.0",
    "transformers": "5.17.0", "datasets": "5.2.0",
}  # fmt: skip


def named(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    monkeypatch.setenv("QUANTPLAN_TORCH_QUANTIZE", "/opt/quantize/bin/python")
    monkeypatch.setattr(own, "installed_for", lambda python: versions)


def test_none_is_named_so_none_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTPLAN_TORCH_QUANTIZE", raising=False)
    assert own.own_python(SPEC) is None


def test_one_that_is_new_enough_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, GOOD)
    found = own.own_python(SPEC)
    assert found is not None and found.python == Path("/opt/quantize/bin/python")


def test_one_that_lacks_something_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, {**GOOD, "bitsandbytes": "0.43.1", "datasets": ""} | {"datasets": "4.1"})
    with pytest.raises(BadInput) as refused:
        own.own_python(SPEC)
    assert str(refused.value).startswith(
        "QUANTPLAN_TORCH_QUANTIZE=/opt/quantize/bin/python: its bitsandbytes is 0.43.1; needed: 0.50\n"
    )
    named(monkeypatch, {})
    with pytest.raises(BadInput, match="no Python that starts"):
        own.own_python(SPEC)


def test_versions_are_read_from_the_python_itself() -> None:
    assert "pytest" in own.installed_for(Path(sys.executable))
    assert own.installed_for(Path("/no/such/python")) == {}
