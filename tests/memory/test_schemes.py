"""The catalogue of weight formats: complete, sourced, and refusing what it does not know."""

from __future__ import annotations

from typing import get_args

import pytest

from planner.errors import BadInput
from planner.quality import expected_quality
from planner.schemes import load_schemes, scheme
from rules.vocabulary import FormatId


def test_every_format_a_rule_may_name_has_an_entry_and_no_other_has():
    assert tuple(load_schemes()) == get_args(FormatId)


def test_every_entry_has_a_source_a_date_and_a_quality():
    for entry in load_schemes().values():
        assert entry.source and entry.as_of and expected_quality(entry.id, 8.0).phrase, entry.id


def test_four_bits_with_a_scale_and_a_zero_per_128_weights_is_4_156_bits():
    assert scheme("awq-int4").bits_per_weight() == pytest.approx(4.156, abs=0.001)


def test_a_smaller_group_costs_more_bits():
    assert scheme("awq-int4").bits_per_weight(group_size=32) == 4.625


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(BadInput) as refused:
        scheme("awq-int5")
    assert str(refused.value).splitlines()[:2] == [
        "no weight format is called 'awq-int5'",
        "Did you mean: awq-int4, gptq-int4, rtn-int4?",
    ]
    assert refused.value.fix.startswith("use one of: bf16, fp16, fp8")
