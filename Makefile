# creditops: set-up, demo, tests. `make help` lists the targets.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
READY := $(VENV)/.ready
export CREDITOPS_HOME ?= $(CURDIR)/.creditops

.DEFAULT_GOAL := help
.PHONY: help setup demo check fast test pytest soak stop lint format types bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## install the pinned environment into .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "creditops needs Python 3.11 to 3.13: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV)"
	@awk '/^uv==/{on=1} on{print} on&&!/\\$$/{exit}' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock || \
		$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline -e .
	@touch $(READY)

demo: $(READY) ## simulate a book and run the whole chain on it, services included
	@$(BIN)/creditops demo

stop: ## stop the services of this data home
	@test ! -x $(BIN)/creditops || $(BIN)/creditops down

lint: $(READY) ## ruff, import-linter and mypy (sqlfluff needs a warehouse: tests/dbt/test_style.py)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }
	@$(BIN)/mypy

check: $(READY) ## lint, types and the tests that need no service, side by side
	@$(MAKE) --no-print-directory --jobs 2 lint fast

fast: $(READY)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) -m fast

test: $(READY) ## every check and test, side by side
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: $(READY)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder

soak: $(READY) ## long proofs with many random cases; their table is docs/soak.md (SOAK=tests/soak/test_x.py for one)
	@$(BIN)/python -m pytest -m soak $(or $(SOAK),tests/soak)

bench: $(READY) ## run a benchmark: make -s bench BENCH=demo
	@$(BIN)/python -m benchmarks $(BENCH)

format: $(READY) ## format the code
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

lock: ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --group dev pyproject.toml \
		-o requirements.lock --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(LOCK_FLAGS)

clean: ## stop the services and remove the data home
	@if test -x $(BIN)/creditops; then $(BIN)/creditops down --clean; else rm -rf "$(CREDITOPS_HOME)"; fi
