"""`quantplan evaluate`: a run's model against its original."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

NO_GO = 4


@click.command(name="evaluate", short_help="Compare a run's model with its original: queries, tasks, probabilities.")
@click.argument("run", metavar="RUN")
@click.option(
    "--queries", type=click.Path(path_type=Path), help="Your queries: a line each, or JSON Lines with answers."
)
@click.option(
    "--tasks", default="", help="Benchmarks, separated by commas: mmlu, c-eval, humaneval, quantplan_choice ..."
)
@click.option(
    "--task-files", type=click.Path(path_type=Path), help="Folder of lm-evaluation-harness tasks of your own."
)
@click.option("--limit", type=click.IntRange(1), help="Examples of each task.")
@click.option("--text", help="Text to take token probabilities on.  [default: the shipped one]")
@click.option("--answer-tokens", type=click.IntRange(1), default=64, show_default=True, help="Tokens of an answer.")
@click.option("--run-generated-code", is_flag=True, help="Allow tasks that execute what the model writes (HumanEval).")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    run: str, queries: Path | None, tasks: str, task_files: Path | None, limit: int | None, text: str | None,
    answer_tokens: int, run_generated_code: bool, as_json: bool,
) -> None:  # fmt: skip
    """Start the original and the served model of RUN in turn, ask both the same, and say go or no-go with reasons.

    The result is kept as evaluation.json in the run's folder. Exit code 4 is a no-go.
    """
    from planner.cli.evaluate_view import print_evaluation
    from planner.cli.terminal import console
    from planner.examining import EvaluationQuestion
    from planner.ports import find_executor

    question = EvaluationQuestion(
        run_id=run,
        text=text,
        queries=queries,
        tasks=tuple(filter(None, (name.strip() for name in tasks.split(",")))),
        task_files=task_files,
        limit=limit,
        answer_tokens=answer_tokens,
        run_generated_code=run_generated_code,
    )
    told = console(stderr=True)
    result = find_executor().examiner().evaluate(question, on_message=lambda said: told.print(said, style="dim"))
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        print_evaluation(result, console())
    sys.exit(0 if result["verdict"]["go"] else NO_GO)
