"""The user's own queries: read, asked, compared one by one, and the worst listed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from fake_openai_server import FakeServer

from executor.evaluate.queries import Query, answer, compare, read_queries, summary
from executor.evaluate.repetition import longest_run, repeated_share
from executor.load.client import open_client
from planner.errors import BadInput, ExecutionFailed


def test_queries_are_lines_of_text_or_of_json(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(
        'What is a heap?\n\n{"prompt": "2+2=", "expected": "4", "weight": 3, "id": "sum"}\n'
        '{"messages": [{"role": "user", "content": "Hi"}]}\n'
    )
    assert read_queries(path) == [
        Query("1", "What is a heap?"),
        Query("sum", "2+2=", expected="4", weight=3.0),
        Query("4", None, ({"role": "user", "content": "Hi"},)),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"promt": "x"}', "unknown keys promt"),
        ('{"expected": "x"}', "neither prompt nor messages"),
        ('{"prompt": ', "not a query"),
        ('{"prompt": "x", "weight": "heavy"}', "heavy"),
    ],
)
def test_a_line_that_is_no_query_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(f"fine\n{line}\n")
    with pytest.raises(BadInput, match=says) as refused:
        read_queries(path)
    assert refused.value.where == f"{path}:2"


def test_an_answer_is_asked_for_without_chance() -> None:
    server = FakeServer(answer_text=lambda prompt: f"answer to {prompt}")

    async def go() -> str:
        async with server.serving() as url, open_client(url, 1) as client:
            return await answer(client, "tiny", Query("1", "a question"), 7, {})

    assert asyncio.run(go()) == "answer to a question"
    assert (server.requests[0]["temperature"], server.requests[0]["max_tokens"]) == (0, 7)


def test_a_server_that_fails_names_the_query() -> None:
    async def go() -> str:
        async with FakeServer(fail_every=1).serving() as url, open_client(url, 1) as client:
            return await answer(client, "tiny", Query("q7", "x"), 7, {})

    with pytest.raises(ExecutionFailed, match="query q7 was not answered"):
        asyncio.run(go())


def test_what_turned_wrong_is_listed_before_what_merely_differs() -> None:
    queries = [Query("same", "a"), Query("other words", "b"), Query("wrong now", "c", expected="Paris", weight=8)]
    before = ["alike", "one two three four", "It is Paris."]
    after = ["alike", "totally different", "It is Parma."]
    found = summary(compare(queries, before, after))
    assert [pair["id"] for pair in found["worst"]] == ["wrong now", "other words", "same"]
    assert (found["same_answer"], found["turned_wrong"]) == (1, 1)
    assert (found["right_before"], found["right_after"]) == (1.0, 0.0)


def test_a_rare_query_that_broke_is_seen_where_the_mean_hides_it() -> None:
    """A.pitfall.7: 99 good answers leave the mean at 99 %; the list shows the one that is gone."""
    queries = [Query(str(number), "q", expected="yes") for number in range(100)]
    after = ["yes"] * 99 + [""]
    found = summary(compare(queries, ["yes"] * 100, after))
    assert found["mean_agreement"] == pytest.approx(0.99)
    assert found["worst"][0]["id"] == "99" and found["empty_after"] == 1


def test_queries_that_are_asked_often_weigh_more() -> None:
    queries = [Query("often", "q", expected="a", weight=9), Query("rarely", "q", expected="b", weight=1)]
    assert summary(compare(queries, ["a", "b"], ["a", "x"]))["right_after"] == pytest.approx(0.9)


def test_going_round_in_circles_is_measured() -> None:
    """Welleck et al.: seq-rep-4 is 1 - distinct 4-grams / 4-grams."""
    assert repeated_share("the cat sat on the mat and slept well") == 0
    assert repeated_share("a b c d " * 8) == pytest.approx(1 - 4 / 29)
    assert repeated_share("的的的的" * 20) > 0.9
    assert repeated_share("short") == repeated_share("") == 0
    assert longest_run("no no no yes") == 3


def test_the_summary_is_plain_json() -> None:
    json.dumps(summary(compare([Query("1", "x")], ["a"], ["b"])))
