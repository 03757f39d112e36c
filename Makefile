# Everything from a bare clone: a Python of 3.11 or later and make are enough.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-platform test-services check bench contracts lock clean

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; name one: make PYTHON=/path/to/python3 setup")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

demo: setup            ## the whole platform with plausible data: what it shows, and where
	$(BIN)/psip demo

test: .venv/.ready-dev ## every test; those that need Java or Node are skipped, with the reason, where there is none
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target test-platform test-services

PLATFORM := tests/journeys tests/docs tests/deploy tests/gateway
test-platform:         ## those of the whole, and of its door
	$(BIN)/pytest $(PLATFORM)

test-services:         ## those of each service by itself, and of the floor they share
	$(BIN)/pytest tests $(PLATFORM:%=--ignore=%)

check: .venv/.ready-dev ## style, types, which way imports point, and whether the contracts keep what was promised
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.compatibility

bench: .venv/.ready-dev ## the figures of benchmarks/results.md, each beside its limit
	$(BIN)/python -m benchmarks

contracts: setup       ## write the generated contracts anew (the TypeScript types where there is Node)
	$(BIN)/psip contracts
	@if command -v npm >/dev/null; then cd clients/typescript && npm ci --silent && npm run --silent generate; fi

lock:                  ## resolve the requirements anew (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf .venv .psip build *.egg-info
