# Two commands for a newcomer: `make run` and `make test`. Both set the environment up first, and only
# when it is missing or stale: a stamp inside .venv holds the digest of the locks and this folder's path
# (a moved .venv has stale script headers).
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.setup-stamp
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export GX_ANALYTICS_ENABLED := false
export PREFECT_SERVER_ANALYTICS_ENABLED := false
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup run test coverage lint lock clean

help:
	@echo "make run       set up, then run the default plan against the simulator (no key, no network)"
	@echo "make test      set up, then every check and test that CI runs"
	@echo "make coverage  the tests, counting lines: slower, and fails below 85 %"
	@echo "make setup     create .venv from the lock, if it is missing or stale"
	@echo "make lock      resolve pyproject.toml again into requirements.lock"
	@echo "make clean     remove .venv and caches (results stay)"

setup:
	@want="$$(sed -n '/^\[build-system/,/^\[tool/p' pyproject.toml | cat - requirements.lock requirements-uv.lock | cksum) $$PWD"; \
	if [ -x $(BIN)/python ] && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
	  || { echo "make setup: Python 3.11 is needed; name it with: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }; \
	echo "setting up .venv (once; less than a minute)"; \
	set -e; rm -rf .venv; "$(PYTHON)" -m venv .venv; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock; \
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock requirements-uv.lock; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .; \
	echo "$$want" > $(STAMP)

run: setup
	@$(BIN)/benchbook run

test: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest

coverage: setup
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

lock: setup
	@$(BIN)/uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --quiet --upgrade -o requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
