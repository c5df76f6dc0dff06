"""`quantplan artefacts`: models into an object store and out of it."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(name="artefacts", short_help="Put models into an object store, and fetch them.")
def command() -> None:
    """Models in an object store: s3://BUCKET/PREFIX (AWS, or any store that speaks S3), gs://BUCKET/PREFIX.

    A model is whole there, or not at all: its manifest with every file's SHA-256 is written last. Either command goes
    on where it was cut when it is run again. Credentials are those of the AWS tools (AWS_ACCESS_KEY_ID, AWS_PROFILE);
    AWS_ENDPOINT_URL names another store; Google's takes its HMAC keys.
    """


@command.command(short_help="Put a model there.")
@click.argument("model", metavar="RUN|MODEL")
@click.argument("address", metavar="URL")
def push(model: str, address: str) -> None:
    """Put MODEL (a directory or GGUF file), or the model that RUN made, below URL. What is there already stays."""
    from planner.launching.locating import made_by
    from planner.ports import find_executor

    executor = find_executor()
    source = model if Path(model).exists() else made_by(executor.show(model))
    stored = executor.push_artefacts(Path(source), address, on_message=_tell)
    click.echo(f"There: {address}, {stored.files} files, {stored.total_bytes:,} bytes")


@command.command(short_help="Fetch a model from there.")
@click.argument("address", metavar="URL")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def pull(address: str, directory: Path) -> None:
    """Fetch the model below URL into DIRECTORY, every file checked by its SHA-256."""
    from planner.ports import find_executor

    stored = find_executor().pull_artefacts(address, directory, on_message=_tell)
    click.echo(f"Here: {directory}, {stored.files} files, {stored.total_bytes:,} bytes")


def _tell(said: str, fraction: float | None) -> None:
    click.echo(said if fraction is None else f"{fraction:4.0%} {said}", err=True)
