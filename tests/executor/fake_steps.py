"""Steps of equal standing to the real ones: real files, real processes, a real journal; only the work is small.

Each can be made to kill its own process (as `kill -9` would) at a moment: before its work, midway, after it, or once
it is recorded.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from executor.artifacts import ArtifactWriter, write_text
from executor.step import Result, StepContext
from executor.steps.keep_original import keep_original
from executor.steps.spec import StepSpec
from planner.plan import Plan, Stage, StageKind

COPY_IN_TWO_PARTS = (
    "import pathlib, sys\n"
    "source, target = (pathlib.Path(p) for p in sys.argv[1:3])\n"
    "data = source.read_bytes()\n"
    "with target.open('wb') as file:\n"
    "    file.write(data[: len(data) // 2]); file.flush()\n"
    "    file.write(data[len(data) // 2 :][::-1])\n"
)


@dataclass
class FakeSteps:
    """The nine kinds of step. `kill_at` is (stage, moment); `marker` is on every process they start; `ran` counts."""

    marker: str
    kill_at: tuple[str, str] | None = None
    ran: list[str] = field(default_factory=list)

    def specs(self) -> Mapping[StageKind, StepSpec]:
        return {
            "fetch": StepSpec(self._fetch),
            "keep-original": StepSpec(self._keep_original),
            "convert": StepSpec(self._make),
            "quantize": StepSpec(self._make),
            "check-artifact": StepSpec(self._evaluate),
            "evaluate": StepSpec(self._evaluate),
            "launch": StepSpec(self._launch, ephemeral=True),
            "check-applied": StepSpec(self._evaluate),
            "load-test": StepSpec(self._load_test, needs=("launch",)),
            "findings": StepSpec(self._findings),
            "report": StepSpec(self._report),
        }

    def die(self, stage: str, moment: str) -> None:
        if self.kill_at == (stage, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def _begin(self, context: StepContext) -> None:
        self.ran.append(context.stage.name)
        self.die(context.stage.name, "before")

    def _fetch(self, context: StepContext) -> Result:
        self._begin(context)
        directory = Path(context.stage.parameters["source"])
        self.die("fetch", "midway")
        files = [{"name": p.name, "bytes": p.stat().st_size} for p in sorted(directory.iterdir())]
        self.die("fetch", "after")
        return {"directory": str(directory), "files": files}

    def _keep_original(self, context: StepContext) -> Result:
        self._begin(context)
        self.die("keep-original", "midway")
        result = keep_original(context)
        self.die("keep-original", "after")
        return result

    def _make(self, context: StepContext) -> Result:
        """Write an artefact with a tool; die midway with half a file and the tool still running."""
        self._begin(context)
        source = Path(context.results["fetch"]["directory"]) / "model.safetensors"
        with ArtifactWriter(context.workspace / f"{context.stage.name}.gguf") as writer:
            if self.kill_at == (context.stage.name, "midway"):
                writer.partial.write_bytes(b"half")
                context.processes.start(["sleep", "1000", self.marker], log_path=context.log_path)
                self.die(context.stage.name, "midway")
            tool = [sys.executable, "-c", COPY_IN_TWO_PARTS, source, writer.partial, self.marker]
            context.processes.run_tool(tool, context.log_path)
        self.die(context.stage.name, "after")
        return {"path": str(writer.path), "artifacts": [writer.artifact.record()]}

    def _evaluate(self, context: StepContext) -> Result:
        self._begin(context)
        made = Path((context.results.get("quantize") or context.results["convert"])["path"])
        self.die(context.stage.name, "midway")
        result = {"perplexity": float(made.stat().st_size)}
        self.die(context.stage.name, "after")
        return result

    def _launch(self, context: StepContext) -> Result:
        self._begin(context)
        sleeper = shutil.which("sleep") or "sleep"
        server = ["sh", "-c", f"{sleeper} 1000 & wait", self.marker]
        process = context.processes.start(server, log_path=context.log_path)
        self.die("launch", "midway")
        self.die("launch", "after")
        return {"pid": process.pid}

    def _load_test(self, context: StepContext) -> Result:
        self._begin(context)
        os.kill(context.results["launch"]["pid"], 0)
        self.die("load-test", "midway")
        written = write_text(context.workspace / "load-test.json", '{"tokens": 7}')
        self.die("load-test", "after")
        return {"tokens": 7, "artifacts": [written.record()]}

    def _findings(self, context: StepContext) -> Result:
        self._begin(context)
        self.die("findings", "midway")
        measured = context.results["load-test"]["tokens"]
        found = {"name": "output_tokens", "unit": "tokens", "predicted": 8.0, "low": 6.0, "high": 9.0,
                 "measured": measured, "inside": True, "note": ""}  # fmt: skip
        self.die("findings", "after")
        return {"findings": [found]}

    def _report(self, context: StepContext) -> Result:
        self._begin(context)
        self.die("report", "midway")
        said = "\n".join(f"{name}: {sorted(result)}" for name, result in sorted(context.results.items()))
        written = write_text(context.workspace / "report.html", said)
        self.die("report", "after")
        return {"report_path": str(written.path), "artifacts": [written.record()]}


KINDS: tuple[StageKind, ...] = (
    "fetch", "keep-original", "convert", "quantize", "check-artifact", "launch", "load-test", "findings", "report",
)  # fmt: skip


def with_fake_stages(plan: Plan, original: Path) -> Plan:
    """The plan with one stage of each kind, for a model directory."""
    stages = tuple(Stage(name=kind, kind=kind, parameters={"source": str(original)}) for kind in KINDS)
    ways = {says: way.model_copy(update={"stages": KINDS}) for says, way in plan.ways.items()}
    return plan.model_copy(update={"stages": stages, "ways": ways}).sealed()
