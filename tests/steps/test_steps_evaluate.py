"""Perplexity: read from real output, compared like with like, judged by the source's tolerance."""

from __future__ import annotations

import pytest
from example_plan import example_plan

from executor.evaluate.perplexity import LinesLost, increase, parse_perplexity, windows_told
from executor.steps.evaluate import evaluate
from planner.errors import BadInput, ExecutionFailed

# Printed by llama-perplexity (llama.cpp 0c1e57098) for the README's example; numbers of docs in tools/perplexity.
REAL_OUTPUT = """\
perplexity: tokenizing the input ..
perplexity: tokenization took 11.7 ms
perplexity: calculating perplexity over 52 chunks, n_ctx=512, batch_size=2048, n_seq=4
perplexity: 0.34 seconds per pass - ETA 0.07 minutes
[1]79.1301,[2]96.0012,[3]103.2071,[4]101.8804,
[5]99.1150,
Final estimate: PPL = 94.4412 +/- 1.52210
"""
TOO_SHORT = "perplexity: the data file you provided tokenizes to only 31 tokens\n"


def test_the_final_estimate_is_read() -> None:
    read = parse_perplexity(REAL_OUTPUT, "heldout.txt")
    assert (read.value, read.standard_error, read.chunks, read.context_tokens) == (94.4412, 1.5221, 52, 512)


def test_progress_is_read_from_the_running_line() -> None:
    said: list[tuple[str, float | None]] = []
    on_line = windows_told(lambda message, fraction: said.append((message, fraction)), "measuring")
    count = "perplexity: calculating perplexity over 6 chunks, n_ctx=512"
    for line in ("tokenizing the input ..", "[1]79.1301,", count, "[1]79.1301,[2]96.0012,[3]103.2071,"):
        on_line(line)
    assert said == [("measuring", 0.5)], "nothing before it says how many there are"


def test_a_short_text_is_named_as_the_cause() -> None:
    with pytest.raises(ExecutionFailed) as failed:
        parse_perplexity(TOO_SHORT, "notes.txt")
    assert str(failed.value) == (
        "notes.txt: the text has only 31 tokens, too few to measure perplexity\n"
        "To fix: give a longer text, at least two context windows of it"
    )


def test_nan_is_no_perplexity() -> None:
    broken = REAL_OUTPUT.replace("94.4412 +/- 1.52210", "nan +/- nan").replace("99.1150", "nan")
    with pytest.raises(ExecutionFailed) as failed:
        parse_perplexity(broken, "heldout.txt")
    assert str(failed.value) == (
        "heldout.txt: the perplexity is nan: the model's outputs are no numbers\n"
        "To fix: check the model file; plan another format if the original is sound"
    )


# llama.cpp logs in a thread and may exit before its last lines are written.
LOST = """\
perplexity: calculating perplexity over 5 chunks, n_ctx=512, batch_size=2048, n_seq=4
[1]79.6450,[2]93.7914,[3]110.7999,[4]95.8311,[5]101.8681,
"""


def test_the_running_value_after_the_last_window_is_the_perplexity() -> None:
    read = parse_perplexity(LOST, "heldout.txt")
    assert (read.value, read.standard_error, read.chunks) == (101.8681, None, 5)


def test_an_earlier_running_value_is_not() -> None:
    with pytest.raises(LinesLost):
        parse_perplexity(LOST.replace("[5]101.8681,", ""), "heldout.txt")


@pytest.mark.parametrize(
    ("before", "after", "tolerable"),
    [
        (6.0, 6.29, True),  # A.eval.ppl: below 0.3
        (6.0, 6.31, False),  # 0.31 and 5.2 %
        (94.0, 95.0, True),  # 1.0, but 1.1 %
        (94.0, 99.0, False),  # 5.3 %
        (3.0, 3.2, True),  # 6.7 %, but 0.2
        (6.0, 5.9, True),  # better than the original
    ],
)
def test_tolerance_is_the_sources(before: float, after: float, tolerable: bool) -> None:
    assert increase(before, after, 0.3, 5).tolerable is tolerable


