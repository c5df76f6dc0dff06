"""The check an author runs: the built-in book passes it, and a careless one is told what to add."""

from collections.abc import Callable
from pathlib import Path

from rules.book import BUILT_IN, load_book
from rules.checking import check_book

BOOK = """\
decision: kv_cache
question: How is the KV cache stored?
pick: first
rules:
  - id: long-fp8
    when:
      - workload.context_tokens >= 32768
      - gpu.has_fp8
    then: {kv_cache: fp8}
    because: FP8 halves it.
    source: A.roadmap.4
    examples:
      - {it: at 32k, given: {workload: {context_tokens: 32768}}}
      - {it: below, given: {workload: {context_tokens: 32000}}, picked: false}
      - {it: no FP8, given: {workload: {context_tokens: 32768}, gpu: {has_fp8: false}}, picked: false}
  - id: otherwise-16-bit
    when: always
    then: {kv_cache: 16-bit}
    because: It is small.
    source: A.pitfall.11
    examples:
      - {it: 8k, given: {workload: {context_tokens: 8192}}}
"""

ISSUE_IDS = {
    *(f"A.tree.{n}" for n in range(1, 7)),
    *("A.switch.1", "A.switch.2", "A.scheme.int8", "A.scheme.nf4", "A.scheme.gptq", "A.scheme.awq", "A.scheme.gguf"),
    *(f"A.pitfall.{n}" for n in (1, 2, 3, 4, 5, 6, 8, 10, 11, 12)),
    *(f"A.roadmap.{n}" for n in range(1, 9)),
    *("A.concept.granularity", "A.eval.failure_modes", "A.switch.3"),
    *(f"B.when.{format}" for format in ("awq", "gptq", "gguf", "fp8", "fp4")),
    *("B.prequantized", "B.quantize.hardware", "B.quantize.autoawq", "B.quantize.config", "B.trust_remote_code"),
    *("B.reasoning", "B.gpu_choice", *(f"B.pitfall.{n}" for n in (1, 2, 4, 5, 6, 7))),
}  # fmt: skip

CONTRADICTED_OR_OVERTAKEN = {
    "A.concept.granularity", "A.scheme.int8", "A.scheme.nf4", "A.scheme.gguf", "A.pitfall.4",
    "B.when.fp8", "B.quantize.hardware", "B.pitfall.2",
}  # fmt: skip


def findings(directory: Path) -> list[tuple[str, str]]:
    return [(finding.kind, str(finding.error)) for finding in check_book(directory).findings]


def test_the_built_in_book_is_sound_and_pinned_on_both_sides() -> None:
    check = check_book(BUILT_IN)
    assert [str(finding.error) for finding in check.findings] == []
    assert check.passed
    assert check.examples > 3 * check.rules


def test_the_built_in_book_cites_every_rule_of_the_articles() -> None:
    cited = {source for chapter in load_book().chapters.values() for rule in chapter.rules for source in rule.sources}
    assert ISSUE_IDS - cited == set()


def test_where_an_article_is_contradicted_or_overtaken_some_rule_tells_the_user() -> None:
    told = {
        source
        for chapter in load_book().chapters.values()
        for rule in chapter.rules
        if rule.note
        for source in rule.sources
    }
    assert CONTRADICTED_OR_OVERTAKEN - told == set()


def test_no_source_lies_idle() -> None:
    """The articles' statements are more than rules: tests/house/test_article_coverage.py follows those."""
    book = load_book()
    cited = {source for chapter in book.chapters.values() for rule in chapter.rules for source in rule.sources}
    assert {source for source in set(book.sources) - cited if not source.startswith(("A.", "B."))} == set()


def test_a_sound_book_has_no_findings(write_book: Callable[[str], Path]) -> None:
    assert findings(write_book(BOOK)) == []


def test_an_example_that_comes_out_differently(write_book: Callable[[str], Path]) -> None:
    directory = write_book(
        BOOK.replace("it: at 32k, given: {workload: {context_tokens: 32768}}", "it: at 32k, given: {}")
    )
    assert findings(directory)[0] == (
        "example",
        "kv_cache.yaml:13:9: example `at 32k`: long-fp8 should speak and does not; otherwise-16-bit speaks\n"
        "To fix: `workload.context_tokens >= 32768` does not hold there; change it or the example",
    )
    assert not check_book(directory).passed


def test_an_example_that_should_stay_silent(write_book: Callable[[str], Path]) -> None:
    directory = write_book(BOOK.replace("32000}}, picked: false", "40000}}, picked: false"))
    assert findings(directory)[0] == (
        "example",
        "kv_cache.yaml:14:9: example `below`: long-fp8 should stay silent and speaks\n"
        "To fix: change the rule, or what the example expects",
    )


def test_a_rule_that_can_never_speak(write_book: Callable[[str], Path]) -> None:
    head, long, otherwise = BOOK.partition("  - id: long")[0], *BOOK.partition("  - id: long")[1:]
    rules = long + otherwise
    first, second = rules.split("  - id: otherwise")
    swapped = head + "  - id: otherwise" + second + first
    assert findings(write_book(swapped)) == [
        (
            "shadowed",
            "kv_cache.yaml:12:9: long-fp8 never speaks: otherwise-16-bit comes first in all its examples\n"
            "To fix: move it up, or give the earlier rule one more clause",
        )
    ]


def test_a_threshold_no_example_pins_from_below(write_book: Callable[[str], Path]) -> None:
    directory = write_book(BOOK.replace("context_tokens: 32000", "context_tokens: 8192"))
    assert findings(directory) == [
        (
            "unpinned",
            "kv_cache.yaml:7:9: no example of long-fp8 pins `workload.context_tokens >= 32768`\n"
            "To fix: add an example between this and `workload.context_tokens >= 29491`",
        )
    ]
    assert check_book(directory).passed, "an unpinned threshold is a warning"


def test_a_threshold_no_example_pins_from_above(write_book: Callable[[str], Path]) -> None:
    directory = write_book(
        BOOK.replace(
            "at 32k, given: {workload: {context_tokens: 32768}}", "at 128k, given: {workload: {context_tokens: 131072}}"
        )
    )
    assert findings(directory) == [
        (
            "unpinned",
            "kv_cache.yaml:7:9: no example of long-fp8 pins `workload.context_tokens >= 32768`\n"
            "To fix: add an example between this and `workload.context_tokens >= 36045`",
        )
    ]


def test_a_clause_no_example_needs(write_book: Callable[[str], Path]) -> None:
    line = "      - {it: no FP8, given: {workload: {context_tokens: 32768}, gpu: {has_fp8: false}}, picked: false}\n"
    assert findings(write_book(BOOK.replace(line, ""))) == [
        (
            "unpinned",
            "kv_cache.yaml:8:9: no example of long-fp8 pins `gpu.has_fp8`\n"
            "To fix: add an example that fails this clause alone, with `picked: false`",
        )
    ]


def test_a_broken_rule_is_a_finding_and_the_rest_is_checked(write_book: Callable[[str], Path]) -> None:
    kinds = [kind for kind, _ in findings(write_book(BOOK.replace("A.roadmap.4", "A.roadmap.9")))]
    assert kinds == ["broken"]
