"""The shape of a decision file and of sources.yaml. Unknown keys are refused, frozen once read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Sentence = Annotated[str, Field(min_length=1)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Pick = Literal["first", "every"]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _clauses(value: Any) -> Any:
    return () if value == "always" else value


class Strict(BaseModel):
    """Base of everything an author writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Example(Strict):
    """One situation: the facts that matter, and whether the rule speaks. `avoiding`: what vetoes have ruled out."""

    it: Sentence
    given: dict[str, dict[str, Any]] = {}
    picked: bool = True
    avoiding: tuple[str, ...] = ()


class RuleText(Strict):
    """One rule as written. `when: always` holds in every situation; `note` is told to the user with the reason."""

    id: RuleId
    when: Annotated[tuple[Sentence, ...], BeforeValidator(_clauses)]
    then: dict[str, Any]
    because: Sentence
    source: Annotated[tuple[Sentence, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    note: Sentence | None = None
    examples: Annotated[tuple[Example, ...], Field(min_length=1)]


class DecisionText(Strict):
    """One decision file: `first` asks its rules in order and the first that holds speaks; `every` lets all speak.

    A file of house rules leaves out `question` and `pick`: its rules join those of the book beneath, are asked before
    them, and take the place of one with the same id; `without` names rules of the book beneath that do not apply.
    """

    decision: Sentence
    question: Sentence | None = None
    pick: Pick | None = None
    without: Annotated[tuple[RuleId, ...], BeforeValidator(_as_tuple)] = ()
    rules: tuple[RuleText, ...] = ()

    @property
    def joins(self) -> bool:
        """It adds to a decision of the book beneath instead of making one."""
        return self.question is None and self.pick is None


class Work(Strict):
    """One publication; `says` holds what it states, by the part of the id after the dot, in our own words."""

    title: Sentence
    kind: Literal["article", "documentation", "repository", "datasheet", "measurement", "design"]
    date: Sentence
    link: str | None = None
    says: dict[str, Sentence]
