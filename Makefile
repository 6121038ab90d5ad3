# Needs make and Python >= 3.11; everything else is set up in .venv. `make` alone lists the targets.
# PYTHON=...  the Python that makes .venv          ALL=1  every extra; an unexpected skip fails
# ARGS=...    further arguments of pytest          ONLY=name  one script of bench/

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1
PIP := $(BIN)/python -m pip install -q -c constraints.txt --build-constraint constraints.txt

# A stamp is older than what it was made from only when something has to be installed again.
CORE := $(VENV)/.core
ifdef ALL
DEV := $(VENV)/.all
EXTRAS := all
export SCRUTIQ_NO_SKIP := 1
else
DEV := $(VENV)/.dev
EXTRAS := parquet,simulate
endif

.PHONY: help demo test lint docs serve-docs bench bench-accuracy reference format constraints clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

$(CORE): pyproject.toml constraints.txt
	@python=$$(scripts/find-python.sh) && echo "Setting up $(VENV) with $$python" && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install -q -c constraints.txt --upgrade pip
	@$(PIP) -e .
	@touch $@

$(DEV): $(CORE)
	@echo "Installing the development tools (extras: $(EXTRAS))"
	@$(PIP) -e '.[$(EXTRAS)]' --group dev
	@touch $@

demo: $(CORE) ## judge the bundled images and write a report
	@$(BIN)/scrutiq assess demo/images --out demo-report

test: $(DEV) ## run the tests (ALL=1: with every extra, no unexpected skip)
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

lint: $(DEV) ## check style, types, the order of the rooms and the cost of importing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/check_light_import.py

docs: $(DEV) ## build the documentation into site/
	@log=$$($(BIN)/mkdocs build --strict 2>&1) || { echo "$$log"; exit 1; }
	@echo "The documentation: $(CURDIR)/site/index.html"

serve-docs: $(DEV) ## show the documentation at http://127.0.0.1:8000 while writing it
	@$(BIN)/mkdocs serve

bench: $(DEV) ## run the benchmarks in bench/ (ONLY=name: one of them)
	@set -e; for script in $(or $(ONLY:%=bench/%.py),$(filter-out bench/_%,$(sort $(wildcard bench/*.py)))); do \
	  echo "== $$script"; $(BIN)/python "$$script"; done

bench-accuracy: ## make every table of docs/explanation/accuracy.md (RUN=DIR: of a training run too)
	@$(MAKE) -s ALL=1 $(VENV)/.all
	@$(BIN)/python bench/bench_accuracy.py $(if $(RUN),--run "$(RUN)") $(ARGS)

reference: $(DEV) ## write the generated parts of docs/reference
	@$(BIN)/python scripts/make_reference.py

format: $(DEV) ## format the code
	@$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

constraints: ## resolve constraints.txt afresh
	@scripts/update-constraints.sh

clean: ## remove what the other targets built, but not .venv
	@rm -rf site demo-report build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	@rm -rf $(VENV)
