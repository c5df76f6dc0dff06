"""`quantplan simulate`: a plan's server under a load, and the largest load that meets a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.simulate_options import lengths_asked, requests_per_s, speculation_asked, targets_asked

if TYPE_CHECKING:
    from planner.plan import Plan
    from planner.serving.answering import Question


@click.command(name="simulate", short_help="Put a plan's server under a simulated load: waits by percentile.")
@click.argument("plan_or_model")
@click.option("--on", "hardware", help="For a model: 1xA100-80GB, 2xL40S ...")
@click.option("--rate", help="Requests arriving at random: 5/s, 300/min (the plan's).")
@click.option("--clients", type=int, help="Or a fixed number of clients (the plan's requests in flight).")
@click.option("--input-tokens", type=click.IntRange(min=1), help="Mean prompt tokens (the plan's).")
@click.option("--output-tokens", type=click.IntRange(min=1), help="Mean generated tokens (the plan's).")
@click.option("--length-spread", type=float, help="Lognormal lengths: standard deviation over mean (0: all alike).")
@click.option("--length-range", type=float, help="Or uniform lengths: 0.5 is from half the mean to one and a half.")
@click.option(
    "--lengths",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Or real ones: a file with one input_tokens,output_tokens a line.",
)
@click.option("--prefix-hit-rate", type=float, help="Part of a prompt found in the prefix cache (the plan's).")
@click.option("--max-num-seqs", type=click.IntRange(min=1), help="Sequences at once a copy takes in (the plan's).")
@click.option("--speculate", metavar="DRAFT", help="Speculative decoding: eagle, mtp, ngram, or a draft model's name.")
@click.option("--draft-tokens", type=int, help="Tokens drafted before each step of the model.")
@click.option("--acceptance", type=float, help="Chance that a drafted token is accepted, if those before it were.")
@click.option(
    "--ttft-ms", type=click.FloatRange(min=0, min_open=True), help="Target: time to first token (the plan's)."
)
@click.option(
    "--tpot-ms", type=click.FloatRange(min=0, min_open=True), help="Target: time per output token (the plan's)."
)
@click.option("--percentile", type=click.Choice(["mean", "50", "95", "99"]), help="Of the targets (the plan's).")
@click.option("--seed", type=int, default=0, help="Another seed, other requests (0).")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write waits against load as a picture (SVG)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    plan_or_model: str,
    hardware: str | None,
    rate: str | None,
    clients: int | None,
    input_tokens: int | None,
    output_tokens: int | None,
    length_spread: float | None,
    length_range: float | None,
    lengths: Path | None,
    prefix_hit_rate: float | None,
    max_num_seqs: int | None,
    speculate: str | None,
    draft_tokens: int | None,
    acceptance: float | None,
    ttft_ms: float | None,
    tpot_ms: float | None,
    percentile: str | None,
    seed: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Put the server of PLAN_OR_MODEL (a plan file, or a model with --on) under a simulated load.

    It tells how long users wait, by percentile, at this load and at shares of what the server can carry.
    """
    from planner.serving.answering import Question, answer

    plan = _plan(plan_or_model, hardware)
    prompt, output, drawn = lengths_asked(
        plan.request.workload, input_tokens, output_tokens, length_spread, length_range, lengths
    )
    question = Question(
        input_tokens=prompt,
        output_tokens=output,
        requests_per_s=requests_per_s(rate) if rate else None if clients else plan.request.workload.requests_per_s,
        clients=clients,
        lengths=drawn,
        prefix_hit_rate=plan.request.workload.prefix_hit_rate if prefix_hit_rate is None else prefix_hit_rate,
        max_sequences=max_num_seqs,
        targets=targets_asked(plan.request.service_level, ttft_ms, tpot_ms, percentile),
        seed=seed,
        speculation=speculation_asked(speculate, draft_tokens, acceptance),
    )
    answered = answer(plan, question)
    if plot:
        from planner.serving.picture import picture

        picture(plan, question, answered).write(plot)
    _print(plan, question, answered.as_json(), as_json)


def _plan(plan_or_model: str, hardware: str | None) -> Plan:
    if hardware is None:
        from planner.plan import load_plan

        return load_plan(Path(plan_or_model))
    from planner.planning import make_plan
    from planner.request import Request

    return make_plan(Request(model=plan_or_model, hardware=hardware))


def _print(plan: Plan, question: Question, content: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(content, indent=2))
        return
    from planner.cli.simulate_view import print_answer
    from planner.cli.terminal import console

    print_answer(plan, question, content, console())
