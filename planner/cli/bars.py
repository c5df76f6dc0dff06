"""The memory bar: each term of the sum as a stretch of its share, with its legend."""

from __future__ import annotations

from rich.text import Text

from planner.plan import Memory

WIDTH = 72
COLOURS = ("blue", "cyan", "bright_blue", "magenta", "yellow", "bright_magenta", "red", "bright_black")
BLOCK, FREE = "█", "░"


def memory_bar(memory: Memory, width: int = WIDTH) -> Text:
    """One line for the bar, one for its legend; what does not fit runs over in red."""
    total = max(memory.available_gib, memory.used_gib) or 1.0
    bar, legend = Text(), Text()
    shown = [term for term in memory.terms if term.predicted_gib / total * width >= 0.5]
    for colour, term in zip(COLOURS, shown, strict=False):
        bar.append(BLOCK * max(1, round(term.predicted_gib / total * width)), style=colour)
        legend.append(f"{BLOCK} ", style=colour).append(f"{term.label}  ")
    bar.append(FREE * max(0, width - len(bar)), style="green" if memory.fits else "red")
    legend.append(f"{FREE} ", style="green").append("free")
    return bar.append("\n").append(legend)
