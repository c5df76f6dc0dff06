"""Files that may cost hours are made once: shared between runs by what they were made from.

The shared copy is a hard link, so it costs no space. It is verified before it is used, and dropped when it differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from executor.artifacts import altered
from executor.aside import PARTIAL, remove_partials
from executor.locking import lock
from executor.quantizers.recipe import recipe_for, recipes
from executor.step import Result, StepContext
from executor.toolchains.catalog import catalog

RECORD = "record.json"
HERE = "{workspace}"


def take_shared(context: StepContext, store: Path) -> Result | None:
    """What an earlier run made from the same things, linked into this workspace; None when there is none that holds."""
    entry = store / key_of(context)
    with _locked(store):
        if not (entry / RECORD).is_file():
            return None
        if altered(_records(_read(entry, at=entry))):
            shutil.rmtree(entry)
            return None
        result = _read(entry, at=context.workspace)
        for record in _records(result):
            target = Path(record["path"])
            target.unlink(missing_ok=True)
            _link(entry / target.relative_to(context.workspace), target)
    return result


def share(context: StepContext, result: Result, store: Path) -> None:
    """Keep the files of a finished step for later runs."""
    entry = store / key_of(context)
    aside = store / f"{entry.name}{PARTIAL}{os.getpid()}"
    with _locked(store):
        remove_partials(store)
        for record in _records(result):
            _link(Path(record["path"]), aside / Path(record["path"]).relative_to(context.workspace))
        as_text = json.dumps(result, ensure_ascii=False).replace(str(context.workspace), HERE)
        (aside / RECORD).write_text(as_text, encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)
        aside.rename(entry)


def key_of(context: StepContext) -> str:
    """Names everything the step's files depend on: its parameters, the model, the files before it, and the tools."""
    originals = [result["sha256"] for result in context.results.values() if "sha256" in result]
    made = [record["sha256"] for name in context.results for record in _made_files(context.results[name])]
    content = {
        "stage": [context.stage.kind, context.stage.parameters, context.plan.model.name],
        "files": [originals, made],
        "tools": tools_in_use(context),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def tools_in_use(context: StepContext) -> list[Any]:
    """The versions and settings that decide what the tools write."""
    tool = context.stage.parameters.get("tool")
    if tool in recipes().tools:
        stage = context.stage.parameters
        recipe = recipe_for(str(stage["format"]), str(tool), str(stage.get("variant") or ""))
        chain = getattr(context.toolchains, recipes().tools[recipe.tool].toolchain)()
        return [recipe.model_dump(mode="json"), sorted(chain.versions.items())]
    llama_cpp, pins = context.toolchains.llama_cpp(), catalog()
    return [llama_cpp.version, llama_cpp.origin, pins.source.sha256, pins.gguf_convert.packages]


def _made_files(result: Result) -> list[Mapping[str, Any]]:
    """Model files that the step made; a file of notes (checksums, timings) names places and does not count."""
    made = result.get("path")
    return [record for record in _records(result) if made and Path(record["path"]).is_relative_to(made)]


def _read(entry: Path, at: Path) -> Result:
    """The recorded result with its paths below `at`."""
    result: Result = json.loads((entry / RECORD).read_text(encoding="utf-8").replace(HERE, str(at)))
    return result


def _records(result: Result) -> list[dict[str, Any]]:
    return list(result.get("artifacts", ()))


def _locked(store: Path) -> AbstractContextManager[None]:
    return lock(store.with_suffix(".lock"), waiting=lambda holder: None)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
