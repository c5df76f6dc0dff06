"""A wheel built from the checkout works in a clean environment, far from the checkout, rules and templates included."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds the built wheel alone, and this environment's dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("quantplan-*.whl")
    environment = folder / "env"
    venv.create(environment, with_pip=True, symlinks=True)
    bin_folder = environment / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, text=True)
    return bin_folder


def quantplan(bin_folder: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(bin_folder / "quantplan"), *arguments], capture_output=True, text=True, cwd=cwd)


def test_it_plans_outside_the_checkout_with_the_planner_alone(installed: Path, tmp_path: Path) -> None:
    done = quantplan(installed, "plan", "llama-3.1-70b", "--on", "1xA100-80GB", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["chosen"]["format"] == "awq-int4"
    assert "checkout" not in done.stdout


def test_the_light_install_has_no_torch(installed: Path, tmp_path: Path) -> None:
    listed = subprocess.run(
        [str(installed / "python"), "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert not names & {"torch", "transformers", "vllm", "huggingface-hub", "huggingface_hub"}


def test_rules_schema_templates_and_demo_model_are_inside(installed: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import rules, planner, executor\n"
        "from planner.templates import template_directory\n"
        "need = [Path(rules.__file__).parent / 'decisions/width.yaml', Path(rules.__file__).parent / 'sources.yaml',\n"
        "        Path(planner.__file__).parent / 'catalog/plan.schema.json', template_directory() / 'report.html.j2',\n"
        "        Path(executor.__file__).parent / 'demo/pydocs-3m/model.safetensors']\n"
        "missing = [str(p) for p in need if not p.is_file()]\n"
        "assert not missing, missing\n"
        f"assert {str(ROOT)!r} not in str(template_directory())\n"
    )
    done = subprocess.run([str(installed / "python"), "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_rules_check_passes_there(installed: Path, tmp_path: Path) -> None:
    done = quantplan(installed, "rules", "check", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_executor_extra_apply_says_how_to_get_it(installed: Path, tmp_path: Path) -> None:
    made = quantplan(installed, "plan", "13B", "--on", "cpu:64GB", "--out", "plan.json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = quantplan(installed, "apply", "plan.json", cwd=tmp_path)
    assert done.returncode == 5
    assert "pip install 'quantplan[executor]'" in done.stderr
