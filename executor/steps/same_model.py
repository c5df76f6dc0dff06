"""What was fetched is read once more as the planner reads it: whole, with a tokenizer, and the model planned for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from planner.errors import BadInput
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.plan import ModelSummary, Plan

# One of them is there wherever text can be turned into tokens; tokenizer_config.json alone cannot do it.
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
TOKENIZER_ENDINGS = (".tiktoken", ".model")


def require_planned_model(plan: Plan, where: Path, *, local: bool) -> None:
    """BadInput when the files are broken, or are not those of the model that was planned for.

    A `local` model is held to the plan's count of parameters and the form its weights are stored in; of one from the
    hub the catalogue may know less than its own config.json says.
    """
    planned, found = facts_of(plan.model), facts_of(resolve_model(str(where), allow_hub=False))
    held = planned if local else planned[:1]
    differing = [f"{now} instead of {then}" for then, now in zip(held, found, strict=False) if then != now]
    if differing:
        raise BadInput(
            f"this is not the model that was planned for: it has {', '.join(differing)}",
            where=str(where),
            fix="put that model back, or plan again for this one",
        )


def facts_of(model: Model | ModelSummary) -> tuple[str, str, str]:
    """What tells one model from another, in words: layers, parameters, how the weights are stored."""
    shape = model.shape if isinstance(model, Model) else model
    return f"{shape.layer_count} layers", f"{shape.parameters:,} parameters", f"{model.stored_format} weights"


def require_tokenizer(directory: Path, files: Sequence[Path]) -> None:
    """BadInput where nothing is there that turns text into tokens: no prompt could be sent, and no text judged."""
    if not any(path.name in TOKENIZERS or path.suffix in TOKENIZER_ENDINGS for path in files):
        raise BadInput(
            "no tokenizer, so no text can be given to the model",
            where=str(directory),
            fix="complete the download: tokenizer.json or tokenizer.model is missing",
        )
