"""`quantplan ab`: how many requests an A/B test needs, and how to route them."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="ab", short_help="Size an A/B test of a quantized model, and route requests to it.")
@click.option("--baseline", type=float, required=True, help="Success rate of the original, 0 to 1.")
@click.option("--drop", type=float, default=0.01, show_default=True, help="The drop to be noticed, absolute.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Risk of a false alarm.")
@click.option("--power", type=float, default=0.8, show_default=True, help="Chance to notice a real drop.")
@click.option("--two-sided", is_flag=True, help="Look for a rise as well.")
@click.option(
    "--share", "percent", type=int, default=10, show_default=True, help="Percent sent to the quantized model."
)
@click.option("--original", help="Address of the original, http://HOST:PORT.")
@click.option("--quantized", help="Address of the quantized model, http://HOST:PORT.")
@click.option("--model", default="model", show_default=True, help="The name clients ask for.")
@click.option("--out", type=click.Path(path_type=Path), help="Write nginx.conf, envoy.yaml and litellm.yaml there.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    baseline: float, drop: float, alpha: float, power: float, two_sided: bool, percent: int,
    original: str | None, quantized: str | None, model: str, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """How many requests each side must get before a drop of --drop from --baseline would show."""
    from planner.launching.ab_test import Comparison, requests_per_side
    from planner.launching.routing import Split, render_split
    from planner.launching.writing import write_files

    needed = requests_per_side(Comparison(baseline, drop, alpha, power, two_sided))
    total = -(-needed * 100 // min(percent, 100 - percent)) if 0 < percent < 100 else 2 * needed
    files = {}
    if original and quantized:
        files = render_split(Split(model, original, quantized, percent))
    written = [str(path) for path in write_files(files, out)] if out else []
    if as_json:
        click.echo(json.dumps({"requests_per_side": needed, "requests_in_all": total, "files": written or files}))
        return
    click.echo(
        f"{needed:,} requests a side to notice a drop from {baseline:g} to {baseline - drop:g} "
        f"(power {power:g}, alpha {alpha:g}, {'two' if two_sided else 'one'}-sided); "
        f"with {percent} % routed to it, {total:,} in all."
    )
    for name, text in files.items():
        click.echo(f"\n# ---- {name}\n{text}" if not out else f"Written: {out / name}")
