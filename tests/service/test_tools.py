"""The tools for assistants, asked over the protocol itself."""

import anyio
import pytest
from mcp import Client

from planner.service.settings import Settings
from planner.service.tools import create_tools


def call(tool: str, **arguments: object) -> tuple[bool, dict[str, object], str]:
    """Whether it is an error, its content, its text."""

    async def ask() -> tuple[bool, dict[str, object], str]:
        async with Client(create_tools(Settings(database_url="sqlite://"))) as client:
            found = await client.call_tool(tool, dict(arguments))
            return bool(found.is_error), dict(found.structured_content or {}), str(found.content[0].text)  # type: ignore[union-attr]

    return anyio.run(ask)


def test_an_assistant_gets_the_choice_with_its_figures() -> None:
    failed, told, _ = call("plan", model="llama-3.1-70b", hardware="1xA100-80GB")
    assert not failed
    assert told["choice"]["format"] == "awq-int4"  # type: ignore[index]
    assert any("A.tree.3" in line for line in told["why"])  # type: ignore[attr-defined]


def test_an_assistant_is_told_what_fits() -> None:
    failed, told, _ = call("what_fits", hardware="1xL4", users=4)
    assert not failed
    assert 0 < len(told["fits"]) <= 20  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"model": "llama-3.1-7b", "hardware": "1xL4"}, "no model is called 'llama-3.1-7b'"),
        ({"model": "/etc/passwd", "hardware": "1xL4"}, "this service may not read models from there"),
        ({"model": "llama-3.1-405b", "hardware": "1xL4"}, "no feasible plan"),
    ],
)
def test_a_problem_is_told_in_the_same_words(arguments: dict[str, object], says: str) -> None:
    failed, _, text = call("plan", **arguments)
    assert failed
    assert says in text
