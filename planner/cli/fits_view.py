"""What fits, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.cli.figures import figure, usd
from planner.fits.fit import Fit
from planner.fits.on_hardware import Answer

THOUSAND = 1024


def print_answer(answer: Answer, console: Console, *, by_accelerator: bool = False) -> None:
    """The table, and under it how many were looked at and do not fit."""
    if answer.fits:
        console.print(_table(answer.fits, by_accelerator))
    console.print(Text(_summary(answer, by_accelerator), style="bold"))
    console.print(Text(_load(answer), style="dim"))
    for note in answer.notes:
        console.print(Text(f"- {note}", style="dim"))


def _table(fits: Sequence[Fit], by_accelerator: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    if by_accelerator:
        table.add_column("hardware", no_wrap=True)
        table.add_column("$/hour", justify="right")
    else:
        table.add_column("model", no_wrap=True)
        table.add_column("params", justify="right")
    for heading in ("format", "engine", "KV", "TP"):
        table.add_column(heading, no_wrap=True)
    for heading in ("weights\nGiB/GPU", "KV room\nGiB/GPU", "longest\ncontext", "users"):
        table.add_column(heading, justify="right")
    table.add_column("quality")
    for fit in fits:
        table.add_row(*_cells(fit, by_accelerator), style=None if fit.fits and not fit.reason else "dim")
    return table


def _cells(fit: Fit, by_accelerator: bool) -> tuple[str | Text, ...]:
    first = (fit.hardware, usd(fit.usd_per_hour)) if by_accelerator else (fit.model, parameters(fit.params_b))
    copies = f"{fit.tensor_parallel} x{fit.replicas}" if fit.replicas > 1 else str(fit.tensor_parallel)
    return (
        *first,
        fit.format,
        fit.engine,
        fit.kv_cache,
        copies,
        f"{fit.weights_gib:.1f}",
        f"{fit.kv_room_gib:.1f}",
        context(fit.longest_context_tokens),
        figure(fit.users) if fit.users is None or fit.users < 100 else f"{int(fit.users):,}",
        Text(fit.reason, style="yellow") if fit.reason else fit.quality,
    )


def parameters(params_b: float) -> str:
    """`70.6 B`, `135 M`."""
    return f"{figure(params_b)} B" if params_b >= 1 else f"{params_b * 1000:.0f} M"


def context(tokens: int) -> str:
    """Tokens in Ki, as makers state them: `128k`."""
    return f"{tokens / THOUSAND:.0f}k" if tokens >= 10 * THOUSAND else f"{tokens:,}"


def _summary(answer: Answer, by_accelerator: bool) -> str:
    counts, shown = answer.counts, len(answer.fits)
    if by_accelerator:
        return f"\n{counts.fitting} of {counts.models} accelerators hold it in at most the largest layout tried."
    parts = [f"\n{counts.fitting} of {counts.models} models fit on {answer.hardware}"]
    if counts.too_large:
        parts.append(f"{counts.too_large} do not")
    if counts.too_short:
        parts.append(f"{counts.too_short} were made for shorter contexts")
    if shown < counts.fitting:
        parts.append(f"{shown} are shown")
    return "; ".join(parts) + f". {counts.candidates:,} combinations looked at."


def _load(answer: Answer) -> str:
    question = answer.question
    length = f"{question.context_tokens:,}" if question.context_tokens else "8,192 tokens (or the model's maximum)"
    tokens = f"{length} tokens" if question.context_tokens else length
    least = f", and one request of {question.min_context:,}" if question.min_context else ""
    return f"Fits: {question.users} requests at once of {tokens}{least}. Users: how many such requests at once."
