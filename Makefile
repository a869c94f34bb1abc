.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.venv/.run: pyproject.toml constraints.txt
	@echo "setting up .venv: some minutes, once"
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@
.venv/.dev: .venv/.run
	$(PIP) -e '.[dev]'
	@touch $@

.PHONY: help demo test check bench results screenshots
help:   ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'
demo: .venv/.run   ## a coordinator and four nodes train a model, here and now
	$(BIN)/fedtui-demo
test: .venv/.dev   ## every test that needs no other process
	$(BIN)/pytest
check: .venv/.dev   ## what CI runs: format, lint, types, imports, every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test
	$(BIN)/pytest -m "slow or loopback or netns or snapshot or screen or ray" --timeout 600
results: .venv/.dev   ## docs/results.md and its pictures, measured on this machine: an hour or more
	$(BIN)/python -m benchmarks.results
screenshots: .venv/.run   ## the pictures of the README, from a real federation
	$(BIN)/python docs/screenshots/make.py
bench: .venv/.dev   ## the figures of the README, measured on this machine
	$(BIN)/python -m benchmarks.rounds --nodes 10 --dim 1000000 --rounds 5 --json
	$(BIN)/python -m benchmarks.rounds --nodes 10 --dim 10000000 --rounds 3 --json
	$(BIN)/python -m benchmarks.rounds --nodes 100 --thin --dim 10000 --rounds 5 --json
	$(BIN)/python -m benchmarks.rounds --nodes 1000 --thin --dim 10000 --rounds 3 --json
	$(BIN)/python -m benchmarks.rounds --nodes 10 --dim 1000000 --rounds 5 --secure --json
	$(BIN)/python -m benchmarks.rounds --nodes 10 --dim 10000000 --rounds 3 --secure --json
	$(BIN)/python -m benchmarks.secagg --nodes 10 --json
	$(BIN)/python -m benchmarks.secagg --nodes 100 --dropouts 10 --json
	$(BIN)/python -m benchmarks.secagg --nodes 100 --dropouts 10 --keystream aegis256 --json
	$(BIN)/python -m benchmarks.noise --json
	$(BIN)/python -m benchmarks.screen --json
	$(BIN)/python -m benchmarks.simulation --short
