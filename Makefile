# Everything a person does here. Each target installs what it needs; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
UV_VERSION := 0.13.9

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
RUN := $(VENV)/.installed-run
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-system kills scorecard lint format bench fuzz venv lock broker bus clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)
	@echo '  ARGS="..." goes to the command behind demo, test-unit, test-system, kills, bench and fuzz.'

demo: $(DEMO) broker bus ## a whole virtual exam room; ARGS=--once runs one visit and ends
	@$(BIN)/vitals-edge demo $(ARGS)

test: test-unit test-system ## unit tests, then tests with real processes

test-unit: $(DEV) ## the fast ones, on two cores
	$(PYTEST) -n 2 --dist loadfile -m "not system and not soak and not hardware" $(ARGS)

test-system: $(DEV) broker bus ## real broker, processes and crashes, one after another
	$(PYTEST) -p no:xdist --timeout 180 -m "system and not soak and not hardware" $(ARGS)

kills: $(DEV) broker ## kill -9 at every fault point, in real processes; ARGS="--runs 200 --seed 7"
	$(BIN)/python tests/soak/kills.py $(ARGS)

scorecard: $(DEV) ## count the evidence for each instrument and write docs/instruments.md
	$(PYTEST) --collect-only -q --scorecard tests/test_drivers tests/test_edge/test_decode_vectors.py

lint: $(DEV) ## format, style, import contracts, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(DEV) ## put the code into the project's shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) broker bus ## speed and accuracy, with floors and peers in one run
	$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(DEV) ## every decoder, ten minutes; ARGS="--decoder NAME" for one
	$(BIN)/python tests/fuzz/run.py --seconds 600 $(ARGS)

venv: $(DEV) ## everything a contributor needs, in .venv

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'vitals-edge needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo 'No virtual environment could be made. On Debian and Raspberry Pi OS: apt-get install python3-venv' >&2; exit 1; }

$(RUN): requirements.lock requirements-build.lock pyproject.toml | $(VENV)/bin/python
	@echo 'Installing vitals-edge into $(VENV) ...'
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(DEMO): requirements-demo.lock $(RUN)
	@echo 'Installing the virtual radio of the demo into $(VENV) ...'
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements-demo.lock
	@touch $@

$(DEV): requirements-dev.lock $(RUN)
	@echo 'Installing the tools of development into $(VENV) ...'
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r requirements-dev.lock
	@touch $@

broker:
	@sh .ci/install mosquitto

bus:
	@sh .ci/install dbus-daemon

# uv lives only as long as the locks take; nobody who installs or develops needs it.
UV_COMPILE = "$$tools/bin/uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --no-annotate --python-version 3.11 --fork-strategy fewest $(ARGS)

lock: ## pin what pyproject.toml asks for; ARGS=--upgrade takes newer releases
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
	  && $(PYTHON) -m venv "$$tools" \
	  && "$$tools/bin/pip" install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	  && $(UV_COMPILE) pyproject.toml --extra demo --group dev -o requirements-dev.lock \
	  && $(UV_COMPILE) pyproject.toml -c requirements-dev.lock -o requirements.lock \
	  && $(UV_COMPILE) pyproject.toml --extra demo -c requirements-dev.lock -o requirements-demo.lock \
	  && $(UV_COMPILE) --group build -c requirements-dev.lock -o requirements-build.lock

clean: ## remove all that make has made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
