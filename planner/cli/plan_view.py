"""A plan as a person reads it in a terminal: choice, why, memory, speed, cost, neighbours, warnings."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from planner.cli.bars import memory_bar
from planner.cli.quantizing_view import needs_line
from planner.cli.why_view import why
from planner.energy.telling import energy_lines
from planner.figures import NAMES, cache_room, figure, interval, usd
from planner.figures import memory as memory_text
from planner.placed import how_it_lies
from planner.plan import Alternative, Candidate, Cost, Memory, Offload, Plan, Rung, Span
from planner.support import engines
from planner.units import GB, GIB

SHOWN_ALTERNATIVES = 7
SPEEDS = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
VERDICT_STYLE = {"feasible": "green", "chosen": "bold green", "avoided": "yellow"}


def print_plan(plan: Plan, console: Console, *, everything: bool = False) -> None:
    """Print the whole answer; `everything` adds the rules that were passed over and all alternatives."""
    console.print(_choice(plan))
    for title, body in _sections(plan, everything):
        console.print(f"\n[bold]{title}[/bold]")
        console.print(Padding(body, (0, 0, 0, 2)))


def _sections(plan: Plan, everything: bool) -> Iterator[tuple[str, RenderableType]]:
    chosen, workload = plan.chosen, plan.request.workload
    if plan.placement:
        from planner.cli.placement_view import placement_lines

        yield f"Where on {plan.placement.cluster}", placement_lines(plan.placement, everything=everything)
    yield "Why", why(plan, everything=everything)
    if chosen.pools:
        from planner.cli.placement_view import pool_lines

        yield "Prompt and decode servers", pool_lines(chosen.pools, chosen.cache_transfer)
    unit = "per accelerator" if plan.hardware.count > 1 else plan.hardware.name
    yield f"Memory, {unit}", _memory(chosen, plan.request.workload.served_context_tokens)
    if chosen.memory.offload:
        yield "Memory of the host", _terms(chosen.memory.offload)
    if plan.levers:
        yield "What would free memory", _levers(plan)
    load = f"{workload.concurrency} requests in flight, {workload.input_tokens} tokens in, {workload.output_tokens} out"
    yield f"Speed ({load})", _speed(chosen)
    if plan.outlook:
        from planner.cli.outlook_view import outlook_lines

        arriving = f"{figure(plan.outlook.requests_per_s)} requests/s arriving at random, simulated"
        yield f"Under load ({arriving})", outlook_lines(plan, plan.outlook)
    yield "Cost", _cost(chosen)
    if energy := energy_lines(chosen):
        yield "Power", Group(*(Text(line, style=style) for line, style in zip(energy, ("", "dim"), strict=False)))
    if plan.quantizing:
        yield f"Making the checkpoint yourself, {plan.quantizing.tool}", Text(needs_line(plan.quantizing))
    shown = plan.alternatives if everything else plan.alternatives[:SHOWN_ALTERNATIVES]
    if shown:
        yield "What else was weighed", _alternatives(shown)
    if plan.ladder:
        yield "If it fails, on", _ladder(plan, everything)
    if plan.warnings:
        yield "Warnings", Group(*(Text(f"! {w}", style="yellow") for w in plan.warnings))
    if plan.notes:
        yield "Notes", Group(*(Text(f"- {n}") for n in plan.notes))


def _choice(plan: Plan) -> Panel:
    chosen = plan.chosen
    group = f", groups of {chosen.group_size}" if chosen.group_size else ""
    copies = f" x {chosen.replicas} replicas" if chosen.replicas > 1 else ""
    split = "layers split over" if engines()[chosen.engine].splits_layers else "tensor parallel"
    where = f"{split} {chosen.tensor_parallel}" if chosen.tensor_parallel > 1 else "one device"
    where = how_it_lies(chosen, where)
    lines = [
        f"[bold green]{chosen.format}[/bold green]{group}  on  [bold]{chosen.engine} {chosen.engine_version}[/bold]",
        f"{where}{copies}, {chosen.kv_cache} KV cache, kernel {chosen.kernel}; quality: {chosen.quality}",
    ]
    if chosen.memory.offload:
        lines.append(chosen.memory.offload.says)
    if chosen.engine_arguments and not chosen.pools:
        lines.append(f"[dim]{' '.join(chosen.engine_arguments)}[/dim]")
    title = f"{plan.model.name} ({plan.model.parameters / 1e9:.3g} B) on {plan.hardware.label}"
    return Panel("\n".join(lines), title=title, title_align="left", expand=False, padding=(0, 2))


def _memory(candidate: Candidate, served_tokens: int) -> Group:
    memory = candidate.memory
    weights_gib = candidate.predicted("weights_gib").value or 0.0
    sharing = candidate.tensor_parallel * candidate.pipeline_parallel
    where = f"on each of {sharing} accelerators" if sharing > 1 else "in all"
    in_all = f"Weights are {memory_text(weights_gib)} ({figure(weights_gib * GIB / GB)} GB) {where}."
    if memory.offload:
        in_all = f"Whole, the weights are {memory_text(memory.offload.weights_gib)}."
    return Group(memory_bar(memory), _terms(memory), Text(f"{in_all} {cache_room(memory, served_tokens)}"))


def _terms(summed: Memory | Offload) -> Table:
    """The labelled sum of an accelerator or a host, and what it leaves free."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for term in summed.terms:
        table.add_row(term.label, memory_text(term.predicted_gib), term.how)
    free = f"of {memory_text(summed.available_gib)} usable"
    table.add_row("[bold]free[/bold]", f"[bold]{memory_text(summed.free_gib)}[/bold]", free)
    return table


