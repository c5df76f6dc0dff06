"""How the run loop treats one kind of step."""

from __future__ import annotations

from dataclasses import dataclass

from executor.step import Step
from planner.plan import StageKind


@dataclass(frozen=True, slots=True)
class StepSpec:
    """`run` does the step.

    An `ephemeral` step holds something alive (a server): its result is worth nothing once that has ended. It runs again
    whenever a step that `needs` its kind has still to run. Every other result holds while the files it lists under
    "artifacts" are as recorded. The files of a `shared` step depend on its parameters, the model and the tools alone:
    another run that needs the same ones takes them over. A step `elsewhere` works on another machine, whose room and
    shared files count.
    """

    run: Step
    ephemeral: bool = False
    needs: tuple[StageKind, ...] = ()
    shared: bool = False
    elsewhere: bool = False
