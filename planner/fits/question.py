"""What is asked of a sweep: the load each model must hold, and which models, engines and formats are looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from planner.errors import BadInput, nearest
from planner.fits.settings import settings
from planner.models.model import Model
from planner.request import Workload
from rules.vocabulary import EngineId, FormatId

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_USERS = 8
MOST_TOKENS = 100_000_000
MOST_USERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """The load and the filters. `context_tokens` None: 8192, or a model's own maximum where that is shorter."""

    context_tokens: int | None = None
    users: int = DEFAULT_USERS
    min_context: int = 0
    task: str | None = None
    family: str | None = None
    engine: EngineId | None = None
    format: FormatId | None = None
    limit: int | None = None

    def checked(self) -> Question:
        """The same question. BadInput names the first option that makes no sense, and what it takes."""
        _check_number("--users", self.users, 1, MOST_USERS, "requests at once")
        _check_number("--min-context", self.min_context, 0, MOST_TOKENS, "tokens")
        if self.context_tokens is not None:
            _check_number("--context-tokens", self.context_tokens, 1, MOST_TOKENS, "tokens")
        if self.limit is not None:
            _check_number("--limit", self.limit, 1, MOST_USERS, "rows")
        if self.task is not None and self.task not in known_tasks():
            raise BadInput(
                f"--task {self.task[:60]}: the catalogue does not know what such a task is",
                nearest=nearest(self.task[:60], known_tasks()),
                fix=f"use one of: {', '.join(known_tasks())}",
            )
        return self

    def context_of(self, model: Model) -> int:
        """Tokens of one request to this model."""
        return self.context_tokens or min(DEFAULT_CONTEXT_TOKENS, model.shape.max_context_tokens)

    def workload_of(self, model: Model) -> Workload:
        return Workload(context_tokens=self.context_of(model), concurrency=self.users)

    def selects(self, model: Model) -> bool:
        """Whether the filters on models let this one through."""
        return (self.task is None or _does(model, self.task)) and (self.family is None or _is_of(model, self.family))

    def least_context(self, model: Model) -> int:
        """Tokens the longest request must reach."""
        return max(self.min_context, self.context_of(model))


def selected(models: Iterable[Model], question: Question) -> tuple[Model, ...]:
    """The models the filters let through. BadInput where the family is none of the catalogue's."""
    known = tuple(models)
    if question.family is not None and not any(_is_of(model, question.family) for model in known):
        raise BadInput(
            f"--family {question.family[:60]}: no model of the catalogue is of that family",
            nearest=nearest(question.family[:60], {model.shape.family for model in known}),
            fix="give a model_type of config.json (llama, qwen3_moe), or how the names begin (qwen3)",
        )
    return tuple(model for model in known if question.selects(model))


def known_tasks() -> Collection[str]:
    """What `--task` may be."""
    return tuple(settings()["tasks"])


def _does(model: Model, task: str) -> bool:
    """Whether the model is made for the task, as far as its name and configuration say."""
    signs = settings()["tasks"][task]
    name = model.name.lower()
    return (
        (signs.get("is_chat", False) and model.is_chat)
        or any(word in name for word in signs.get("name_words", ()))
        or model.shape.family in signs.get("families", ())
        or any(matrix.component == signs.get("component") for matrix in model.shape.matrices)
    )


def _is_of(model: Model, family: str) -> bool:
    wanted = family.lower()
    return model.shape.family.lower() == wanted or model.name.lower().startswith(wanted)


def _check_number(option: str, value: int, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        raise BadInput(f"{option} {value}: not from {least} to {most:,} {unit}", fix=f"give {option} {max(least, 1)}")
