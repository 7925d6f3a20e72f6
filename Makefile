# The doors of the project. Each is a thin one: `make run` is `python -m carekeep demo`, `make test` is `python -m pytest`,
# in an environment (.venv) that is made from the locked requirements when it is missing or out of date.

PYTHON ?= python3
UV ?= uv
LOCK := $(UV) pip compile --quiet --upgrade pyproject.toml --extra postgres --group build
IN_VENV := .venv/bin/python

# Quiet where pip has nothing to tell; `root` is who builds in containers and in CI.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SECONDARY:
.PHONY: help run test bench lint lock assets clean
ASSETS := src/carekeep/web/assets/built/manifest.json

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: .venv/.ready-run $(ASSETS) ## Start Carekeep with a simulated hospital on https://localhost:8443
	@$(IN_VENV) -m carekeep demo

test: .venv/.ready-test $(ASSETS) ## Run every test, and the checks of style, types and imports with them
	@$(IN_VENV) -m pytest

bench: .venv/.ready-test $(ASSETS) ## Measure, print the table, and write it as JSON
	@$(IN_VENV) -m benchmarks

lint: .venv/.ready-test ## Check style, types and imports only
	$(IN_VENV) -m ruff check
	$(IN_VENV) -m ruff format --check
	$(IN_VENV) -m mypy
	.venv/bin/lint-imports --no-logo

lock: ## Choose the newest allowed versions anew (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv to choose versions: install it (pipx install uv), or name it: make lock UV=path/to/uv"; exit 1; }
	$(LOCK) --output-file requirements/run.txt
	$(LOCK) --constraint requirements/run.txt --extra anchor --group test --group lint --output-file requirements/test.txt

assets: $(ASSETS) ## Fetch the style sheets and scripts of others that the pages use

# Whichever environment is there: both have the Node that fetches them.
$(ASSETS): src/carekeep/web/assets/package-lock.json scripts/assets.py
	@$(IN_VENV) -m scripts.assets

clean: ## Remove the environment and everything else that was made here
	rm -rf .venv dist src/carekeep/web/assets/built .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Wheels only: the lock's packages all have them, and a bare machine has no compiler. The project itself is installed
# by a link to src/, so that what is run is what was edited. --no-deps: the lock is complete, and Debian's pip does not find
# the hash of a package that another one wants with an extra.
.venv/.ready-%: requirements/%.txt pyproject.toml $(IN_VENV)
	@echo "Installing the $$(grep -c '==' $<) packages of $< into .venv (once; later calls start at once)."
	@$(IN_VENV) -m pip install --quiet --only-binary :all: --no-deps --require-hashes --requirement $< \
	&& $(IN_VENV) -m pip install --quiet --no-deps --no-build-isolation --editable . \
	|| { echo "The packages could not be installed; pip says why above. If it speaks of connections or of no matching" \
	"distribution, this machine does not reach a Python package index: check the network, or pip's settings, and try again."; exit 1; }
	@touch $@

$(IN_VENV):
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Carekeep needs Python 3.11 or newer with its venv module. On Debian 12 or newer: apt-get install git make python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
