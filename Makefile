# Each target makes its own virtual environment in .venv and installs what it needs.
# Without make: see "Without make" in README.md.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: run test check format bench chaos clean

run: .venv/.run-ready          ## start the whole line on this machine and print alerts
	$(BIN)/wirebell up

test: .venv/.dev-ready         ## everything this machine can test
	$(BIN)/python -m tests.prepare
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

check: .venv/.dev-ready        ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.dev-ready       ## put the code in its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.bench-ready .venv/frameworks/.ready ## benchmarks beside their yardsticks
	$(BIN)/python -m benchmarks

chaos: .venv/.dev-ready        ## the chaos suite at full load (CHAOS=1: a tenth); writes docs/reliability.md
	$(BIN)/python -m tests.prepare
	$(BIN)/python -m tests.chaos_report --load $(or $(CHAOS),10)

.venv/.bench-ready: .venv/.dev-ready
	$(PIP) install -c constraints.txt -e '.[embedded,dev,bench]'
	@touch $@

# Other frameworks pin libraries that ours does not: they stand apart.
.venv/frameworks/.ready: .venv/.bench-ready benchmarks/frameworks.txt
	$(BIN)/python -m venv .venv/frameworks
	.venv/frameworks/bin/python -m pip --disable-pip-version-check -qq install -e . -r benchmarks/frameworks.txt
	@touch $@

clean:
	rm -rf .venv var build *.egg-info .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Wirebell needs Python 3.11, 3.12 or 3.13"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.run-ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e '.[embedded]'
	@touch $@

.venv/.dev-ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e '.[embedded,dev]'
	@touch .venv/.run-ready $@
