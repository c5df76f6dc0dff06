"""Where on a cluster a plan stands, as a person reads it: why there, what the link costs, what else was weighed."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from planner.figures import figure, memory, usd
from planner.plan import CacheTransfer, Placement, Pool, Weighed

SHOWN = 9


def placement_lines(placement: Placement, *, everything: bool = False) -> Group:
    """Why this kind of node and layout, and the others in a table; `everything` shows all that was kept."""
    chosen, *others = placement.weighed
    copies = f"{chosen.copies} x " if chosen.copies > 1 else ""
    nodes = f" on {chosen.nodes} nodes" if chosen.nodes > 1 else ""
    where = Text.from_markup(f"[bold]{copies}{placement.layout}[/bold]{nodes}, node type {placement.node_type}")
    shown = others if everything else others[:SHOWN]
    left = f"{len(others) - len(shown)} more with --all" if len(others) > len(shown) else ""
    parts: list[RenderableType] = [where, Text(placement.because), *_link(placement, chosen), _table([chosen, *shown])]
    return Group(*parts, *([Text(left, style="dim")] if left else []))


def _link(placement: Placement, chosen: Weighed) -> list[Text]:
    """What exchange takes of a token's time."""
    if chosen.link_ms is None or not chosen.tpot_ms or not chosen.link_ms:
        return []
    over = f" (between nodes: {placement.link})" if placement.link and chosen.nodes > 1 else ""
    taken = f"{figure(chosen.link_ms)} ms of each token's {figure(chosen.tpot_ms)}"
    return [Text(f"Exchange takes {taken}, {chosen.link_ms / chosen.tpot_ms:.0%}{over}")]


def _table(rows: list[Weighed]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("nodes", "layout", "format"):
        table.add_column(heading)
    for heading in ("copies", "TTFT ms", "TPOT ms", "link ms", "tokens/s", "$/hour"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for row in rows:
        known = row.verdict in ("chosen", "feasible", "misses-service-level")
        figures = (row.ttft_ms, row.tpot_ms, row.link_ms, row.output_tokens_per_s)
        cells = [figure(value) if value is not None else "" for value in figures] if known else [""] * len(figures)
        style = {"chosen": "bold green", "feasible": "green"}.get(row.verdict, "red")
        said = f"{row.verdict}: {row.reasons[0].rpartition(': ')[2]}" if row.reasons else row.verdict
        price = usd(row.usd_per_hour) if row.usd_per_hour is not None else ""
        table.add_row(row.node_type, row.layout, row.format, str(row.copies), *cells, price, Text(said, style=style))
    return table


def pool_lines(pools: tuple[Pool, ...], transfer: CacheTransfer | None) -> Group:
    """The prompt and decode servers of one copy, their options, and what handing a cache over costs."""
    lines = []
    for pool in pools:
        split = f" of TP {pool.tensor_parallel}" if pool.tensor_parallel > 1 else ""
        servers = f"{pool.servers} {pool.role} server{'s' if pool.servers > 1 else ''}{split}"
        free = f"{memory(pool.memory.free_gib)} free on each accelerator"
        lines.append(Text(f"{servers}: up to {pool.concurrency} requests at once on each, {free}"))
        lines.append(Text(" ".join(pool.engine_arguments), style="dim"))
    if transfer:
        lines.append(
            Text(
                f"A prompt's cache is {memory(transfer.gib_per_prompt)}: {figure(transfer.ms_per_prompt)} ms of the "
                f"time to first token, over {transfer.over}"
            )
        )
    return Group(*lines)
