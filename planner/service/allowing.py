"""What a question may have the service read: models below the allowed folders, and no other file of a caller."""

from __future__ import annotations

from pathlib import Path

from planner.errors import BadInput
from planner.request import Request
from planner.service.settings import Settings

PATH_MARKS = ("/", "\\", "~", ".")
HUB_MARK = "/"


def check_request(request: Request, settings: Settings) -> None:
    """BadInput for anything in a question that would have the service read a file it may not, or ask the hub."""
    check_model(request.model, settings)
    if request.extras.draft_model is not None:
        check_model(request.extras.draft_model, settings)
    check_hardware(request.hardware)
    for name, value in (("price.file", request.price.file), ("calibration", request.calibration)):
        if value is not None:
            fix = f"leave out {name}; the command line takes it"
            raise BadInput("this service reads no files of its callers", where=name, fix=fix)


def check_model(name: str, settings: Settings) -> None:
    """BadInput for a path outside the allowed folders, and for a hub id where the hub is not asked."""
    if looks_like_a_path(name):
        _check_below_roots(name, settings.model_roots)
    elif HUB_MARK in name and not settings.allow_hub:
        fix = "name a model of the catalogue (GET /v1/models), or start the service with --allow-hub"
        raise BadInput(f"this service looks up no hub ids: {name[:100]}", fix=fix)


def check_hardware(text: str) -> None:
    """BadInput for hardware described in a file: the service reads none."""
    name = text.strip().lower()
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        raise BadInput(
            "this service reads no hardware files", fix="name an accelerator of the catalogue (GET /v1/gpus)"
        )


def looks_like_a_path(name: str) -> bool:
    """Whether the resolver could take this for something on disk."""
    return name.startswith(PATH_MARKS) or name.lower().endswith(".gguf") or "\\" in name or _exists(name)


def _exists(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _check_below_roots(name: str, roots: tuple[Path, ...]) -> None:
    try:
        real = Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        real = Path("/")
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        fix = "start the service with --model-root FOLDER for the folder that holds it"
        raise BadInput("this service may not read models from there", where=name[:100], fix=fix)
