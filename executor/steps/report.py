"""Step `report`: `report.json` and `report.html`, after a last look at the original files."""

from __future__ import annotations

from pathlib import Path

from executor.artifacts import write_text
from executor.report import render_page
from executor.report.gathering import gather
from executor.step import Result, StepContext
from executor.steps.earlier import result_of_kind
from executor.steps.keep_original import changed_originals


def report(context: StepContext) -> Result:
    """{report_path, json_path, go, headline, artifacts}; originals that changed during the run make it a no-go."""
    kept = result_of_kind(context, "keep-original")
    context.report("checking that the original is unchanged", None)
    changed = changed_originals(Path(kept["directory"]), kept["sha256"]) if kept else []
    document = gather(context, changed, _versions(context))
    as_json = write_text(context.workspace / "report.json", document.model_dump_json(indent=2) + "\n")
    as_page = write_text(context.workspace / "report.html", render_page(document))
    return {
        "report_path": str(as_page.path),
        "json_path": str(as_json.path),
        "go": document.verdict.go,
        "headline": document.verdict.headline,
        "artifacts": [as_json.record(), as_page.record()],
    }


def _versions(context: StepContext) -> dict[str, str]:
    """The tools that made and served the model. What the plan never used is not built just to be named."""
    versions = {"quantplan": context.plan.quantplan_version}
    if context.plan.chosen.engine == "llama.cpp":
        llama_cpp = context.toolchains.llama_cpp()
        versions["llama.cpp"] = f"{llama_cpp.version} ({llama_cpp.origin})"
    made = result_of_kind(context, "quantize") or {}
    if "tool_version" in made:
        versions[made["tool"]] = made["tool_version"]
    if any(stage.kind == "convert" for stage in context.plan.stages):
        packages = context.toolchains.gguf_convert().versions
        versions |= {name: packages[name] for name in ("torch", "transformers", "gguf") if name in packages}
    return versions
