# Two commands are all a new machine needs: `make demo` and `make test`. Both set everything up first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench-memory bench-speed bench-energy bench-plan bench-fits bench-frontier bench-executor bench-formats bench-serving bench-service bench-scale bench-capacity screenshots fit clean

help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/ready ## The whole path on this machine with a small real model: plan, quantize, launch, measure, compare
	@$(BIN)/quantplan demo

test: $(VENV)/ready ## Set everything up and run the tests (builds llama.cpp once, into a cache)
	@echo "Running the tests. The first run builds llama.cpp into a cache (about five minutes); later runs reuse it."
	@$(BIN)/python -m pytest

check: $(VENV)/ready ## Lint, types, and generated documents are up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/quantplan rules check
	@$(BIN)/python docs/generate.py --check

docs: $(VENV)/ready ## Write the generated documents again
	@$(BIN)/python docs/generate.py

$(VENV)/ready: pyproject.toml
	@echo "Setting up a Python environment in $(VENV) (a minute or two) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

bench-memory: $(VENV)/ready ## Memory predictions against published start-up logs (TRUTH=folder with memory.csv)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/memory.py $(if $(TRUTH),--truth $(TRUTH))

bench-energy: $(VENV)/ready ## Power and energy against published measurements (TRUTH=folder with energy.csv)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/energy.py $(if $(TRUTH),--truth $(TRUTH))

bench-plan: $(VENV)/ready ## Milliseconds, kilobytes and cold seconds of one plan
	@$(BIN)/python benchmarks/planning.py

bench-fits: $(VENV)/ready ## Candidates a second of `quantplan fits`, and its cold time
	@$(BIN)/python benchmarks/fits.py

bench-frontier: $(VENV)/ready ## Candidates a second of `quantplan plan --frontier`, and article B's cost table
	@$(BIN)/python benchmarks/frontier.py
	@$(BIN)/python benchmarks/cost.py

bench-formats: $(VENV)/ready ## Quantize, reload, verify and evaluate every format a CPU can make (about an hour the first time)
	@$(BIN)/python -m benchmarks.formats

bench-serving: $(VENV)/ready ## The simulator against theory, the closed form and published tails (TRUTH=folder with serving.csv and load_latency.csv)
	@$(BIN)/python benchmarks/serving.py $(if $(TRUTH),--truth $(TRUTH))

bench-service: $(VENV)/ready ## The service under load, killed, and tried against its own OpenAPI document
	@$(BIN)/python benchmarks/service.py

bench-scale: $(VENV)/ready ## The floors of a fleet, a simulated day, Ray and the ledger (PARTS="fleet day" for some; minutes)
	@$(BIN)/python benchmarks/scale.py $(PARTS)

bench-capacity: $(VENV)/ready ## What the service carries here, and by stated assumptions elsewhere (writes docs/capacity.md)
	@$(BIN)/python benchmarks/capacity.py

screenshots: $(VENV)/ready ## Pictures of every page, light, dark and on a phone, into ./screenshots (needs Chromium)
	@$(BIN)/python benchmarks/screenshots.py

bench-executor: $(VENV)/ready ## 500 random kills of a run, then what was left behind; the executor's own time beside a tool's
	@$(BIN)/python benchmarks/reliability.py

bench-speed: $(VENV)/ready ## Speed predictions against published measurements (TRUTH=folder with serving.csv)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/speed.py $(if $(TRUTH),--truth $(TRUTH))

fit: $(VENV)/ready ## Fit the speed constants again (TRUTH=folder with serving.csv)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/speed.py --fit $(if $(TRUTH),--truth $(TRUTH))

clean: ## Remove the environment and caches of this checkout
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
