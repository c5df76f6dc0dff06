"""Which file ending is written by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from planner.costs.comparison import Comparison
from planner.errors import BadInput
from planner.writing import write_aside


def check_outputs(outs: Sequence[Path]) -> None:
    """BadInput for a file ending nobody writes, or a folder that is not there, before anything is computed."""
    for out in outs:
        if out.suffix.lower() not in WRITERS:
            ending = out.suffix or "no ending"
            raise BadInput(
                f"--out {out.name[:60]}: {ending} is no kind of report",
                fix=f"end the name in one of: {', '.join(WRITERS)}",
            )
        if not out.parent.is_dir():
            raise BadInput(f"--out {out}: no such folder", where=str(out.parent), fix="make it, or name another")


def write_report(comparison: Comparison, out: Path) -> None:
    """Write the report whole: aside first, then renamed."""
    write_aside(out, WRITERS[out.suffix.lower()](comparison))


def _html(comparison: Comparison) -> str:
    from planner.costs.report.page import page

    return page(comparison)


def _pdf(comparison: Comparison) -> bytes:
    from planner.costs.report.pdf import pdf

    return pdf(comparison)


def _xlsx(comparison: Comparison) -> bytes:
    from planner.costs.report.workbook import workbook

    return workbook(comparison)


def _csv(comparison: Comparison) -> str:
    from planner.costs.report.plain import as_csv

    return as_csv(comparison)


def _markdown(comparison: Comparison) -> str:
    from planner.costs.report.page import markdown

    return markdown(comparison)


WRITERS: dict[str, Callable[[Comparison], str | bytes]] = {
    ".html": _html,
    ".pdf": _pdf,
    ".xlsx": _xlsx,
    ".csv": _csv,
    ".md": _markdown,
}
