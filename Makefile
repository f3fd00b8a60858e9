# Everything a contributor or CI runs. It needs python3 (3.11 or newer), cargo and make, and installs the rest into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CARGO ?= cargo
FUZZ_CASES ?= 1000000
XDIST ?= auto

RUST := $(shell find rust -name '*.rs') Cargo.toml Cargo.lock
STAMPS := $(VENV)/.stamps

.DEFAULT_GOAL := help
.PHONY: help demo demo-stock report-picture test test-rust test-python test-clients test-clients-newest clients-table clients-lock lint format fuzz \
	bench bench-table bench-gate bench-gate-proof bench-counts valgrind wheel test-wheel clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | awk -F ':.*  ## ' '{ printf "  make %-19s %s\n", $$1, $$2 }'

demo: build $(STAMPS)/demo  ## record the example suite, stop the provider, replay it
	$(BIN)/python examples/demo.py

demo-stock: build $(STAMPS)/demo  ## the same suite with stock vcrpy and pytest-recording, to compare
	$(BIN)/python examples/demo.py --stock

test: lint test-rust test-python  ## everything a contributor needs before a push

test-rust:  ## the core's tests; they need no Python
	$(CARGO) test

test-python: build $(STAMPS)/test  ## the Python tests, in parallel
	$(BIN)/python -m pytest -n $(XDIST)

test-clients: build $(STAMPS)/clients  ## every real client, at the locked versions: record, close the port, replay
	$(BIN)/python -m pytest -n $(XDIST) tests/clients

test-clients-newest: build $(STAMPS)/test  ## the same with the newest versions
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --group clients
	$(BIN)/python -m pip install --quiet --upgrade --no-deps litellm
	rm -f $(STAMPS)/clients
	$(BIN)/python -m pytest -n $(XDIST) tests/clients

clients-table: build $(STAMPS)/clients  ## the clients' table of README.md and docs/guide/clients.md, stock vcrpy beside ours
	$(BIN)/python -m tests.clients --documents

clients-lock: build  ## lock the versions of test-clients to the newest ones
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager --group clients
	$(BIN)/python -m pip install --quiet --upgrade --no-deps litellm
	$(BIN)/python -m tests.clients.lock > tests/clients/requirements.lock

lint: build $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/components  ## formats, lints and types of both languages
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --all-targets --features python,abi3 -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest llm_vcr._core

format: $(STAMPS)/lint $(STAMPS)/components  ## put both languages into form
	$(CARGO) fmt
	$(BIN)/ruff check --fix-only --silent .
	$(BIN)/ruff format .

fuzz:  ## random and mutated bodies through every entry of the core (FUZZ_CASES of them each)
	FUZZ_CASES=$(FUZZ_CASES) $(CARGO) test --profile fuzz --test core fuzz:: -- --nocapture

report-picture: build $(STAMPS)/test  ## the picture of the report in README.md, from runs of the example suite
	$(BIN)/python -m tests.report_picture docs/report.png

bench: build $(STAMPS)/test $(STAMPS)/bench  ## each operation against the plain Python way, in one run
	$(BIN)/python -m benches.python.table
	$(BIN)/python -m benches.python.replay
	$(BIN)/python -m benches.python.suites

bench-table: build $(STAMPS)/test $(STAMPS)/bench  ## measure replays and whole runs, and write the tables of README.md and benches/RESULTS.md
	$(BIN)/python -m benches.python.document

bench-gate: build valgrind $(STAMPS)/test $(STAMPS)/bench  ## fail where something is slower than benches/data allows
	$(BIN)/python -m benches.gate

bench-gate-proof: build valgrind  ## slow the core by a tenth in a copy, see the gate red, take it back, see it green
	$(BIN)/python -m benches.slow_core

bench-counts: build valgrind  ## count the core's instructions anew, after a change that is meant
	$(BIN)/python -m benches.counts

wheel: $(STAMPS)/build  ## the sdist, and a wheel built from it, into dist/
	rm -rf dist
	$(BIN)/maturin build --release --sdist --out dist

test-wheel: wheel  ## install that wheel outside of the checkout, ask every command for its help there, and run the demo
	$(BIN)/python -m tests.installed dist/*.whl

clean:  ## remove what was built
	rm -rf $(VENV) target dist python/llm_vcr/*.so

# --- what the targets above stand on

.PHONY: build
build: $(STAMPS)/core

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "llm_vcr needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0])'
	@# Debian's python3 comes without venv.
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); } \
		|| { echo "$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv) and try again" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build $(STAMPS)/demo $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/bench: $(STAMPS)/%: pyproject.toml $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

# The lock is complete, so nothing has to be resolved; litellm's own pins could not be.
$(STAMPS)/clients: tests/clients/requirements.lock $(STAMPS)/test
	$(BIN)/python -m pip install --quiet --no-deps -r $<
	@touch $@

# An older extension of another kind of build would be imported in place of the new one.
$(STAMPS)/core: $(RUST) pyproject.toml $(STAMPS)/build
	rm -f python/llm_vcr/*.so
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet
	@touch $@

valgrind:
	@command -v valgrind >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq valgrind; } \
		|| { echo "valgrind is not installed, and counts the core's instructions: install it (Debian: apt-get install valgrind) and try again" >&2; exit 1; }

$(STAMPS)/components: $(STAMPS)/venv
	$(CARGO) clippy --version >/dev/null 2>&1 && $(CARGO) fmt --version >/dev/null 2>&1 || rustup component add clippy rustfmt
	@touch $@