def test_without_a_tolerance_nothing_is_judged() -> None:
    grown = increase(50.0, 51.0, None, None)
    assert (grown.absolute, grown.percent, grown.tolerable) == (1.0, 2.0, None)


def perplexity_tool(value: str, chunks: int = 52) -> str:
    lines = [
        f"perplexity: calculating perplexity over {chunks} chunks, n_ctx=512, batch_size=2048, n_seq=4",
        "[1]79.1301,[2]96.0012,",
        f"Final estimate: PPL = {value} +/- 1.50000",
    ]
    return f"import sys\nprint({chr(10).join(lines)!r})\nprint('arguments', *sys.argv[1:])\n"


def evaluated(make_context, tools, stage: str, value: str, results: dict, **more: object) -> dict:
    tools.program("perplexity", perplexity_tool(value, **more))
    return evaluate(make_context(stage, results))


MADE = {"convert": {"path": "model-bf16.gguf"}, "quantize": {"path": "model-q4_k_m.gguf"}}


def test_the_increase_is_measured_against_the_original(make_context, tools) -> None:
    before = evaluated(make_context, tools, "evaluate-before", "94.0000", MADE)
    assert "increase" not in before
    after = evaluated(make_context, tools, "evaluate-after", "94.9400", {**MADE, "evaluate-before": before})
    assert after["increase"] == pytest.approx(0.94)
    assert after["increase_percent"] == pytest.approx(1.0)
    assert (after["tolerable"], after["tolerance_source"]) == (True, "A.eval.ppl")


LOSES_LINES = """\
import pathlib, sys
tries = pathlib.Path(__file__).with_name("tries")
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
print("perplexity: calculating perplexity over 2 chunks, n_ctx=512, batch_size=2048, n_seq=4")
print("[1]79.1301," if len(tries.read_text()) < GOOD else "[1]79.1301,[2]96.0012,")
"""


def test_lost_lines_are_measured_again(make_context, tools) -> None:
    tools.program("perplexity", LOSES_LINES.replace("GOOD", "3"))
    result = evaluate(make_context("evaluate-before", MADE))
    assert (result["perplexity"], result["standard_error"]) == (96.0012, None)


def test_lines_lost_every_time_are_an_error(make_context, tools) -> None:
    tools.program("perplexity", LOSES_LINES.replace("GOOD", "9"))
    with pytest.raises(ExecutionFailed, match="ended before it had written its result"):
        evaluate(make_context("evaluate-before", MADE))


def test_other_windows_are_not_compared(make_context, tools) -> None:
    before = evaluated(make_context, tools, "evaluate-before", "94.0", MADE)
    with pytest.raises(ExecutionFailed) as failed:
        evaluated(make_context, tools, "evaluate-after", "95.0", {**MADE, "evaluate-before": before}, chunks=40)
    assert str(failed.value) == (
        "evaluate-after: the two perplexities are not comparable: chunks was 52, now 40\n"
        "To fix: evaluate both on the same text; plan again to start afresh"
    )


def test_a_model_made_for_less_than_a_window_is_given_its_own(make_context, tools) -> None:
    plan = example_plan()
    small = plan.model_copy(update={"model": plan.model.model_copy(update={"max_context_tokens": 256})})
    tools.program("perplexity", perplexity_tool("94.0"))
    context = make_context("evaluate-before", MADE, plan=small)
    evaluate(context)
    assert "-c 256" in context.log_path.read_text()


def test_a_missing_text_is_named(make_context, tools) -> None:
    plan = example_plan(parameters={"evaluate-before": {"text": "/nowhere/text.txt"}})
    with pytest.raises(BadInput) as refused:
        evaluate(make_context("evaluate-before", MADE, plan=plan))
    assert str(refused.value) == "/nowhere/text.txt: no such text file\nTo fix: name a plain text file in UTF-8"
