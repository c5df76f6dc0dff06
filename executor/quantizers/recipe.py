"""`recipes.yaml` as typed, frozen data: which tool makes which format, and with which options."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from planner.errors import ExecutionFailed
from planner.request import Frozen

RECIPES = Path(__file__).with_name("recipes.yaml")
SCRIPTS = Path(__file__).with_name("scripts")


class Tool(Frozen):
    """A script, the toolchain whose Python runs it, and what is added to its environment."""

    toolchain: str
    script: str
    environment: dict[str, str] = {}
    needs_gpu: bool = False


class Recipe(Frozen):
    """How a tool is asked for a format."""

    format: str
    tool: str
    options: dict[str, Any]
    source: str
    variant: str = ""
    calibrates: bool = False
    groups: bool = False


class Recipes(Frozen):
    as_of: date
    tools: dict[str, Tool]
    recipes: tuple[Recipe, ...]


@cache
def recipes() -> Recipes:
    """All tools and recipes."""
    return Recipes.model_validate(yaml.safe_load(RECIPES.read_text(encoding="utf-8")))


def recipe_for(format: str, tool: str, variant: str = "") -> Recipe:
    """The recipe. ExecutionFailed with the tool's formats when there is none."""
    for recipe in recipes().recipes:
        if (recipe.format, recipe.tool, recipe.variant) == (format, tool, variant):
            return recipe
    made = [recipe.format for recipe in recipes().recipes if recipe.tool == tool]
    named = f"{format} ({variant})" if variant else format
    raise ExecutionFailed(f"{tool} makes no {named}", nearest=made, fix="plan with a format it makes")
