# What a fresh machine needs is this file, python3 (3.11 or later, with venv) and make.

PYTHON ?= python3
CODEC ?= orjson+aesgcm
ARGS ?=
SECONDS ?= 60

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --no-compile
# Tests that share a server stay together. Where the output is a file, progress shows in lines.
TEST_OPTIONS := -n auto --dist loadgroup -p progress
TEST := PYTHONPATH=$(CURDIR)/tests/tools $(BIN)/python -m pytest $(TEST_OPTIONS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-long coverage fuzz
.PHONY: lint lint-style lint-format lint-types format wheel docs
.PHONY: bench bench-quick bench-compare clean

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 22

demo: $(READY)  ## run an agent whose memory is encrypted; CODEC=msgpack+zstd+aesgcm for another codec
	@$(BIN)/python examples/agent_memory.py --codec '$(CODEC)'

test: $(READY)  ## run the fast tests, in three minutes at most; ARGS="-k pop -x" goes to pytest
	$(TEST) --tier fast $(ARGS)

test-all: $(READY)  ## run the tests on every database and with every fault
	$(TEST) --tier full $(ARGS)

test-long: $(READY)  ## run them with more examples, kills and rows: for hours
	$(TEST) --tier long $(ARGS)

coverage: $(VENV)/.coverage  ## run test-all, and name the lines and branches that it does not reach
	PYTHONPATH=$(CURDIR)/tests/tools $(BIN)/python tests/tools/coverage/run.py $(TEST_OPTIONS) --tier full $(ARGS)

fuzz: $(READY)  ## mutate rows, histories, exports, keys and commands; SECONDS=60 SEED=… FORM=rows
	PYTHONPATH=$(CURDIR)/tests/fuzz $(BIN)/python -m fuzzing --seconds '$(SECONDS)' \
		--seed '$(SEED)' --form '$(FORM)' --case '$(CASE)' --replay '$(REPLAY)'

lint: lint-style lint-format lint-types  ## check style (ruff) and types (mypy --strict)

lint-style: $(READY)
	$(BIN)/ruff check

lint-format: $(READY)
	$(BIN)/ruff format --check

lint-types: $(READY)
	$(BIN)/mypy src tests/typing

format: $(READY)  ## put the code into ruff's format
	$(BIN)/ruff format

wheel: $(READY)  ## build the wheel and the source distribution into dist/
	$(BIN)/python -m build

docs: $(VENV)/.docs  ## build the documentation into site/; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(READY)  ## measure everything and write docs/benchmarks.md: 15 minutes on a quiet machine
	$(BIN)/python benchmarks/run.py

bench-quick: $(READY)  ## measure for a minute and print a summary
	$(BIN)/python benchmarks/run.py --quick

bench-compare: $(READY)  ## measure again what the last run did, or RUN=FILE, and compare
	$(BIN)/python benchmarks/run.py --compare $(RUN)

clean:  ## remove what make and the tools have made
	rm -rf $(VENV) dist build site .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@command -v '$(PYTHON)' >/dev/null \
	|| { echo "There is no '$(PYTHON)': install Python 3.11 or later, or name one: make PYTHON=…" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "strongroom needs Python 3.11 or later, and '$(PYTHON)' is older: make PYTHON=python3.11" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "'$(PYTHON)' has no venv: install it, on Debian with: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing strongroom and its tools into $(VENV), which takes a minute"
	'$(PYTHON)' -m venv $(VENV)
	$(PIP_INSTALL) --editable '.[dev]'
	@touch $(READY)

$(VENV)/.docs $(VENV)/.coverage: $(VENV)/.%: $(READY)
	$(PIP_INSTALL) --editable '.[$*]'
	@touch $@
