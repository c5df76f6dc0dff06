"""What a rule author is told about a broken file: file, line, column, the nearest valid word, the fix."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rules.book import load_book, read_book
from rules.errors import BadClause, BadShape, BrokenYaml, RuleError, UnknownSource

SOUND = """\
decision: kv_cache
question: How is the KV cache stored?
pick: first
rules:
  - id: long-context-fp8-kv
    when:
      - workload.context_tokens >= 32768
      - gpu.has_fp8
    then: {kv_cache: fp8}
    because: FP8 halves the cache.
    source: A.roadmap.4
    examples:
      - {it: 128k on H100, given: {workload: {context_tokens: 131072}}}
      - {it: 8k on H100, given: {workload: {context_tokens: 8192}}, picked: false}
"""


@pytest.mark.parametrize(
    ("sound", "broken", "kind", "text"),
    [
        (
            "workload.context_tokens >= 32768",
            "workload.contxt_tokens >= 32768",
            BadClause,
            "kv_cache.yaml:7:9: there is no fact workload.contxt_tokens\n"
            "Did you mean: workload.context_tokens, workload.output_tokens?\n"
            "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
        ),
        (
            "- gpu.has_fp8",
            "- gpu.has_fp8 >= 8.9",
            BadClause,
            "kv_cache.yaml:8:9: gpu.has_fp8 is true or false, not compared\n"
            "To fix: write `gpu.has_fp8` or `not gpu.has_fp8`",
        ),
        (
            "- gpu.has_fp8",
            '- "gpu.vendor == nvdia"',
            BadClause,
            "kv_cache.yaml:8:24: gpu.vendor is never `nvdia`\n"
            "Did you mean: nvidia?\n"
            "To fix: give it one of nvidia, amd, intel, apple, other",
        ),
        (
            "A.roadmap.4",
            "A.roadmp.4",
            UnknownSource,
            "kv_cache.yaml:11:13: there is no source A.roadmp.4\n"
            "Did you mean: A.roadmap.4, A.roadmap.8?\n"
            "To fix: cite a source of sources.yaml, or add it there with its date",
        ),
        (
            "{kv_cache: fp8}",
            "{kv_cach: fp8}",
            BadShape,
            "kv_cache.yaml:9:12: there is no key `kv_cach` here\nDid you mean: kv_cache?\nTo fix: use kv_cache",
        ),
        (
            "{kv_cache: fp8}",
            "{kv_cache: f8}",
            BadShape,
            "kv_cache.yaml:9:22: `kv_cache` cannot be `f8`\nDid you mean: fp8?\nTo fix: use 16-bit, fp8, int8",
        ),
        (
            "    because: FP8 halves the cache.\n",
            "",
            BadShape,
            "kv_cache.yaml:5:5: the key `because` is missing\nTo fix: add `because:` the reason, in one sentence",
        ),
        (
            "    because: FP8",
            "    becuase: FP8",
            BadShape,
            "kv_cache.yaml:10:5: there is no key `becuase` here\n"
            "Did you mean: because?\n"
            "To fix: use id, when, then, because, source, note, examples",
        ),
        (
            "picked: false",
            "pickd: false",
            BadShape,
            "kv_cache.yaml:14:69: there is no key `pickd` here\n"
            "Did you mean: picked?\n"
            "To fix: use it, given, picked, avoiding",
        ),
        (
            "it: 8k on H100,",
            "it: 8k, on H100,",
            BadShape,
            "kv_cache.yaml:14:18: there is no key `on H100` here\nTo fix: put quotes around text that holds a comma",
        ),
        (
            "context_tokens: 8192",
            "context_tokens: many",
            BadShape,
            "kv_cache.yaml:14:61: workload.context_tokens cannot be many\nTo fix: give it a whole number",
        ),
        (
            "{workload: {context_tokens: 8192}}",
            "{workload: {contex_tokens: 8192}}",
            BadShape,
            "kv_cache.yaml:14:45: there is no fact workload.contex_tokens\n"
            "Did you mean: workload.context_tokens, workload.input_tokens?\n"
            "To fix: use a fact of rules/vocabulary.py, or declare a new one there",
        ),
        (
            "{workload: {context_tokens: 8192}}",
            "{worklod: {context_tokens: 8192}}",
            BadShape,
            "kv_cache.yaml:14:34: there are no facts `worklod`\n"
            "Did you mean: workload?\n"
            "To fix: use model, hardware, gpu, workload, tools, decided",
        ),
        (
            "pick: first",
            "pick: frist",
            BadShape,
            "kv_cache.yaml:3:7: `pick` cannot be `frist`\nDid you mean: first?\nTo fix: use first, every",
        ),
        (
            "decision: kv_cache",
            "decision: kv_cash",
            BadShape,
            "kv_cache.yaml:1:11: there is no decision `kv_cash`\n"
            "Did you mean: kv_cache?\n"
            "To fix: use a decision of rules/outcomes.py, or declare what a new one may conclude there",
        ),
        (
            "    source: A.roadmap.4\n",
            "    source: A.roadmap.4\n    source: A.tree.1\n",
            BrokenYaml,
            "kv_cache.yaml:12:5: the key `source` is there twice\nTo fix: keep one of them",
        ),
        (
            "    when:\n",
            "    when: [\n",
            BrokenYaml,
            "kv_cache.yaml:7:7: not YAML: did not find expected node content\n"
            "To fix: indent with spaces, and put quotes around text that holds `: ` or starts with a sign",
        ),
    ],
)
def test_the_exact_words(
    write_book: Callable[[str], Path], sound: str, broken: str, kind: type[RuleError], text: str
) -> None:
    assert sound in SOUND
    with pytest.raises(kind) as caught:
        load_book(write_book(SOUND.replace(sound, broken, 1)))
    assert str(caught.value) == text


def test_a_second_rule_of_the_same_name_is_refused(write_book: Callable[[str], Path]) -> None:
    rule = SOUND[SOUND.index("  - id:") :]
    with pytest.raises(BadShape) as caught:
        load_book(write_book(SOUND + rule))
    assert str(caught.value) == (
        "kv_cache.yaml:15:9: another rule is called `long-context-fp8-kv`\n"
        "To fix: give it an id of its own, saying the outcome; the other stands in line 5"
    )


def test_an_empty_file_is_refused(write_book: Callable[[str], Path]) -> None:
    with pytest.raises(BrokenYaml, match="the file is empty"):
        load_book(write_book("# nothing yet\n"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a list\n", "kv_cache.yaml:1:1: `the file` cannot be a list"),
        ("just text\n", "kv_cache.yaml:1:1: `the file` cannot be `just text`"),
        ("[a]: 1\n", "kv_cache.yaml:1:1: a key is one word\nTo fix: write `key: value`"),
        ("a:\n\tb: 1\n", "kv_cache.yaml:2:1: a tab stands where YAML takes only spaces"),
    ],
)
def test_a_file_of_another_kind_is_refused(write_book: Callable[[str], Path], text: str, problem: str) -> None:
    with pytest.raises(RuleError) as caught:
        load_book(write_book(text))
    assert str(caught.value).startswith(problem)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "decisions").mkdir()
    (tmp_path / "decisions" / "width.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BrokenYaml, match="the file is not UTF-8 text"):
        load_book(tmp_path)


def test_a_directory_without_decisions_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"no decision files\nTo fix: put a file such as width\.yaml there"):
        load_book(tmp_path)


def test_every_problem_of_a_book_is_reported_and_sound_rules_are_kept(write_book: Callable[[str], Path]) -> None:
    rule = SOUND[SOUND.index("  - id:") :]
    second = rule.replace("long-context", "other").replace("A.roadmap.4", "Z.1").replace("gpu.has_fp8", "gpu.fp8")
    book, problems = read_book(write_book(SOUND + second))
    assert [type(problem) for problem in problems] == [UnknownSource, BadClause]
    assert [rule.id for rule in book.chapters["kv_cache"].rules] == ["long-context-fp8-kv"]


def test_words_stay_words(write_book: Callable[[str], Path]) -> None:
    """`no` and `on` are text, as in YAML 1.2, so that a `because` or an example may use them."""
    book = load_book(write_book(SOUND.replace("it: 128k on H100", "it: no")))
    assert book.chapters["kv_cache"].rules[0].examples[0].it == "no"


def test_a_book_may_bring_its_own_sources(write_book: Callable[[str], Path]) -> None:
    directory = write_book(SOUND.replace("A.roadmap.4", "ours.kv"))
    (directory / "sources.yaml").write_text(
        "ours:\n  title: Our measurements\n  kind: measurement\n  date: 2026-11-20\n  says:\n    kv: FP8 is fine.\n",
        encoding="utf-8",
    )
    source = load_book(directory).sources["ours.kv"]
    assert (source.title, source.says, source.date) == ("Our measurements", "FP8 is fine.", "2026-11-20")


def test_a_decision_asked_in_order_stays_in_one_file(write_book: Callable[[str, str], Path]) -> None:
    write_book(SOUND, "a.yaml")
    with pytest.raises(BadShape) as caught:
        load_book(write_book(SOUND, "b.yaml"))
    assert str(caught.value) == (
        "b.yaml:1:1: the decision `kv_cache` is made in a.yaml already\n"
        "To fix: keep the rules of a `pick: first` decision in one file, in the order they are asked"
    )


def test_a_decision_that_lets_every_rule_speak_may_be_spread(write_book: Callable[[str, str], Path]) -> None:
    every = SOUND.replace("pick: first", "pick: every")
    write_book(every, "a.yaml")
    book = load_book(write_book(every.replace("long-context-fp8-kv", "another"), "b.yaml"))
    assert [rule.id for rule in book.chapters["kv_cache"].rules] == ["long-context-fp8-kv", "another"]
    with pytest.raises(BadShape, match="another rule is called `long-context-fp8-kv`"):
        load_book(write_book(every, "b.yaml"))
