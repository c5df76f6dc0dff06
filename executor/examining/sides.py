"""The servers of a run: what it serves, and its original under the same engine, each started for as long as needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from executor.engines import engine_of
from executor.engines.engine import Engine
from executor.engines.starting import Launch, start_server
from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.errors import BadInput
from planner.examining import OnMessage
from planner.plan import Plan
from planner.ports import RunRecord

Side = Literal["original", "served"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is up for one side of a comparison."""

    side: Side
    url: str
    engine: Engine
    name: str
    model: Path


@dataclass(frozen=True, slots=True)
class Sides:
    """The models of a finished run and how to serve them. BadInput when the run made or fetched none."""

    record: RunRecord
    folder: Path
    on_message: OnMessage

    @property
    def plan(self) -> Plan:
        return self.record.plan

    def model(self, side: Side) -> Path:
        """The original in the form this engine reads, or what the run serves."""
        results = {step.name: step.result for step in self.record.steps}
        wanted = ("convert", "fetch") if side == "original" else ("quantize", "convert", "fetch")
        for name in wanted:
            result: Mapping[str, Any] = results.get(name, {})
            if found := result.get("path") or result.get("directory"):
                return Path(found)
        raise BadInput(
            f"run {self.record.run_id} has no {side} model on this machine",
            fix=f"finish it first: quantplan apply {self.record.run_id}",
        )

    @property
    def is_quantized(self) -> bool:
        return self.model("original") != self.model("served")

    @contextmanager
    def serving(self, side: Side) -> Iterator[Served]:
        """The server of one side, stopped at the end of the block."""
        engine, name = engine_of(self.plan), self.plan.model.name
        log_path = self.folder / "logs" / f"examine-{side}.log"
        with Processes() as processes:
            toolchains = Toolchains(on_progress=lambda message, _: self.on_message(message), processes=processes)
            launch = Launch(
                engine=engine,
                model=self.model(side),
                arguments=self.plan.chosen.engine_arguments,
                log_path=log_path,
                name=name,
                environment=self.plan.chosen.engine_environment,
            )
            self.on_message(f"starting the {side} model")
            server = start_server(launch, toolchains, processes, lambda said: None)
            yield Served(side, server.url, engine, engine.served_name(launch.model, name), launch.model)
