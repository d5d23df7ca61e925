# Everything a developer or an operator of one machine types. `make` alone lists it.

PYTHON ?= python3
VENV := .venv/bin
COMPILE := $(VENV)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

# Bytecode is written whatever the shell says: a run of the tests starts some two hundred processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check bench fuzz chaos canary format lock clean install-runtime install-dev

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# exec: Ctrl-C reaches the program itself, with no shell in between.
run: install-runtime ## start everything on this machine; ARGS="..." is passed on
	@exec $(VENV)/python -m cli.run $(ARGS)

test: install-dev ## run all tests; ARGS="tests/unit -k lock" narrows them
	@exec $(VENV)/python -m pytest $(or $(ARGS),-n 4 --dist loadfile --no-loadscope-reorder tests)

check: install-dev ## format, lint, types, layers
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy .
	$(VENV)/lint-imports

bench: install-dev ## measure throughput and latency
	@exec $(VENV)/python -m bench.load $(ARGS)

fuzz: install-dev ## call the whole API with what its document allows and what not; ARGS="100" examples each
	@FUZZ_EXAMPLES=$(or $(ARGS),50) exec $(VENV)/python -m pytest -q tests/api/test_api_fuzz.py

chaos: install-dev ## kill processes under load and count what was lost or doubled
	@exec $(VENV)/python -m bench.chaos $(ARGS)

canary: install-dev ## look for the numbers and codes of a run in everything that it wrote
	@exec $(VENV)/python -m bench.canary $(ARGS)

format: install-dev ## format the code and fix what lint can fix
	$(VENV)/ruff format .
	$(VENV)/ruff check --fix .

# Pins stay as they are unless asked: make lock ARGS="--upgrade-package fastapi".
lock: install-dev ## write requirements/*.txt from requirements/*.in
	$(COMPILE) $(ARGS) requirements/runtime.in --output-file requirements/runtime.txt
	$(COMPILE) $(ARGS) requirements/dev.in --constraints requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) $(ARGS) requirements/uv.in --output-file requirements/uv.txt

# State under var/ is the user's and stays.
clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-runtime:
	@$(PYTHON) bootstrap.py runtime

install-dev:
	@$(PYTHON) bootstrap.py dev
