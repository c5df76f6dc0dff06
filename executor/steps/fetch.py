"""Step `fetch`: the original model as local files that are safe to read. Nothing is ever unpickled."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from executor.step import Result, StepContext
from executor.steps.earlier import parameter
from executor.steps.same_model import require_planned_model, require_tokenizer
from executor.steps.supported import require_supported
from planner.errors import BadInput, ExecutionFailed

PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"}
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
WANTED_FROM_HUB = ["*.safetensors", "*.json", "*.model", "*.tiktoken", "*.txt", "LICENSE*", "README.md"]


def fetch(context: StepContext) -> Result:
    """Find the model and list its files: {directory, files: [{name, bytes}], total_bytes, path of a GGUF file}.

    `source` is a directory of safetensors, a GGUF file, or a hub id. BadInput for pickled weights, links that lead out
    of the directory, no weights or no tokenizer at all, broken files, or another model than was planned for;
    ExecutionFailed when the hub cannot be reached.
    """
    require_supported(context.plan)
    return fetch_files(context)


def fetch_files(context: StepContext) -> Result:
    """The same without asking whether this machine can carry the plan out: others may."""
    source = str(parameter(context, "source"))
    if not source:
        raise BadInput(
            f"the plan is for a size ({context.plan.model.name}), and a size has no weights",
            fix="plan for a model that has some: a directory, a .gguf file, or a hub id",
        )
    local = Path(source).expanduser()
    if local.is_file():
        found = _gguf_file(local)
        require_planned_model(context.plan, local, local=True)
        return found
    if not local.is_dir() and not HUB_ID.fullmatch(source):
        raise BadInput(
            "no such model directory",
            where=source,
            fix="put the model back there, or plan again for where it lies now",
        )
    directory = local.resolve() if local.is_dir() else _from_hub(source, context)
    files = list_model_files(directory)
    require_planned_model(context.plan, directory, local=local.is_dir())
    require_tokenizer(directory, files)
    return _listing(directory, files)


def list_model_files(directory: Path) -> list[Path]:
    """The files of a model directory, sorted. BadInput unless it holds config.json and safetensors that may be read."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not _is_hidden(path, directory))
    for path in files:
        _require_inside(path, directory)
    names = {path.name for path in files}
    if "config.json" not in names:
        raise BadInput("no config.json", where=str(directory), fix="name a model directory in Hugging Face layout")
    if not any(path.suffix == ".safetensors" for path in files):
        raise _no_safetensors(directory, files)
    return [path for path in files if path.suffix not in PICKLES]


def _gguf_file(path: Path) -> Result:
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise BadInput("not a GGUF file", where=str(path), fix="name a .gguf file or a model directory")
    resolved = path.resolve()
    return {**_listing(resolved.parent, [resolved]), "path": str(resolved)}


def _listing(directory: Path, files: Iterable[Path]) -> Result:
    listed: list[dict[str, Any]] = [
        {"name": str(path.relative_to(directory)), "bytes": path.stat().st_size} for path in files
    ]
    return {"directory": str(directory), "files": listed, "total_bytes": sum(entry["bytes"] for entry in listed)}


def _is_hidden(path: Path, directory: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(directory).parts)


def _require_inside(path: Path, directory: Path) -> None:
    """A hub cache links snapshots to blobs beside them; any other link out of the directory is refused."""
    target, root = path.resolve(), directory.resolve()
    cache = root.parent.parent if root.parent.name == "snapshots" else root
    if not target.is_relative_to(root) and not target.is_relative_to(cache / "blobs"):
        raise BadInput(
            f"{path.name} is a link that leads out of the model directory",
            where=str(path),
            fix="copy the file itself into the directory",
        )


def _no_safetensors(directory: Path, files: list[Path]) -> BadInput:
    pickled = [path.name for path in files if path.suffix in PICKLES]
    if not pickled:
        return BadInput("no safetensors weights", where=str(directory), fix="complete the download of the model")
    return BadInput(
        f"its weights are pickled ({pickled[0]}); a pickle can run any code when it is read, so none is",
        where=str(directory),
        fix="use the model's safetensors weights, or convert these in a sandbox you trust",
    )


def _from_hub(model_id: str, context: StepContext) -> Path:
    """A snapshot of a hub repository, safetensors only."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ExecutionFailed(
            f"{model_id!r} is no local directory, and huggingface_hub is not installed",
            fix="pip install 'quantplan[executor]', or name a local directory",
        ) from None
    context.report(f"downloading {model_id} from the Hugging Face Hub", None)
    try:
        return Path(snapshot_download(model_id, allow_patterns=WANTED_FROM_HUB))
    except (OSError, ValueError) as error:
        raise ExecutionFailed(
            f"could not fetch {model_id!r} from the Hugging Face Hub: {_first_line(error)}",
            fix="check the name and the network, or download the model elsewhere and name its directory",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
