"""What fits, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.figures import UNKNOWN, figure
from planner.fits.fit import Fit
from planner.fits.on_hardware import Answer

KI = 1024
SHOWN = 40
DEFAULT_KV = "16-bit"


def print_answer(answer: Answer, console: Console, *, by_accelerator: bool = False) -> None:
    """The table (its first rows, unless a limit was given), and under it what was looked at and does not fit."""
    shown = answer.fits[: answer.question.limit or SHOWN]
    if shown:
        console.print(_table(shown, by_accelerator))
    console.print(Text(_summary(answer, len(shown), by_accelerator), style="bold"))
    console.print(Text(_load(answer), style="dim"))
    for note in answer.notes:
        console.print(Text(f"- {note}", style="dim"))


def _table(fits: Sequence[Fit], by_accelerator: bool) -> Table:
    """Names and quality give way where the terminal is narrow; the figures never do."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    has_kinds = any(fit.kv_cache != DEFAULT_KV for fit in fits)
    first = ("hardware", "USD\nper hour") if by_accelerator else ("model", "size")
    table.add_column(first[0])
    table.add_column(first[1], justify="right", no_wrap=True)
    for heading in ("format", "engine", "TP", *(["KV"] if has_kinds else [])):
        table.add_column(heading, no_wrap=True)
    for heading in ("weights\nGiB", "KV room\nGiB", "longest\ncontext", "users"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("quality")
    for fit in fits:
        table.add_row(*_cells(fit, by_accelerator, has_kinds), style="" if fit.fits and not fit.reason else "dim")
    return table


def _cells(fit: Fit, by_accelerator: bool, has_kinds: bool) -> tuple[str | Text, ...]:
    first = (fit.hardware, price(fit.usd_per_hour)) if by_accelerator else (fit.model, parameters(fit.params_b))
    return (
        _cut(first[0]),
        first[1],
        fit.format,
        fit.engine,
        f"{fit.tensor_parallel} x{fit.replicas}" if fit.replicas > 1 else str(fit.tensor_parallel),
        *([fit.kv_cache] if has_kinds else []),
        f"{fit.weights_gib:.1f}",
        f"{fit.kv_room_gib:.1f}",
        context(fit.longest_context_tokens),
        figure(fit.users) if fit.users is None or fit.users < 100 else f"{int(fit.users):,}",
        _cut(remark, "yellow") if (remark := fit.reason or fit.offload) else _cut(fit.quality.partition(" (")[0]),
    )


def _cut(text: str, style: str = "") -> Text:
    """Text that is cut rather than wrapped."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def price(usd_per_hour: float | None) -> str:
    """Dollars and cents, as price lists state them."""
    return UNKNOWN if usd_per_hour is None else f"${usd_per_hour:,.2f}"


def parameters(params_b: float) -> str:
    """`70.6B`, `135M`."""
    return f"{figure(params_b)}B" if params_b >= 1 else f"{params_b * 1000:.0f}M"


def context(tokens: int) -> str:
    """Tokens in Ki, as makers state them: `128k`."""
    return f"{tokens / KI:.0f}k" if tokens >= 10 * KI else f"{tokens:,}"


def _summary(answer: Answer, shown: int, by_accelerator: bool) -> str:
    counts = answer.counts
    if by_accelerator:
        parts = [f"\n{answer.hardware} fits on {counts.fitting} of {counts.models} accelerators"]
    else:
        parts = [f"\n{counts.fitting} of {counts.models} models fit on {answer.hardware}"]
    if counts.offloaded:
        parts.append(f"{counts.offloaded} more with part of them in host memory (-ngl, --n-cpu-moe), which is slow")
    if counts.without_room:
        parts.append(f"{counts.without_room} {'too small' if by_accelerator else 'too large'}")
    if counts.advised_against:
        parts.append(f"{counts.advised_against} only in formats that rules advise against (--all shows them)")
    if counts.too_short:
        parts.append(f"{counts.too_short} made for shorter contexts")
    if shown < len(answer.fits):
        parts.append(f"the first {shown} of {len(answer.fits):,} rows are shown (--limit, --csv and --json give more)")
    return "; ".join(parts) + f". {counts.candidates:,} combinations looked at."


def _load(answer: Answer) -> str:
    question = answer.question
    length = f"{question.context_tokens:,}" if question.context_tokens else "8,192 tokens (or the model's maximum)"
    tokens = f"{length} tokens" if question.context_tokens else length
    least = f", and one request of {question.min_context:,}" if question.min_context else ""
    requests = "1 request" if question.users == 1 else f"{question.users:,} requests at once"
    asked = f"Fits: {requests} of {tokens}{least}"
    return f"{asked}. Users: how many such at once.\nGiB are of one accelerator."