def _speed(candidate: Candidate) -> RenderableType:
    predictions = {NAMES[name]: candidate.predicted(name) for name in SPEEDS}
    reasons = {p.abstained for p in predictions.values()}
    if None not in reasons and len(reasons) == 1:
        return Text(f"unknown: {reasons.pop()}")
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, p in predictions.items():
        value = f"{figure(p.value)} {p.unit}" if p.value is not None else "unknown"
        table.add_row(label, value, interval(p) if p.value is not None else p.abstained or "")
    sources = dict.fromkeys(p.source for p in predictions.values() if p.source)
    return Group(table, *(Text(source, style="dim") for source in sources))


def _cost(candidate: Candidate) -> RenderableType:
    cost = candidate.cost
    if cost is None:
        return Text("unknown: no price is known for this hardware; give one with --usd-per-hour")
    per_million = candidate.predicted("usd_per_1m_output_tokens")
    tokens = (
        f"[bold]{usd(per_million.value)}[/bold] per 1M output tokens {interval(per_million)}; "
        if per_million.value
        else ""
    )
    price = f"{usd(cost.usd_per_hour)} an hour, {usd(cost.usd_per_month)} a month, {cost.utilisation:.0%} busy"
    label = f"{cost.provider}, {cost.price_kind}, {cost.price_as_of}"
    return Text.from_markup(f"{tokens}{price}{_apart(cost)}\n[dim]price: {label}; {cost.price_source}[/dim]")


def _apart(cost: Cost) -> str:
    """Kinds of token apart; nothing where the speed model does not say how time divides."""
    if cost.apart is None:
        return ""
    apart = cost.apart
    kinds = f"{usd(apart.usd_per_1m_input)} per 1M input and {usd(apart.usd_per_1m_output)} per 1M output tokens"
    return f"\napart, by the machine's time: {kinds}; {usd(apart.usd_per_1m_blended)} per 1M of both"


def _alternatives(alternatives: tuple[Alternative, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("format", "engine", "TP"):
        table.add_column(column)
    for column in ("weights", "KV tokens", "TPOT ms", "tokens/s", "$/1M out"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for other in alternatives:
        verdict = f"{other.verdict}: {other.reasons[0]}" if other.reasons else other.verdict
        verdict += f", {other.offloaded}" if other.offloaded else ""
        style = VERDICT_STYLE.get(other.verdict, "red")
        speeds = figure(_value(other.tpot_ms)), figure(_value(other.output_tokens_per_s))
        cost = usd(_value(other.usd_per_1m_output_tokens))
        row = (memory_text(other.weights_gib), f"{other.kv_tokens:,}", *speeds, cost)
        table.add_row(other.format, other.engine, str(other.tensor_parallel), *row, Text(verdict, style=style))
    return table


def _value(span: Span | None) -> float | None:
    return span.value if span else None


def _levers(plan: Plan) -> Group:
    shown = (f"{lever.setting} gives back {memory_text(lever.gain_gib)}: {lever.in_exchange}" for lever in plan.levers)
    return Group(*(Text(line) for line in shown))


def _ladder(plan: Plan, everything: bool) -> Table:
    """What is tried on each trouble, in order; `everything` adds why."""
    rungs: dict[str, list[Rung]] = {}
    for rung in plan.ladder:
        rungs.setdefault(rung.on, []).append(rung)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for trouble, tried in rungs.items():
        if everything:
            table.add_row(trouble, Group(*(_rung(rung) for rung in tried)))
        else:
            table.add_row(trouble, " [dim]→[/dim] ".join(f"[bold]{rung.says}[/bold]" for rung in tried))
    return table


def _rung(rung: Rung) -> Text:
    return (
        Text(rung.says, style="bold")
        .append(f"  {rung.because} ", style="not bold")
        .append(f"[{rung.rule}]", style="cyan")
    )
