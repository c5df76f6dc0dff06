"""rules <- planner <- executor: nobody imports upwards, and nothing heavy is imported on the way to an answer."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "transformers", "vllm", "numpy", "bitsandbytes", "awq", "llama_cpp"}
FORBIDDEN = {
    "rules": {"planner", "executor"} | HEAVY,
    "planner": {"executor"} | HEAVY - {"numpy"},
    "executor": set(),
}
ON_THE_PLAN_PATH = {"numpy", "huggingface_hub", "httpx", "torch", "transformers", "jinja2"}


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported top-level name with its line, wherever in the file it is imported."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node.lineno


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_package_imports_upwards(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name, line in imports_of(path)
        if name in FORBIDDEN[package]
    ]
    assert wrong == []


def test_the_check_sees_an_upward_import(tmp_path: Path) -> None:
    guilty = tmp_path / "guilty.py"
    guilty.write_text("def f():\n    from executor.run import apply\n")
    assert list(imports_of(guilty)) == [("executor", 2)]


def modules_imported(path: Path, known: set[str]) -> set[str]:
    """Our modules that a file takes names from, wherever in it; of a package those of its modules that are named."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {name for alias in node.names if (name := f"{node.module}.{alias.name}") in known} or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def house() -> dict[str, set[str]]:
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in FORBIDDEN
        for path in (ROOT / package).rglob("*.py")
    }
    return {module: modules_imported(path, set(paths)) - {module} for module, path in paths.items()}


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(house()).prepare()
    except CycleError as circle:
        pytest.fail(" <- ".join(circle.args[1]))


def test_nothing_but_the_command_line_takes_from_the_command_line() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, names in house().items()
        for name in names
        if name.startswith("planner.cli.") and not module.startswith("planner.cli.")
    ]
    assert wrong == []


def loaded_modules(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_help_imports_neither_pydantic_nor_rich_nor_anything_heavy() -> None:
    loaded = loaded_modules("from planner.cli.main import cli\ntry: cli(['--help'])\nexcept SystemExit: pass")
    assert not loaded & (HEAVY | {"pydantic", "rich", "yaml", "jinja2"})


def test_a_plan_imports_nothing_heavy() -> None:
    code = (
        "from planner.planning import make_plan\nfrom planner.request import Request\n"
        "make_plan(Request(model='llama-3.1-70b', hardware='1xA100-80GB'))"
    )
    assert not loaded_modules(code) & ON_THE_PLAN_PATH
