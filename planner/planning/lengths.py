"""Requests no longer than the model was made for: engines refuse to start for longer ones, or cut them short."""

from __future__ import annotations

from planner.errors import BadInput
from planner.models.model import Model
from planner.request import Request, Workload

LENGTHS = {"input_tokens", "output_tokens", "context_tokens"}


def within_context(request: Request, model: Model) -> tuple[Request, tuple[str, ...]]:
    """The request, with what to say where nobody stated its lengths and the usual ones are too long for the model.

    BadInput where they were stated. A mere size and a model without attention have no limit; what is only quantized
    serves nothing.
    """
    asked, most = request.workload, model.shape.max_context_tokens
    if asked.served_context_tokens <= most or not is_limited(model) or request.make_only:
        return request, ()
    shorter = fitted(asked, most)
    if LENGTHS & asked.model_fields_set:
        raise BadInput(
            f"requests of {asked.served_context_tokens:,} tokens, and {model.name} was made for {most:,}",
            fix=f"at most {most:,} in all, such as --input-tokens {shorter.input_tokens} "
            f"--output-tokens {shorter.output_tokens}; or a model made for longer ones",
        )
    said = (
        f"{model.name} was made for {most:,} tokens: planned for requests of {shorter.input_tokens:,} tokens in and "
        f"{shorter.output_tokens:,} out, instead of the usual {asked.input_tokens:,} and {asked.output_tokens:,}"
    )
    return request.model_copy(update={"workload": shorter}), (said,)


def is_limited(model: Model) -> bool:
    return model.origin != "size" and bool(model.shape.attention)


def fitted(workload: Workload, most: int) -> Workload:
    """The same with prompt and answer shortened in proportion."""
    output_tokens = max(1, most * workload.output_tokens // (workload.input_tokens + workload.output_tokens))
    lengths = {"input_tokens": max(1, most - output_tokens), "output_tokens": output_tokens}
    return workload.model_copy(update=lengths)
